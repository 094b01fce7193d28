"""A chart as a PlantUML state diagram."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.colours import COLOURS, PAPERS
from agentcp_fsm.fsm.diagram.formats import OVERVIEW, Theme
from agentcp_fsm.fsm.diagram.labels import Clause, by_trigger, clauses_of_rows, label
from agentcp_fsm.fsm.diagram.names import identifiers
from agentcp_fsm.fsm.diagram.picture import LINE_LENGTH
from agentcp_fsm.fsm.diagram.views import Scope, View, check_states, view_of


def plantuml(chart: Chart, view: str = OVERVIEW) -> str:
    """A view of a chart in PlantUML's language.

    A state's colours, its border and a small line show its role.  An arrow has a line for each row, with the guards in
    brackets; in the overview, triggers that lead on under the same guards share them.  The full view also lists in each
    state the rows that stay in it, except those that are ignored.

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
        staying = clauses_of_rows(chart, str(state.name)).get(None, []) if view.scope is Scope.FULL else []
        yield from (f"{name} : {_text(_told(clause))}" for clause in staying)
    initial = str(chart.initial)
    if initial in view.states:
        yield f"[*] --> {names[initial]}"
    leading = {source: clauses_of_rows(chart, source) for source, _ in view.steps}
    for source, dest in view.steps:
        clauses = leading[source][dest]
        lines = label(by_trigger(clauses), LINE_LENGTH) if view.scope is Scope.OVERVIEW else map(_told, clauses)
        yield f"{names[source]} --> {names[dest]} : {_label(map(_text, lines))}"
    for state in states:
        if state.final:
            yield f"{names[str(state.name)]} --> [*]"
    if chart.otherwise:
        yield from ("legend", chart.otherwise, "endlegend")
    yield "@enduml"


def _label(lines: Iterable[str]) -> str:
    return "\\n".join(lines)


def _told(clause: Clause) -> str:
    return " ".join(label([clause], LINE_LENGTH))


def _text(text: str) -> str:
    """Any text as part of a name or a label: a character with a meaning in PlantUML is written as its number."""
    plain = "".join(
        character
        if character.isalnum() or character in " _.,;[]"
        else f"<U+{ord(character):04X}>"
        if character.isprintable()
        else "<U+FFFD>"
        for character in text
    )
    for mark in ("__", "[[", "]]"):  # of an underlined text and of a link
        plain = plain.replace(mark, f"<U+{ord(mark[0]):04X}>" * 2)
    return plain
