"""``agentcp-fsm chart``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agentcp_fsm.cli.output import ROLE_STYLES, Output, plain
from agentcp_fsm.cli.target import named
from agentcp_fsm.fsm.chart import SAME, Chart, Row
from agentcp_fsm.fsm.diagram.document import row_data
from agentcp_fsm.fsm.loading import load_chart

COLUMNS = ("trigger", "source", "dest", "prepare", "conditions", "unless", "before", "after", "ignored", "reason")
"""The parts of a row in JSON and in a pipe, in this order."""
HEADINGS = {"on, in": 15, "if": 18, "to": 12, "because, doing": 20}
"""Of the table, with the least width of each column."""
TABLE_WIDTH = sum(HEADINGS.values()) + 2 * len(HEADINGS)
"""Columns of a terminal that the table needs; on a narrower one the rows stand in paragraphs."""


def show_chart(
    states: Sequence[str], triggers: Sequence[str], with_ignored: bool, target: str, json_lines: bool
) -> None:
    """Print the rows of the given states and triggers; an empty sequence means all."""
    chart = load_chart(target)
    wanted_states = named("state", states, [str(name) for name in chart.state_names])
    wanted_triggers = named("trigger", triggers, chart.triggers)
    shown: list[tuple[Row, list[str]]] = []
    for row in chart.rows:
        sources = [str(name) for name in chart.sources(row) if name in wanted_states]
        if sources and row.trigger in wanted_triggers and not (row.ignored and not with_ignored):
            shown.append((row, sources))
    output = Output(json_lines)
    parts = [row_data(row) | {"source": sources} for row, sources in shown]
    rows: list[dict[str, Any]] = [{name: its[name] for name in COLUMNS} for its in parts]
    wide = output.console.width >= TABLE_WIDTH
    output.table("row", _table(chart, shown) if wide else Group(*_paragraphs(chart, shown)), rows)


def _table(chart: Chart, shown: Sequence[tuple[Row, list[str]]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, least in HEADINGS.items():
        table.add_column(heading, overflow="fold", min_width=least)
    trigger = None
    for row, sources in shown:
        if row.trigger != trigger:
            table.add_section()
            table.add_row(plain((row.trigger, "bold")))
        table.add_row(
            Text("\n").join(_state(chart, name) for name in sources),
            Text("\n").join(plain(guard) for guard in row.guards),
            _dest(chart, row),
            plain(row.reason, Text("\n"), (_does(row), "dim italic")),
            style="dim" if row.ignored else "",
        )
        trigger = row.trigger
    return table


def _paragraphs(chart: Chart, shown: Sequence[tuple[Row, list[str]]]) -> Iterator[Text | Padding]:
    trigger = None
    for row, sources in shown:
        if row.trigger != trigger:
            yield plain((row.trigger, "bold"))
        trigger = row.trigger
        lines = [plain("in ", Text(", ").join(_state(chart, name) for name in sources))]
        lines += [plain("if ", ", ".join(row.guards))] if row.guards else []
        lines.append(plain("to ", _dest(chart, row)) if row.dest is not None else _dest(chart, row))
        lines += [plain(part) for part in (row.reason,) if part]
        lines += [plain((_does(row), "dim italic"))] if _does(row) else []
        for line in lines:
            line.overflow = "fold"
        yield Padding(Text("\n").join(lines), (0, 0, 1, 2), style="dim" if row.ignored else "")


def _does(row: Row) -> str:
    prepared = f"first {', '.join(row.prepare)}" if row.prepare else ""
    return "; ".join(filter(None, [prepared, ", ".join(row.before + row.after)]))


def _dest(chart: Chart, row: Row) -> Text:
    if row.ignored:
        return plain("ignored")
    if row.dest is None:
        return plain(("stays", "dim"))
    return plain(("same, anew", "dim")) if row.dest == SAME else _state(chart, str(row.dest))


def _state(chart: Chart, name: str) -> Text:
    role = next((state.role for state in chart.states if state.name == name), None)
    return plain((name, ROLE_STYLES[role] if role else ""))
