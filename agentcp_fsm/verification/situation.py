"""A situation: a machine, the books of its observer, and the time; and what makes two situations one.

Theory of operation
===================

The explorer runs the machine itself, not a model of it, so a situation holds the machine's real `Snapshot` with real
times and numbers.  There is no end of those.  The exploration is finite by the situation's `keys`: situations of the
same keys are taken for the same, and only the first is explored.  A key leaves out or coarsens:

- *absolute times*: a time counts only by where it lies, seen from now and from the next deadline: past, before the
  deadline, at it, beyond it, far beyond it, or never;
- *numbers of attempts and datagrams*: only whether they are the present ones;
- *counts that only count*: statistics are in no snapshot; a count that bounds nothing any more (the fifth doubling of a
  wait that has reached its cap) counts as the one before;
- *data*: intervals as they are, round trips by the retransmission time that they lead to (the least, the greatest, or
  between), sessions by their roles.

A situation has several keys: its core (state, sockets, calls, failures) with the places of its times, and its core with
each of its counts and data.  It is new if one of its keys is.  So every value meets every core, but not every other
value; only where the machine and its books disagree, the disagreement belongs to the core.

As every situation is real, with the script that leads there, whatever is found is real: there are no false alarms.
What a key leaves out could hide a difference only if it depended on an exact distance between two times that lie on the
same side of the deadline, or on more than one of the data at once.  ``whole`` takes all data together.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Hashable
from dataclasses import dataclass

from agentcp_fsm.lifecycle.chart import BACKOFF, DEGRADED, ONLINE, SERVING
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.variables import Snapshot
from agentcp_fsm.testing.monitor import Monitor

CLOSE = 1e-6
"""Times that are no further apart than this, in seconds, count as equal: sums of floats differ in their last digits."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Up to which value each count makes a difference, under a configuration."""

    failures: int
    refusals: int
    silent_attempts: int
    probes: int
    far: float
    """Seconds beyond the deadline from which a time is far away: longer than ONLINE must last for anything."""

    @classmethod
    def of(cls, config: Config) -> Thresholds:
        """Compute them: a doubled wait is at its cap, or a limit is reached."""
        backoff = 1 + _doublings(config.backoff_initial, config.backoff_max)
        failures = max(backoff, _doublings(config.connect_timeout, config.connect_timeout_max), 2)
        if config.sign_in_attempt_limit is not None:
            failures = min(config.sign_in_attempt_limit, failures + 1)
        return cls(
            failures=failures,
            refusals=config.flapping_limit,
            silent_attempts=_doublings(config.probe_limit * config.probe_interval, config.probe_time_max),
            probes=1 + _doublings(config.probe_interval, config.interval_max),
            far=max(config.stable_after, config.flapping_span),
        )


def _doublings(initial: float, maximum: float) -> int:
    """After how many doublings `initial` is no longer below `maximum`."""
    return 0 if initial >= maximum else math.ceil(math.log2(maximum / initial) - CLOSE)


