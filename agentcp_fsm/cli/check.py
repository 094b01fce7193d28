"""``agentcp-fsm check``."""

from __future__ import annotations

import json
import sys

from agentcp_fsm.cli.output import Output, plain
from agentcp_fsm.fsm.audit import Finding, audit
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.document import row_data
from agentcp_fsm.fsm.loading import load_chart

FOUND = 1
"""The exit status if something was found."""


def show_findings(target: str, as_json: bool) -> int:
    """Print what is wrong with the chart; return the exit status."""
    chart = load_chart(target)
    findings = audit(chart)
    if as_json:
        content = _sizes(chart) | {"sound": not findings, "findings": [_data(finding) for finding in findings]}
        sys.stdout.write(json.dumps({"chart": chart.name, **content}, indent=2) + "\n")
        return FOUND if findings else 0
    console = Output().console
    for finding in findings:
        console.print(plain((f"{finding.fault}: ", "red"), finding.text), soft_wrap=not console.is_terminal)
    states, triggers, rows = _sizes(chart).values()
    result = ("sound", "green") if not findings else (f"{len(findings)} found", "red")
    console.print(plain(f"{chart.name}: {states} states, {triggers} events, {rows} rows: ", result), soft_wrap=True)
    return FOUND if findings else 0


def _sizes(chart: Chart) -> dict[str, int]:
    return {"states": len(chart.states), "triggers": len(chart.triggers), "rows": len(chart.rows)}


def _data(finding: Finding) -> dict[str, object]:
    return {
        "fault": str(finding.fault),
        "text": finding.text,
        "state": finding.state,
        "trigger": finding.trigger,
        "row": None if finding.row is None else row_data(finding.row),
    }
