"""``agentcp-fsm chart``."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table

from agentcp_fsm.chart import CHART
from agentcp_fsm.cli.output import Output, markup, state_text
from agentcp_fsm.errors import ChartError


def show_chart(states: list[str], triggers: list[str], with_ignored: bool, json_lines: bool) -> None:
    """Print the rows that hold in one of `states` and are of one of `triggers`; all, where a list is empty."""
    for given, known, kind in ((states, CHART.state_names, "state"), (triggers, CHART.triggers, "trigger")):
        for name in given:
            if name not in known:
                raise ChartError(f"{name!r} is no {kind} of the chart; there are {', '.join(known)}")
    output = Output(json_lines)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("trigger", "in", "if", "to", "does", "because"):
        table.add_column(heading, overflow="fold")
    rows: list[dict[str, Any]] = []
    trigger = ""
    for row in CHART.rows:
        sources = [name for name in CHART.sources(row) if not states or name in states]
        if not sources or (triggers and row.trigger not in triggers) or (row.ignored and not with_ignored):
            continue
        if row.trigger != trigger:
            table.add_section()
        style = "dim" if row.ignored else ""
        dest = "[dim]ignored[/dim]" if row.ignored else "[dim]stays[/dim]" if row.dest is None else ""
        table.add_row(
            row.trigger if row.trigger != trigger else "",
            markup(" ".join(state_text(name) for name in sources)),
            "\n".join(row.guards),
            markup(dest or (state_text(row.dest) if row.dest in CHART.state_names else "[dim]same, anew[/dim]")),
            "\n".join(row.before + row.after),
            row.reason,
            style=style,
        )
        trigger = row.trigger
        rows.append(
            {
                "trigger": row.trigger,
                "source": sources,
                "dest": row.dest,
                "conditions": list(row.conditions),
                "unless": list(row.unless),
                "before": list(row.before),
                "after": list(row.after),
                "reason": row.reason,
                "ignored": row.ignored,
            }
        )
    output.table("row", table, rows)
