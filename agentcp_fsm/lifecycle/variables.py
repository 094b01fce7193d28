"""A machine's memory, and the same as a value."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.lifecycle.statistics import Statistics

NEVER = math.inf
"""The deadline of a machine that waits for nothing."""


class RandomSource(Protocol):
    """What draws numbers, such as `random.Random`."""

    def random(self) -> float:
        """A number from 0 to 1, 1 excluded."""


class Snapshot(NamedTuple):
    """The whole state of a machine, as a value: equal snapshots behave equally from there on.

    The fields are those of `Variables`, which explains them.
    """

    state: State
    now: float
    attempt: int
    late_sign_in: int | None
    failures: int
    refusals: int
    silent_attempts: int
    was_online: bool
    online_since: float
    online_until: float
    restart_wanted: bool
    not_before: float
    session: Session | None
    doubtful: Session | None
    probes: int
    socket_open: bool
    socket_ready: bool
    sequence: int
    next_beat: int
    interval: float
    due_at: float
    sent_at: float
    answered_at: float
    unanswered: int
    repeated: bool
    round_trip: float
    round_trip_variation: float
    retransmission: float
    retransmission_min: float
    retransmission_max: float
    send_failures: int
    receive_failures: int
    failed_at: float
    beat_due: float
    timeout_at: float
    known_invitations: tuple[tuple[Invitation, float], ...]
    """The invitations that were delivered, and when, the oldest first."""


class Variables:
    """The variables of one connection's machine; times are seconds on the caller's clock."""

    __slots__ = (
        *(name for name in Snapshot._fields if name != "known_invitations"),
        "_effects",
        "_invitations",
        "_lost",
        "config",
        "random",
        "statistics",
    )

    def __init__(self, config: Config, random: RandomSource) -> None:
        self.config = config
        self.random = random
        self.statistics = Statistics()
        self.state = State.OFFLINE
        self.now = -math.inf
        """When the last event was handled: time never runs backwards in here."""
        self.attempt = 0
        """The number of the latest attempt or probe; what carries another belongs to an earlier one."""
        self.late_sign_in: int | None = None
        """The number of the sign-in that took too long, as long as its session would be taken (rule 9)."""
        self.failures = 0
        """Attempts that failed since the connection was started, or since ONLINE last lasted."""
        self.refusals = 0
        """Connections in a row that a 401 ended within `flapping_span` of ONLINE (rule 6)."""
        self.silent_attempts = 0
        """Attempts that ended without an answer since the connection was started or last ONLINE (rule 2)."""
        self.was_online = False
        self.online_since = -math.inf
        """When the session was proven."""
        self.online_until = -math.inf
        """When ONLINE was last left for DEGRADED."""
        self.restart_wanted = False
        self.not_before = -math.inf
        """The earliest time of the next sign-in."""
        self.session: Session | None = None
        self.doubtful: Session | None = None
        """The session that the server may still know, although it was lost or never answered for."""
        self.probes = 0
        """Sockets opened to probe the doubtful session."""
        self.socket_open = False
        """Whether a socket is open or being opened: the session's, or a probe's."""
        self.socket_ready = False
        """Whether it is open."""
        self.sequence = 0
        """MessageSeq of the last datagram."""
        self.next_beat = 0
        """NextBeat of the last answer, in milliseconds, before it was bounded by the configuration."""
        self.interval = config.interval_min
        """Seconds between heartbeats."""
        self.due_at = -math.inf
        """When the heartbeat after the last answer was due."""
        self.sent_at = -math.inf
        """When the last heartbeat was sent."""
        self.answered_at = -math.inf
        """When the last answer came."""
        self.unanswered = 0
        """Heartbeats sent since the last answer."""
        self.repeated = False
        """Whether the last answer was one to a heartbeat that had been repeated."""
        self.round_trip = -1.0
        """SRTT of RFC 6298, in seconds; below 0 before the first measurement."""
        self.round_trip_variation = 0.0
        """RTTVAR of RFC 6298, in seconds."""
        self.retransmission = 0.0
        """Seconds after which an unanswered heartbeat is repeated (rule 3): RTO of RFC 6298, within the next two."""
        self.retransmission_min = self.retransmission_max = 0.0
        self.send_failures = 0
        self.receive_failures = 0
        self.failed_at = -math.inf
        """When a failed send or receive was last counted."""
        self.beat_due = NEVER
        """When the next heartbeat or probe leaves."""
        self.timeout_at = NEVER
        """When what the state waits for is overdue."""
        self._invitations: dict[Invitation, float] | None = None
        self._effects: list[Effect] = []
        self._lost = False
        """Whether the row that is being taken has lost the connection."""

    @property
    def deadline(self) -> float:
        """When the machine must get `DeadlinePassed`, if no event comes before; NEVER in OFFLINE.

        It is never before the time of the last event: an overdue timer is due at once (lifecycle, S10).
        """
        due = self.beat_due if self.beat_due < self.timeout_at else self.timeout_at
        return due if due > self.now else self.now

    def silent_at(self) -> float:
        """When the server will have been silent for too long (rule 4), seen after the first heartbeat since its answer.

        A heartbeat always has the retransmission time to be answered: after a time in which the process was suspended,
        the first one finds out how things are (rule 12).
        """
        config = self.config
        patience = min(self.answered_at + config.silence_limit * self.interval, self.due_at + config.silence_timeout)
        return max(
            patience + min(config.retransmission_min, self.retransmission_max), self.sent_at + self.retransmission
        )

    def snapshot(self) -> Snapshot:
        """The machine's whole state as a value that can be kept, compared and hashed."""
        return Snapshot(*_read_state(self))

    def restore(self, snapshot: Snapshot) -> None:
        """Put the machine into the state of a snapshot; configuration, random source and statistics stay."""
        for name in Snapshot._fields:
            if name != "known_invitations":
                setattr(self, name, getattr(snapshot, name))
        self._invitations = dict(snapshot.known_invitations) or None

    @property
    def known_invitations(self) -> tuple[tuple[Invitation, float], ...]:
        """The invitations that were delivered of late, and when, the oldest first."""
        return tuple((self._invitations or {}).items())


_read_state: Callable[[Variables], Any] = attrgetter(*Snapshot._fields)
