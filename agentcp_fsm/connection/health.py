"""How a connection is, for people and for monitoring."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from agentcp_fsm.lifecycle.chart import BACKOFF, SERVING, State
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.statistics import Statistics
from agentcp_fsm.support import clock

if TYPE_CHECKING:
    from agentcp_fsm.connection.attachment import Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a connection is, at one moment.  Durations are seconds; times of day are in UTC."""

    agent_id: str
    at: datetime
    """The moment, by the system's clock."""
    clock: float
    """The same on the connection's clock, which `ReportTransition.at` is read from."""
    state: State
    reason: str
    """Why it is in this state: the last transition's reason, with its detail."""
    since: float | None
    """How long it has been in this state; None before it was started."""
    last_answer: float | None
    """How long ago the server last answered a heartbeat; None if it never did."""
    round_trip: float | None
    """From the last heartbeat that was sent only once to its answer; None before the first."""
    round_trip_smoothed: float | None
    """The mean of round trips, SRTT of RFC 6298; None before the first since the start."""
    round_trip_deviation: float | None
    """Their mean deviation, RTTVAR of RFC 6298; None likewise."""
    loss_rate: float
    """The share of heartbeats that went unanswered, 0 to 1: a mean in which the last 32 weigh most."""
    interval: float | None
    """The time between heartbeats; None before the first answer."""
    interval_asked: float | None
    """The interval that the server asked for; None before the first answer since the start."""
    sequence: int
    """MessageSeq of the last datagram sent; 0 before the first."""
    answer_sequence: int | None
    """MessageSeq of the last heartbeat response; None if there was none since the start.  A server that echoes the
    number gives that of a heartbeat; it need not."""
    unanswered: int
    """Heartbeats sent since the last answer."""
    server: str | None
    """Where heartbeats go, ``host:port``; None without a session."""
    session_age: float | None
    """How long ago the present session was proven; None while there is no proven session."""
    failures: int
    """Attempts that failed since the start, or since ONLINE last lasted."""
    next_action: float | None
    """In how much time the connection does something by itself; None at rest."""
    next_retry: float | None
    """In how much time a wait ends and it signs in again; None unless it waits."""
    waiting: int
    """Calls of handlers that wait for those before them."""
    dropped: int
    """Calls of handlers that were dropped because too many waited."""
    raised: int
    """Calls of handlers that raised."""
    last_error: str | None
    """The last error that was reported since the start, such as why the connection gave up; None if there was none.
    It outlasts a stop."""
    transitions: tuple[ReportTransition, ...]
    """The last 32 transitions, the oldest first."""
    statistics: Statistics
    """What was counted so far."""

    @property
    def reachable(self) -> bool:
        """Whether invitations can be expected to arrive: the server knows the session."""
        return self.state in SERVING

    @property
    def interval_refused(self) -> bool:
        """Whether the server asked for an interval beyond the bounds of the configuration (rule 1)."""
        return self.interval_asked is not None and self.interval_asked != self.interval

    @property
    def reconnects(self) -> int:
        """Times that the connection came ONLINE with a session, but for the first."""
        return max(self.statistics.times_online - 1, 0)

    @property
    def since_at(self) -> datetime | None:
        """When it came into this state; None before it was started."""
        return None if self.since is None else self.at - timedelta(seconds=self.since)

    @property
    def next_retry_at(self) -> datetime | None:
        """When a wait ends and it signs in again; None unless it waits."""
        return None if self.next_retry is None else self.at + timedelta(seconds=self.next_retry)

    @property
    def last_loss(self) -> ReportTransition | None:
        """How and why the connection was lost the last time; None if it never was.  It outlasts a stop."""
        return self.statistics.last_loss

    @property
    def last_failure(self) -> ReportTransition | None:
        """How an attempt failed or the connection was lost the last time, and why; None if nothing failed."""
        return self.statistics.last_failure

    def time_of(self, transition: ReportTransition) -> datetime:
        """When a transition of this connection happened, by the system's clock as it is now."""
        return self.at - timedelta(seconds=self.clock - transition.at)

    def to_dict(self) -> dict[str, object]:
        """The same for JSON: the fields and properties, as texts, numbers, None, lists and dictionaries.

        Times of day are ISO 8601.  A transition has ``age``, in seconds, besides; `clock` means nothing elsewhere, and
        is left out.
        """
        result = {field.name: getattr(self, field.name) for field in fields(self)} | {
            name: getattr(self, name)
            for name in ("reachable", "interval_refused", "reconnects", "since_at", "next_retry_at")
        }
        del result["clock"]
        for name in ("at", "since_at", "next_retry_at"):
            result[name] = None if result[name] is None else iso(result[name])
        result["state"] = str(self.state)
        result["transitions"] = [self._transition(each) for each in self.transitions]
        counted = asdict(replace(self.statistics, last_loss=None, last_failure=None))
        result["statistics"] = {name: value for name, value in counted.items() if name not in _SHOWN_ABOVE}
        for name in ("last_loss", "last_failure"):
            transition = getattr(self, name)
            result[name] = None if transition is None else self._transition(transition)
        return result

    def to_json(self, *, indent: int | None = None) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def _transition(self, transition: ReportTransition) -> dict[str, object]:
        at = {"at": iso(self.time_of(transition)), "age": self.clock - transition.at}
        states = {"source": str(transition.source), "dest": str(transition.dest)}
        return asdict(transition) | states | at


_SHOWN_ABOVE = ("loss_rate", "round_trip", "last_loss", "last_failure")
"""The statistics that are no counters."""


def iso(moment: datetime) -> str:
    """A time of day as text, to the millisecond, such as 2026-11-25T09:30:00.000+00:00."""
    return moment.isoformat(timespec="milliseconds")


def health_of(attachment: Attachment) -> Health:
    """How the connection is, from any thread, without waiting."""
    driver = attachment.driver
    machine = driver.lifecycle
    counted, handlers, transitions = replace(machine.statistics), attachment.handlers, attachment.transitions
    state, smoothed, next_beat = machine.state, machine.round_trip, machine.next_beat
    deadline, retry_at = machine.deadline, machine.timeout_at
    answered = counted.answers > 0
    measured = smoothed >= 0
    now = clock.now()
    return Health(
        agent_id=attachment.agent_id,
        at=datetime.now(UTC),
        clock=now,
        state=state,
        reason=transitions[-1].text if transitions else "",
        since=max(now - transitions[-1].at, 0.0) if transitions else None,
        last_answer=max(now - machine.answered_at, 0.0) if answered else None,
        round_trip=counted.round_trip,
        round_trip_smoothed=smoothed if measured else None,
        round_trip_deviation=machine.round_trip_variation if measured else None,
        loss_rate=counted.loss_rate,
        interval=machine.interval if answered else None,
        interval_asked=next_beat / 1000 if driver.answer_sequence is not None else None,
        sequence=machine.sequence,
        answer_sequence=driver.answer_sequence,
        unanswered=machine.unanswered,
        server=driver.server,
        session_age=max(now - machine.online_since, 0.0) if state in SERVING else None,
        failures=machine.failures,
        next_action=None if state is State.OFFLINE else max(deadline - now, 0.0),
        next_retry=max(retry_at - now, 0.0) if state == BACKOFF else None,
        waiting=handlers.waiting,
        dropped=handlers.dropped,
        raised=handlers.raised,
        last_error=attachment.last_error,
        transitions=tuple(transitions),
        statistics=counted,
    )
