"""The chart's rows as a reviewer reads them: one for each state they hold in."""

from __future__ import annotations

from dataclasses import dataclass

from agentcp_fsm.fsm.chart import SAME, Chart, Row


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a chart in one of its states, as a reviewer reads it."""

    state: str
    trigger: str
    guards: tuple[str, ...]
    """``name``, or ``not name``; all of them must hold."""
    dest: str | None
    """Where it leads; the state itself if it is left and entered again; None if it is not left."""
    before: tuple[str, ...]
    after: tuple[str, ...]
    reason: str
    ignored: bool


def table(chart: Chart) -> list[TableRow]:
    """The chart's rows, state by state and trigger by trigger, in the order in which they are tried."""
    return [
        TableRow(state, trigger, row.guards, _dest(row, state), row.before, row.after, row.reason, row.ignored)
        for state in map(str, chart.state_names)
        for trigger in chart.triggers
        for row in chart.cell(state, trigger)
    ]


def _dest(row: Row, state: str) -> str | None:
    return row.dest and str(state if row.dest == SAME else row.dest)
