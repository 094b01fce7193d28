"""A machine's counts."""

from __future__ import annotations

from dataclasses import dataclass

from agentcp_fsm.lifecycle.effects import ReportTransition

LOSS_GAIN = 1 / 32
"""How much the latest heartbeat weighs in the loss rate."""


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
    missed: int = 0
    """Heartbeats that were not answered before the next one left on their socket."""
    loss_rate: float = 0.0
    """The share of heartbeats that were missed, 0 to 1: a mean in which the last 32 weigh most."""
    round_trip: float | None = None
    """Seconds from the last heartbeat that was sent once to its answer; None before the first."""
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

    def note_missed(self) -> None:
        """One more heartbeat was missed."""
        self.missed += 1
        self.loss_rate += (1 - self.loss_rate) * LOSS_GAIN
