"""A machine's counts."""

from __future__ import annotations

from dataclasses import dataclass

from agentcp_fsm.lifecycle.effects import ReportTransition


@dataclass(slots=True)
class Statistics:
    """The counts since the machine was made.  Nothing in the machine depends on them."""

    attempts: int = 0
    """Sign-ins begun."""
    failed_attempts: int = 0
    """Attempts that failed, and connections lost before ONLINE had lasted."""
    times_online: int = 0
    losses: int = 0
    """Times that a proven connection was lost."""
    probes: int = 0
    """Sockets opened to probe a doubtful session."""
    heartbeats: int = 0
    """Heartbeats handed to the network, repeated ones and probes included."""
    answers: int = 0
    send_failures: int = 0
    receive_failures: int = 0
    invitations: int = 0
    """Invitations delivered."""
    duplicates: int = 0
    """Invitations that had been delivered a short while before."""
    malformed: int = 0
    stale: int = 0
    """Events of an earlier attempt or probe."""
    ignored: int = 0
    """Other events that had no meaning in their state."""
    last_loss: ReportTransition | None = None
    """How the connection was lost the last time, and why."""
    last_failure: ReportTransition | None = None
    """How an attempt failed or the connection was lost the last time, and why."""
