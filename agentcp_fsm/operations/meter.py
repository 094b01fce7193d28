"""What is counted as it happens, of one connection: an observer that costs a heartbeat less than a microsecond."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from agentcp_fsm.lifecycle.effects import AbandonSignIn, Effect, OpenSocket, ReportTransition
from agentcp_fsm.lifecycle.events import BeatAnswered, DeadlinePassed, Event, SignedIn, SignInFailed, SocketFailed
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.support import clock

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds of the histograms' buckets, in seconds; one more is without a bound."""
COUNTS = (
    *("attempts", "failed_attempts", "times_online", "losses", "probes", "heartbeats", "answers", "missed"),
    *("send_failures", "receive_failures", "invitations", "duplicates", "malformed", "stale", "ignored"),
)
"""The counters that the machine keeps."""


class Histogram:
    """How many values were seen, by their size."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, other: Histogram) -> None:
        """Count what the other has counted, too."""
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


class Meter:
    """Counts what happens to one connection, over all its machines."""

    __slots__ = (
        "_earlier",
        "_entered_at",
        "_machine",
        "_seconds",
        "_state",
        "lag",
        "round_trip",
        "sign_ins",
        "socket_failures",
        "sockets",
        "transitions",
    )

    def __init__(self) -> None:
        self.round_trip = Histogram()
        """From heartbeats that were sent once to their answers."""
        self.lag = Histogram()
        """How late heartbeats left that were due: the loop was busy."""
        self.transitions: Counter[tuple[str, str, str]] = Counter()
        """By source, destination and trigger."""
        self.sign_ins: Counter[str] = Counter()
        """By outcome."""
        self.sockets = self.socket_failures = 0
        self._seconds: dict[str, float] = {}
        self._earlier: Counter[str] = Counter()
        """What earlier machines had counted."""
        self._machine: Lifecycle | None = None
        self._state = ""
        self._entered_at = 0.0

    def adopted(self, machine: Lifecycle) -> None:
        """The connection's machine from now on."""
        now = clock.now()
        if self._machine is not None:
            self._earlier, self._seconds = self.counts(), self.seconds(now)
        self._machine = machine
        self._state, self._entered_at = str(machine.state), now

    def stepped(self, event: Event, effects: Sequence[Effect]) -> None:
        """Count one step."""
        machine = self._machine
        assert machine is not None
        kind = type(event)
        if kind is BeatAnswered:
            measured = machine.answered_at - machine.sent_at
            if machine.answered_at == machine.now and machine.statistics.round_trip == measured:
                histogram = self.round_trip
                histogram.counts[bisect_left(BOUNDS, measured)] += 1
                histogram.total += measured
        elif kind is DeadlinePassed and machine.unanswered == 1 and machine.sent_at == machine.now:
            late = machine.sent_at - machine.due_at
            histogram = self.lag
            histogram.counts[bisect_left(BOUNDS, late)] += 1
            histogram.total += late
            return
        if effects:
            self._count(event, effects)
        if kind is SocketFailed:
            self.socket_failures += 1

    def _count(self, event: Event, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case ReportTransition():
                    self._enter(effect)
                case OpenSocket():
                    self.sockets += 1
                    if isinstance(event, SignedIn):
                        self.sign_ins["succeeded"] += 1
                case AbandonSignIn() if isinstance(event, DeadlinePassed):
                    self.sign_ins["timed_out"] += 1
                case AbandonSignIn() if not isinstance(event, SignInFailed):
                    self.sign_ins["abandoned"] += 1
        if isinstance(event, SignInFailed):
            self.sign_ins["rejected" if event.rejected else "failed"] += 1

    def _enter(self, transition: ReportTransition) -> None:
        self.transitions[str(transition.source), str(transition.dest), transition.trigger] += 1
        self._seconds = self.seconds(transition.at)
        self._state, self._entered_at = str(transition.dest), transition.at

    def counts(self) -> Counter[str]:
        """What the machines have counted so far: `COUNTS`."""
        counted = Counter(self._earlier)
        if self._machine is not None:
            counted.update({name: getattr(self._machine.statistics, name) for name in COUNTS})
        return counted

    def seconds(self, now: float) -> dict[str, float]:
        """Seconds spent in each state until `now`, on `agentcp_fsm.support.clock`."""
        spent = dict(self._seconds)
        if self._machine is not None:
            spent[self._state] = spent.get(self._state, 0.0) + max(now - self._entered_at, 0.0)
        return spent
