"""Which rows of a chart were taken, in which of their states::

    coverage = Coverage(DOOR)
    with coverage.watching():
        step = DOOR.compile(Door)  # and each event that it takes from now on

A stepper that was compiled before is not watched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart, Row
from agentcp_fsm.fsm.step import WATCHERS

FORMAT = "agentcp-fsm coverage"
VERSION = 1


@dataclass(slots=True)
class Coverage:
    """How often each row of a chart was taken in each of its states, by every stepper that was compiled meanwhile."""

    chart: Chart
    taken: Counter[tuple[int, str]] = field(default_factory=Counter)
    """By the row's number in the chart, from 0, and the state."""
    _numbers: dict[Row, int] = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = {row: number for number, row in enumerate(self.chart.rows)}

    def note(self, chart: Chart, state: str, row: Row) -> None:
        """Count an event of this chart; those of others are left out."""
        if chart is self.chart or chart == self.chart:
            number = self._numbers.get(row)
            if number is not None:  # else the row is one that the chart's default stands for
                self.taken[number, state] += 1

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count the events of all steppers that are compiled inside, now and later."""
        WATCHERS.append(self.note)
        try:
            yield
        finally:
            WATCHERS.remove(self.note)

    @property
    def pairs(self) -> list[tuple[int, str]]:
        """Each row, by its number, in each of its states."""
        rows = enumerate(self.chart.rows)
        return [(number, str(state)) for number, row in rows for state in self.chart.sources(row)]

    def rows_not_taken(self) -> list[Row]:
        """The rows that were taken in no state."""
        seen = {number for number, _ in self.taken}
        return [row for number, row in enumerate(self.chart.rows) if number not in seen]

    def summary(self) -> list[str]:
        """How much was taken, and each row that was not."""
        pairs = self.pairs
        cells = {(state, self.chart.rows[number].trigger) for number, state in pairs}
        taken_cells = {(state, self.chart.rows[number].trigger) for number, state in self.taken}
        missing = self.rows_not_taken()
        rows = len(self.chart.rows)
        of_pairs = _share(sum(pair in self.taken for pair in pairs), len(pairs))
        return [
            f"{self.chart.name}: {_share(rows - len(missing), rows)} rows; {of_pairs} rows in their states; "
            f"{_share(len(cells & taken_cells), len(cells))} events in their states",
            *(f"  never taken: {row}" for row in missing),
        ]

    def as_data(self) -> dict[str, Any]:
        """For JSON: ``{"format", "version", "chart", "rows", "taken": [[row, state, count]]}``."""
        taken = [[number, state, count] for (number, state), count in sorted(self.taken.items())]
        return {
            "format": FORMAT,
            "version": VERSION,
            "chart": self.chart.name,
            "rows": [str(row) for row in self.chart.rows],
            "taken": taken,
        }

    def add(self, content: object) -> None:
        """Add what `as_data` of this chart returned; raises ChartError for any other content."""
        if not isinstance(content, Mapping) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
            raise ChartError(f"no {FORMAT!r} of version {VERSION}: make one with pytest -p agentcp_fsm.pytest_plugin")
        if content.get("rows") != [str(row) for row in self.chart.rows]:
            raise ChartError(f"the coverage is not of the present chart {self.chart.name}: run the tests again")
        known, added = {*self.pairs}, Counter[tuple[int, str]]()
        try:
            for number, state, count in content["taken"]:
                added[number, state] += count
        except (KeyError, TypeError, ValueError) as error:
            raise ChartError(f"the coverage of {self.chart.name} is damaged: run the tests again") from error
        if not added.keys() <= known:
            raise ChartError(f"the coverage of {self.chart.name} has rows that it does not: run the tests again")
        self.taken += added


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}"
