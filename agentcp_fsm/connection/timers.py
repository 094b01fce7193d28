"""One timer of a loop for the deadlines of all its connections."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from typing import Protocol

from agentcp_fsm.support import clock
from agentcp_fsm.support.log import logger_of

logger = logger_of(__name__)

FINE = 0.001
"""Seconds.  Up to Python 3.12, Windows' clock is far coarser: 15.6 ms."""


class Timed(Protocol):
    """Something with a deadline."""

    armed_at: float
    """For the timers' use: when they wake it next; infinite at first."""

    def wake(self) -> float:
        """The time that it was armed for has come: do what is due, if anything is.

        Returns the next deadline, on the clock of `agentcp_fsm.support.clock`; infinite for none.
        """


class Timers:
    """One timer of the loop for all deadlines of its connections, to the millisecond, which is what loops count in.

    Deadlines that share a millisecond share an entry of the heap.  A deadline that moves later costs nothing: its owner
    is woken too early, returns the later deadline, and is armed again.
    """

    __slots__ = ("_due", "_handle", "_loop", "_millisecond", "_milliseconds", "_tick")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        tick = time.get_clock_info("monotonic").resolution
        self._tick = tick if tick > FINE else 0.0
        """Seconds between two values of a coarse clock, by which asyncio's loops run a timer too early."""
        self._due: dict[int, list[Timed]] = {}
        """What to wake, by the millisecond."""
        self._milliseconds: list[int] = []
        """The keys of `_due`, as a heap."""
        self._handle: asyncio.TimerHandle | None = None
        self._millisecond: float = math.inf
        """When the loop's timer is set to."""

    def arm(self, timed: Timed, deadline: float) -> None:
        """Wake `timed` at `deadline`, which is before the time that it was armed for."""
        timed.armed_at = deadline
        millisecond = int(deadline * 1000) + 1
        if (due := self._due.get(millisecond)) is not None:
            due.append(timed)
            return
        self._due[millisecond] = [timed]
        heapq.heappush(self._milliseconds, millisecond)
        if millisecond < self._millisecond:
            self._schedule(millisecond)

    def close(self) -> None:
        """Wake nothing more, and keep a reference to nothing."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None
        self._millisecond = math.inf
        self._due.clear()
        self._milliseconds.clear()

    def _schedule(self, millisecond: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._millisecond = millisecond
        # From one whole millisecond to another, as uvloop counts: from the time itself, it would wake too early.
        delay = max(millisecond - int(clock.now() * 1000), 0)
        self._handle = self._loop.call_later(min(delay / 1000 + self._tick, clock.LOOK), self._wake)

    def _wake(self) -> None:
        self._handle = None
        self._millisecond = -math.inf  # nothing is scheduled from inside
        milliseconds = self._milliseconds
        now = clock.now()
        try:
            while milliseconds and milliseconds[0] <= now * 1000:
                if due := self._due[milliseconds[0]]:
                    self._wake_one(due.pop(), now)
                else:
                    del self._due[heapq.heappop(milliseconds)]
        finally:  # SystemExit passes through: the others are woken the next time
            self._millisecond = math.inf
            if milliseconds:
                self._schedule(milliseconds[0])

    def _wake_one(self, timed: Timed, now: float) -> None:
        if timed.armed_at > now:
            return  # armed for an earlier time since, and that has come up
        timed.armed_at = -math.inf  # what happens to it meanwhile arms nothing
        deadline = now + 1.0  # a defect of one connection must not silence the others, nor itself for good
        try:
            deadline = timed.wake()
        except Exception:
            logger.exception("waking %r failed", timed)
        finally:
            if deadline < math.inf:
                self.arm(timed, deadline)
            else:
                timed.armed_at = deadline
