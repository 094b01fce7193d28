"""How a connection is, for people and for monitoring."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.statistics import Statistics
from agentcp_fsm.support import clock

if TYPE_CHECKING:
    from agentcp_fsm.connection.attachment import Attachment


@dataclass(frozen=True, slots=True)
class Health:
    """How a connection is, at one moment.  Durations are seconds."""

    state: State
    reason: str
    """Why it is in this state: the last transition's reason, with its detail."""
    since: float | None
    """How long it has been in this state; None before it was started."""
    last_answer: float | None
    """How long ago the server last answered a heartbeat; None if it never did."""
    interval: float | None
    """The time between heartbeats; None before the first answer."""
    sequence: int
    """MessageSeq of the last datagram sent; 0 before the first."""
    answer_sequence: int | None
    """MessageSeq of the last heartbeat response; None if there was none since the start.  A server that echoes the
    number gives that of a heartbeat; it need not."""
    unanswered: int
    """Heartbeats sent since the last answer."""
    server: str | None
    """Where heartbeats go, ``host:port``; None without a session."""
    next_action: float | None
    """In how much time the connection does something by itself; None at rest."""
    dropped: int
    """Calls of handlers that were dropped because too many waited."""
    last_error: str | None
    """The last error that was reported since the start, such as why the connection gave up; None if there was none.
    It outlasts a stop."""
    statistics: Statistics
    """What was counted so far."""

    @property
    def reachable(self) -> bool:
        """Whether invitations can be expected to arrive: the server knows the session."""
        return self.state in (State.ONLINE, State.DEGRADED)

    def to_dict(self) -> dict[str, object]:
        """The same for JSON: texts, numbers, None and dictionaries of them, ``reachable`` included."""
        return {**asdict(self), "reachable": self.reachable}

    @property
    def last_loss(self) -> ReportTransition | None:
        """How and why the connection was lost the last time; None if it never was.  It outlasts a stop."""
        return self.statistics.last_loss


def health_of(attachment: Attachment) -> Health:
    """How the connection is, from any thread, without waiting."""
    driver = attachment.driver
    machine = driver.lifecycle
    now = clock.now()
    last = attachment.last_transition
    answered = machine.statistics.answers > 0
    deadline = machine.deadline
    return Health(
        state=machine.state,
        reason="" if last is None else last.text,
        since=None if last is None else now - last.at,
        last_answer=now - machine.answered_at if answered else None,
        interval=machine.interval if answered else None,
        sequence=machine.sequence,
        answer_sequence=driver.answer_sequence,
        unanswered=machine.unanswered,
        server=driver.server,
        next_action=None if machine.state is State.OFFLINE else max(deadline - now, 0.0),
        dropped=attachment.handlers.dropped,
        last_error=attachment.last_error,
        statistics=replace(machine.statistics),
    )
