"""Virtual time: things happen in it in their order, and it costs nothing."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Clock:
    """Runs what is due, in the order of time; at the same time, in the order in which it was asked for."""

    __slots__ = ("_number", "_waiting", "now")

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        """In seconds."""
        self._waiting: list[tuple[float, int, Callable[..., object], tuple[object, ...]]] = []
        self._number = 0

    def at(self, time: float, action: Callable[..., object], *arguments: object) -> None:
        """Call `action` at `time`, or at once if that is past."""
        self._number += 1
        heapq.heappush(self._waiting, (time, self._number, action, arguments))

    def after(self, seconds: float, action: Callable[..., object], *arguments: object) -> None:
        """Call `action` so much later."""
        self.at(self.now + seconds, action, *arguments)

    def run_until(self, time: float, wanted: Callable[[], bool] | None = None) -> bool:
        """Let time pass until `time`, or until `wanted` holds; returns whether it does (True without one)."""
        waiting = self._waiting
        if wanted is not None and wanted():
            return True
        while waiting and waiting[0][0] <= time:
            due, _, action, arguments = heapq.heappop(waiting)
            if due > self.now:
                self.now = due
            action(*arguments)
            if wanted is not None and wanted():
                return True
        self.now = max(self.now, time)
        return wanted is None

    def run_for(self, seconds: float, wanted: Callable[[], bool] | None = None) -> bool:
        """Let so much time pass; as `run_until`."""
        return self.run_until(self.now + seconds, wanted)
