"""How many agents come online at once at one server: as many as its answers say.

As with TCP's congestion window: each agent that comes online allows for one more, and a refusal halves the number, once
for all that were under way.  A server that asks for a pause, or does not answer, gets one.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST = 8
"""How many come online at once at first."""
PAUSE_FIRST, PAUSE_MAX = 1.0, 30.0
"""Seconds without a further start after a failure, if the server asks for none; they double until one succeeds."""
ASKED_MAX = 600.0
"""The longest pause that a server can ask for, in seconds."""


class Pace:
    """The pace of one server.  `random` draws from 0 to 1, so that several programs do not go on in step."""

    def __init__(self, at_once_max: int, random: Callable[[], float]) -> None:
        self._max = at_once_max
        self._random = random
        self._window = float(min(FIRST, at_once_max))
        self._slow_start_below = float(at_once_max)
        self._begun = 0
        self._cut_at = 0
        """How many had begun when the window was cut: refusals of those are part of the same congestion."""
        self._failures = 0
        self.under_way = 0
        """Agents that were started, and of whose first attempt nothing is known yet."""
        self.held_until = 0.0
        """No start before this time."""

    def begin(self, now: float) -> int | None:
        """Begin one more start: returns its number, or None if none may begin now."""
        if self.under_way >= int(self._window) or now < self.held_until:
            return None
        self.under_way += 1
        self._begun += 1
        return self._begun

    def succeeded(self) -> None:
        """An agent came online at its first attempt."""
        self.under_way -= 1
        self._failures = 0
        step = 1.0 if self._window < self._slow_start_below else 1.0 / self._window
        self._window = min(self._window + step, float(self._max))

    def failed(self, number: int, now: float, retry_after: float | None) -> None:
        """A first attempt failed, and not by the agent's own fault; `number` is its own."""
        self.under_way -= 1
        if retry_after is not None:
            self.held_until = max(self.held_until, now + min(retry_after, ASKED_MAX))
        if number <= self._cut_at:
            return
        self._cut_at = self._begun
        self._window = self._slow_start_below = max(self._window / 2, 1.0)
        if retry_after is None:
            pause = min(PAUSE_FIRST * 2.0**self._failures, PAUSE_MAX)
            self.held_until = max(self.held_until, now + pause * (0.5 + self._random() / 2))
        self._failures = min(self._failures + 1, 16)

    def ended(self) -> None:
        """A start came to an end that says nothing of the server: its agent is gone, or was refused for good."""
        self.under_way -= 1
