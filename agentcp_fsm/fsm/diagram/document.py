"""A chart as plain data, ready for JSON, and back again: for files, comparisons and other programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from json import dumps
from typing import Any

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart, ChartState, Role, Row

FORMAT = "agentcp-fsm chart"
VERSION = 1


def document(chart: Chart) -> dict[str, Any]:
    """Everything that the chart says, as dictionaries, lists and strings; `chart_of` is its inverse.

    ``{"format", "version", "name", "initial", "states": [{"name", "meaning", "owns", "role", "final", "on_enter",
    "on_exit"}], "rows": [{"trigger", "source", "dest", "prepare", "conditions", "unless", "before", "after", "reason",
    "ignored"}], "guards": {name: meaning}, "actions": {name: meaning}, "undecided"}``.  A row's ``source`` spells out
    ``"*"``; its ``dest`` may be ``"="`` or null, as in `Row`; a glossary or a default that the chart does not have is
    null.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": chart.name,
        "initial": str(chart.initial),
        "states": [
            {
                "name": str(state.name),
                "meaning": state.meaning,
                "owns": state.owns,
                "role": state.role and str(state.role),
                "final": state.final,
                "on_enter": list(state.on_enter),
                "on_exit": list(state.on_exit),
            }
            for state in chart.states
        ],
        "rows": rows_data(chart, chart.rows),
        "guards": None if chart.guards is None else dict(chart.guards),
        "actions": None if chart.actions is None else dict(chart.actions),
        "undecided": chart.undecided,
    }


def rows_data(chart: Chart, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows of a chart, as `row_data`, each with the states in which it holds."""
    return [row_data(row) | {"source": [str(name) for name in chart.sources(row)]} for row in rows]


def row_data(row: Row) -> dict[str, Any]:
    """A row as lists, strings and booleans, by the names of its parts; ``Row(**row_data(row))`` equals the row."""
    return {name: _plain(part) for name, part in row.parts().items()}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [str(name) for name in value]
    return str(value) if isinstance(value, str) else value


def json(chart: Chart) -> str:
    """The chart's document as JSON."""
    return dumps(document(chart), indent=2, ensure_ascii=False) + "\n"


def chart_of(content: Mapping[str, Any]) -> Chart:
    """Make a chart of its document; raises ChartError for anything but a document of this version."""
    if not isinstance(content, Mapping) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise ChartError(f"no {FORMAT!r} of version {VERSION}: make one with agentcp-fsm diagram --format json")
    try:
        states = tuple(
            ChartState(
                state["name"],
                state["meaning"],
                state["owns"],
                tuple(state["on_enter"]),
                tuple(state["on_exit"]),
                state["final"],
                None if state["role"] is None else Role(state["role"]),
            )
            for state in content["states"]
        )
        rows = tuple(Row(**row) for row in content["rows"])
        return Chart(
            content["name"], content["initial"], states, rows, content["guards"], content["actions"],
            content.get("undecided"),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise ChartError(f"the {FORMAT!r} is damaged ({error!r}): export it again") from error
