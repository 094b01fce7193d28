"""A chart as a PlantUML state diagram."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentcp_fsm.fsm.chart import Chart, Row
from agentcp_fsm.fsm.diagram.colours import COLOURS, PAPERS
from agentcp_fsm.fsm.diagram.formats import OVERVIEW, Theme
from agentcp_fsm.fsm.diagram.names import identifiers
from agentcp_fsm.fsm.diagram.views import Scope, View, check_states, row_steps, view_of


def plantuml(chart: Chart, view: str = OVERVIEW) -> str:
    """A view of a chart in PlantUML's language.

    A state's colours, its border and a small line show its role.  In the overview an arrow names its triggers.  In
    other views it has a line for each row, with the guards in brackets.  The full view also lists in each state the
    rows that stay in it, except those that are ignored.

    Raises ChartError for a view that the chart does not have, and for a state that it names and does not have.
    """
    check_states(chart)
    return "".join(f"{line}\n" for line in _lines(chart, view_of(chart, view)))


def _lines(chart: Chart, view: View) -> Iterator[str]:
    names = {name: f"S_{identifier}" for name, identifier in identifiers(chart.state_names, "state").items()}
    states = [state for state in chart.states if state.name in view.states]
    yield "@startuml"
    yield f"title {_text(chart.name)}"
    yield "left to right direction"
    yield "hide empty description"
    yield "skinparam shadowing false"
    yield f"skinparam ArrowColor {PAPERS[Theme.LIGHT].line}"
    yield "skinparam state {"
    yield "  FontStyle bold"
    for role in dict.fromkeys(state.role for state in states):
        if role is not None:
            colours = COLOURS[role]
            yield f"  BackgroundColor<<{role}>> {colours.fill}"
            yield f"  BorderColor<<{role}>> {colours.stroke}"
            yield f"  FontColor<<{role}>> {colours.text}"
            yield f"  AttributeFontColor<<{role}>> {colours.text}"
    yield "}"
    for state in states:
        name = names[str(state.name)]
        title, style = _text(state.name), ""
        if state.role is not None:
            colours = COLOURS[state.role]
            title += f"\\n<size:10>{state.role}</size>"
            border = "" if colours.border == "solid" else f" ##[{colours.border}]{colours.stroke.removeprefix('#')}"
            style = f" <<{state.role}>>{border}"
        yield f'state "{title}" as {name}{style}'
        for row in _staying(chart, state.name) if view.scope is Scope.FULL else ():
            yield f"{name} : {_told(row)}"
    initial = str(chart.initial)
    if initial in view.states:
        yield f"[*] --> {names[initial]}"
    for source, dest in view.steps:
        rows = [row for row in chart.rows if (source, dest) in row_steps(chart, row)]
        triggers = dict.fromkeys(row.trigger for row in rows)
        told = map(_text, triggers) if view.scope is Scope.OVERVIEW else map(_told, rows)
        yield f"{names[source]} --> {names[dest]} : {_label(told)}"
    for state in states:
        if state.final:
            yield f"{names[str(state.name)]} --> [*]"
    yield "@enduml"


def _staying(chart: Chart, state: str) -> list[Row]:
    return [row for row in chart.rows if row.dest is None and not row.ignored and state in chart.sources(row)]


def _label(lines: Iterable[str]) -> str:
    return "\\n".join(lines)


def _told(row: Row) -> str:
    guards = ", ".join(map(_text, row.guards))
    return f"{_text(row.trigger)} [{guards}]" if guards else _text(row.trigger)


def _text(text: str) -> str:
    """Any text as part of a name or a label: a character with a meaning in PlantUML is written as its number."""
    plain = "".join(
        character
        if character.isalnum() or character in " _.,"
        else f"<U+{ord(character):04X}>"
        if character.isprintable()
        else "<U+FFFD>"
        for character in text
    )
    return plain.replace("__", "<U+005F><U+005F>")
