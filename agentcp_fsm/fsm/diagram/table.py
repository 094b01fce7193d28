"""The chart's rows as they are decided: one for each state in which they hold."""

from __future__ import annotations

from dataclasses import replace

from agentcp_fsm.fsm.chart import Chart, Row


def cell(chart: Chart, state: str, trigger: str) -> tuple[Row, ...]:
    """The rows of one (state, trigger) pair, as if each were written for it alone: one source, and no ``"="``."""
    return tuple(in_state(row, state) for row in chart.cell(state, trigger))


def in_state(row: Row, state: str) -> Row:
    """A row as if it were written for one of its states alone: one source, and no ``"="``."""
    return replace(row, source=(state,), dest=row.leads_to(state))


def table(chart: Chart) -> list[Row]:
    """The rows of all pairs, state by state and trigger by trigger, in the order in which they are tried."""
    triggers = chart.triggers
    return [row for state in chart.state_names for trigger in triggers for row in cell(chart, state, trigger)]
