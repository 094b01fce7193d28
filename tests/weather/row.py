"""A row of the weather: what the weather is, how it is measured, and what must be reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of a row is measured."""

    seeds: int
    """Virtual days, or whole scenes, each with another seed."""
    day: float
    """Seconds of such a day."""
    phases: int
    """Outages, each at another moment between two heartbeats."""
    long_phases: int
    """The same, of outages that last an hour."""
    agents: int
    """Those of the fleet."""
    watched: bool
    """Whether the monitor watches the fleet, too; everything else is always watched."""


FULL = Size(seeds=4, day=86400.0, phases=300, long_phases=60, agents=10_000, watched=False)
SMALL = Size(seeds=2, day=7200.0, phases=40, long_phases=12, agents=400, watched=True)

Figures = Mapping[str, float]
"""What was measured, by name: seconds, counts, shares in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of a row."""

    figures: Figures
    text: str
    """The figures, in words for the table."""
    note: str = ""
    """What stands below the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of weather."""

    name: str
    """By which the command and the tests know it."""
    weather: str
    target: str
    measure: Callable[[Size], Measured]
    reached: Callable[[Figures], bool]
    """Whether the figures reach the target."""
    meaning: str
    """What the row is about, and how it is measured, for the page."""