class Situation:
    """A machine's snapshot, its observer's books, and a clock, which may be ahead of the machine's."""

    __slots__ = ("clock", "monitor", "snapshot")

    def __init__(self, snapshot: Snapshot, monitor: Monitor, clock: float) -> None:
        self.snapshot = snapshot
        self.monitor = monitor
        self.clock = clock

    @property
    def deadline(self) -> float:
        """The machine's."""
        its = self.snapshot
        return max(min(its.beat_due, its.timeout_at), its.now)

    def times(self) -> tuple[float, ...]:
        """Every time at which something may be decided otherwise than before, of the machine and of its books."""
        its, books, config = self.snapshot, self.monitor.books, self.monitor.config
        state = its.state
        serving = state in SERVING
        failing = its.send_failures or its.receive_failures
        return (
            its.beat_due,
            its.timeout_at,
            its.not_before,
            its.failed_at + config.failure_instant + CLOSE if failing else -math.inf,
            _lasts(its, config.stable_after),
            _lasts(its, config.flapping_span),
            _silent_at(its, config) if serving else -math.inf,
            its.sent_at + its.interval if serving else -math.inf,
            its.sent_at + its.retransmission if its.unanswered else -math.inf,
            books.sign_in_at + config.sign_in_interval_min,
            books.retry_after_until,
            books.wait_from if state == BACKOFF else -math.inf,
            books.wait_until if state == BACKOFF else -math.inf,
            books.lost_at(shortest=True) if serving else -math.inf,
            books.lost_at(shortest=False) if serving else -math.inf,
            books.retry_at,
            its.known_invitations[0][1] + config.invitation_window if its.known_invitations else -math.inf,
        )

    def _disagreements(self) -> tuple[bool, ...]:
        """In which of their data the machine and its books differ: a fault, to be followed in all that it does."""
        its, books = self.snapshot, self.monitor.books
        smoothed = books.round_trips.smoothed
        fresh = self.clock - self.monitor.config.invitation_window
        return (
            its.failures != books.failures,
            its.refusals != books.refusals,
            its.silent_attempts != books.silent_attempts,
            its.receive_failures != books.receive_failures,
            its.interval != books.interval,
            its.repeated != books.repeated,
            abs(its.round_trip - (-1.0 if smoothed is None else smoothed)) > CLOSE,
            any(at > fresh and invitation not in books.delivered for invitation, at in its.known_invitations),
        )

    def keys(self, thresholds: Thresholds, whole: bool = False) -> list[Hashable]:
        """What counts of it: its core with the places of its times, and with each of its data; `whole`: with all."""
        its, books, clock = self.snapshot, self.monitor.books, self.clock
        due = self.deadline
        soon, late = due - CLOSE, due + CLOSE
        past = clock + CLOSE
        bounds = (past, soon, late, late + thresholds.far) if soon > past else (past, past, past, past + thresholds.far)
        placed = tuple(5 if time == math.inf else bisect_left(bounds, time) for time in self.times())
        core = (
            its.state,
            clock > its.now + CLOSE,
            clock >= soon,
            clock > late,
            clock > late + 1000.0,
            its.late_sign_in is not None,
            its.was_online,
            its.restart_wanted,
            its.session is not None,
            its.doubtful is not None,
            its.socket_open,
            its.socket_ready,
            its.unanswered if its.unanswered < 2 else 2,
            its.send_failures,
            books.session is not None,
            books.doubtful is not None,
            books.unanswered if books.unanswered < 2 else 2,
            books.send_failures,
            books.sign_in is not None,
            books.late_sign_in is not None,
            books.stopped,
            self._disagreements(),
        )
        retransmission = its.retransmission
        data = (
            placed,
            (its.receive_failures, books.receive_failures),
            (min(its.failures, thresholds.failures), min(books.failures, thresholds.failures)),
            (min(its.refusals, thresholds.refusals), min(books.refusals, thresholds.refusals)),
            (
                min(its.silent_attempts, thresholds.silent_attempts),
                min(books.silent_attempts, thresholds.silent_attempts),
            ),
            (min(its.probes, thresholds.probes), min(books.probes, thresholds.probes)),
            (its.interval, books.round_trips.interval, its.next_beat),
            (
                its.repeated,
                its.round_trip >= 0,
                retransmission > its.retransmission_min,
                retransmission >= its.retransmission_max,
            ),
            tuple(invitation for invitation, _ in its.known_invitations),
        )
        if whole:
            return [(core, data)]
        return [(core, number, datum) for number, datum in enumerate(data)]


def _lasts(its: Snapshot, seconds: float) -> float:
    """When ONLINE will have lasted for so long; in DEGRADED it has, or never will."""
    if its.state == ONLINE:
        return its.online_since + seconds
    lasted = its.state != DEGRADED or its.online_until - its.online_since >= seconds
    return -math.inf if lasted else math.inf


def _silent_at(its: Snapshot, config: Config) -> float:
    patience = min(its.answered_at + config.silence_limit * its.interval, its.due_at + config.silence_timeout)
    least = min(config.retransmission_min, its.retransmission_max)
    return max(patience + least, its.sent_at + its.retransmission)
