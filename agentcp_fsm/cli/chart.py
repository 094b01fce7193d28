"""``agentcp-fsm chart``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from agentcp_fsm.cli.output import Output, plain, state_text
from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Row
from agentcp_fsm.fsm.diagram.document import row_data
from agentcp_fsm.lifecycle.chart import CHART

COLUMNS = ("trigger", "source", "dest", "conditions", "unless", "before", "after", "ignored", "reason")
"""The parts of a row in JSON and in a pipe, in this order."""


def show_chart(states: Sequence[str], triggers: Sequence[str], with_ignored: bool, json_lines: bool) -> None:
    """Print the rows of the given states and triggers; an empty sequence means all."""
    wanted_states = _named("state", states, CHART.state_names)
    wanted_triggers = _named("trigger", triggers, CHART.triggers)
    output = Output(json_lines)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, least in (("on, in", 15), ("if", 18), ("to", 12), ("because, doing", 20)):
        table.add_column(heading, overflow="fold", min_width=least)
    rows: list[dict[str, Any]] = []
    trigger = ""
    for row in CHART.rows:
        sources = [str(name) for name in CHART.sources(row) if name in wanted_states]
        if not sources or row.trigger not in wanted_triggers or (row.ignored and not with_ignored):
            continue
        if row.trigger != trigger:
            table.add_section()
            table.add_row(plain((row.trigger, "bold")))
        table.add_row(
            Text("\n").join(state_text(name) for name in sources),
            Text("\n").join(plain(guard) for guard in row.guards),
            _dest_text(row),
            plain(row.reason, Text("\n"), (", ".join(row.before + row.after), "dim italic")),
            style="dim" if row.ignored else "",
        )
        trigger = row.trigger
        data = row_data(row) | {"source": sources}
        rows.append({name: data[name] for name in COLUMNS})
    output.table("row", table, rows)


def _dest_text(row: Row) -> Text:
    if row.ignored:
        return plain("ignored")
    if row.dest is None:
        return plain(("stays", "dim"))
    return state_text(row.dest) if row.dest in CHART.state_names else plain(("same, anew", "dim"))


def _named(kind: str, given: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """The known names that were given, in any case; all if none was."""
    by_folded = {name.casefold(): name for name in known}
    for name in given:
        if name.casefold() not in by_folded:
            raise ChartError(f"{name!r} is no {kind} of the chart; there are {', '.join(known)}")
    return tuple(by_folded[name.casefold()] for name in given) or known
