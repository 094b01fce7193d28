"""What a session of benchmarks has measured, and the targets it is held against."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """What a measured number is to be: at least, or at most, a bound."""

    what: str
    measured: float
    bound: float
    unit: str
    at_least: bool = False

    def __str__(self) -> str:
        sign, reached = ("≥", self.measured >= self.bound) if self.at_least else ("≤", self.measured <= self.bound)
        verdict = "reached" if reached else "MISSED"
        return f"{self.what}: {self.measured:.4g}{self.unit} (target {sign} {self.bound:g}{self.unit}) {verdict}"


@dataclass(slots=True)
class Board:
    """What the session measured, by group and contender, and the targets it is held against."""

    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    """The least time of one event, operation or whatever the group counts."""
    targets: list[Target] = field(default_factory=list)

    def time(self, group: str, contender: str, benchmark: Any, count: int = 1) -> None:
        """Enter what `benchmark` has measured, where each of its rounds did the thing `count` times."""
        seconds = benchmark.stats.stats.min / count
        benchmark.extra_info["per_second"] = 1 / seconds
        self.seconds.setdefault(group, {})[contender] = seconds

    def ratio(self, group: str, contender: str, other: str, bound: float, *, at_least: bool = False) -> None:
        """Hold the time of `contender` in times of `other` against a bound, if both were measured."""
        seconds = self.seconds.get(group, {})
        if contender in seconds and other in seconds:
            ratio = seconds[contender] / seconds[other]
            self.targets.append(Target(f"{group}: {contender} against {other}", ratio, bound, "x the time", at_least))
