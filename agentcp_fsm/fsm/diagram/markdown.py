"""The chart for a reviewer, in Markdown as GitHub shows it: which state leads to which, when, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.labels import ELSE, shown_guards
from agentcp_fsm.fsm.diagram.table import table
from agentcp_fsm.fsm.diagram.views import check_states
from agentcp_fsm.fsm.printable import printable_lines

MOST_COLUMNS = 50
"""States of a chart for which there is a table of all pairs of states."""
_PLAIN_WORDS = re.compile(r"[A-Za-z0-9_.]+( [A-Za-z0-9_.]+)*", re.ASCII)
_SPECIAL = re.compile(
    r"[\\`*\[\]|~$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # between letters it is none
    r"|^[-+=#]|(?<=^\d)[.)]|(?<=^\d\d)[.)]"  # where a list or a heading could begin
    r"|:(?=[\w+-]+:)"  # where GitHub would see the name of a little picture
)


def markdown(chart: Chart) -> str:
    """The chart as tables: its states, from which to which it leads, each state's rows in order, and the glossaries.

    Every change of state stands there with its trigger, its guards and its reason.  Rows that stay in their state and
    events that are ignored are listed with the state.

    Raises ChartError if a row names a state that the chart does not have.
    """
    check_states(chart)
    return "\n".join(_lines(chart))


def text(content: str) -> str:
    """Any text as Markdown that shows it as it is, in a table too."""
    lines = [_SPECIAL.sub(r"\\\g<0>", _entities(line)) for line in printable_lines(content)]
    return "<br>".join(lines).strip()


def code(name: str) -> str:
    """A name as it stands in the code."""
    return f"`{name}`" if _PLAIN_WORDS.fullmatch(name) else f"<code>{text(name)}</code>"


def guards(names: Iterable[str]) -> str:
    """Guards in brackets; nothing if there are none."""
    listed = ", ".join(code(name) for name in names)
    return f"\\[{listed}\\]" if listed else ""


def rows_of(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield f"| {' | '.join(heading)} |"
    yield f"|{' --- |' * len(heading)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _entities(line: str) -> str:
    """The line with entities for what means something to HTML or GitHub."""
    return "".join(f"&#{ord(character)};" if character in "&<>@\"'" else character for character in line)


def _lines(chart: Chart) -> Iterator[str]:
    rows = table(chart)
    yield f"# {text(chart.name)}"
    yield ""
    otherwise = chart.otherwise and f" {chart.otherwise}"
    yield f"It begins in {_state(str(chart.initial))}. Guards stand in brackets: all of them must hold.{otherwise}"
    yield ""
    yield "## States"
    yield ""
    yield from rows_of(
        ("state", "role", "meaning", "owns"),
        ([_state(state.name), state.role or "", _meaning(state), text(state.owns)] for state in chart.states),
    )
    yield ""
    yield "## From state to state"
    yield ""
    if any(row.dest is not None for row in rows):
        same = "With"
        if len(chart.states) <= MOST_COLUMNS:
            yield from _matrix(chart, rows)
            yield ""
            same = "The same, with"
        yield f"{same} the guards and the reasons; \\[else\\]: if no other row of the event is taken."
        yield ""
        yield from rows_of(("from", "to", "on, if, because"), _steps(chart, rows))
    else:
        yield "No row leads from one state to another."
    yield ""
    yield "## State by state"
    yield ""
    yield "The rows of an event are tried from top to bottom; one without guards is taken if none before it was."
    of_state: dict[str, list[Row]] = {}
    for row in rows:
        of_state.setdefault(row.source[0], []).append(row)
    for state in chart.states:
        yield from _section(chart, state, of_state.get(state.name, []))
    yield from _glossary("Guards", chart.guards, [name for row in chart.rows for name in row.conditions + row.unless])
    actions = [name for row in chart.rows for name in row.prepare + row.before + row.after]
    of_states = [name for state in chart.states for name in state.on_enter + state.on_exit]
    yield from _glossary("Actions", chart.actions, actions + of_states)
    yield ""


def _matrix(chart: Chart, rows: Sequence[Row]) -> Iterator[str]:
    """At a glance, from side to top: the triggers that lead there."""
    triggers: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        if row.dest is not None:
            triggers.setdefault((row.source[0], row.dest), {})[row.trigger] = None
    names = list(map(str, chart.state_names))
    dests = [name for name in names if any(dest == name for _, dest in triggers)]
    body = []
    for source in names:
        cells = [triggers.get((source, dest), {}) for dest in dests]
        if any(cells):
            body.append([_state(source), *("<br>".join(map(code, cell)) for cell in cells)])
    yield from rows_of(["from, to", *map(_state, dests)], body)


def _steps(chart: Chart, rows: Sequence[Row]) -> Iterator[list[str]]:
    """From, to, and the rows that lead there: trigger, guards and reason of each."""
    cells: dict[tuple[str, str], list[Row]] = {}
    leading: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        (source,) = row.source
        cells.setdefault((source, row.trigger), []).append(row)
        leading.setdefault((source, row.dest), []).append(row)
    order = {name: place for place, name in enumerate(chart.state_names)}
    last = None
    for source, dest in sorted(leading, key=lambda step: (order[step[0]], order.get(step[1] or "", -1))):
        if dest is not None:
            told = [_step(row, shown_guards(row, cells[source, row.trigger])) for row in leading[source, dest]]
            yield ["" if source == last else _state(source), _state(dest), "<br>".join(told)]
            last = source


def _step(row: Row, shown: tuple[str, ...]) -> str:
    parts = [code(row.trigger), "\\[else\\]" if shown is ELSE else guards(shown), text(row.reason)]
    return " ".join(part for part in parts if part)


def _section(chart: Chart, state: ChartState, rows: Sequence[Row]) -> Iterator[str]:
    yield ""
    yield f"### {text(state.name)}"
    yield ""
    facts = [_meaning(state), f"Owns {text(state.owns)}." if state.owns else ""]
    for kind, names in (("On entry", state.on_enter), ("On exit", state.on_exit)):
        if names:
            facts.append(f"{kind}: {', '.join(map(code, names))}.")
    yield " ".join(fact for fact in facts if fact)
    ignored = {row.trigger for row in rows} - {row.trigger for row in rows if row.guards or not row.ignored}
    shown = [row for row in rows if row.trigger not in ignored]
    if shown:
        yield ""
        yield from rows_of(("on", "if", "to", "because", "does"), _told(chart, shown))
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.trigger in ignored:
            reasons.setdefault(row.reason, []).append(row.trigger)
    if reasons:
        yield ""
        yield "Ignored:"
        yield ""
        for reason, triggers in reasons.items():
            because = f": {text(reason)}" if reason else ""
            yield f"- {', '.join(map(code, triggers))}{because}"


def _told(chart: Chart, rows: Sequence[Row]) -> Iterator[list[str]]:
    last = None
    for row in rows:
        dest = "*ignored*" if row.ignored else "*stays*" if row.dest is None else _state(row.dest)
        doing = [", ".join(map(code, names)) for names in (row.prepare, (*row.before, *row.after))]
        if row.prepare:
            doing[0] += " (before the guards)"
        yield [
            code(row.trigger) if row.trigger != last else "",
            guards(row.guards),
            dest,
            text(row.reason),
            "; ".join(filter(None, doing)),
        ]
        last = row.trigger


def _glossary(title: str, meanings: Mapping[str, str] | None, used: Iterable[str]) -> Iterator[str]:
    names = dict.fromkeys([*(meanings or {}), *used])
    if names:
        yield ""
        yield f"## {title}"
        yield ""
        yield from rows_of(("name", "meaning"), ([code(name), text((meanings or {}).get(name, ""))] for name in names))


def _state(name: str) -> str:
    shown = text(name)
    return f"**{shown}**" if shown else ""


def _meaning(state: ChartState) -> str:
    return f"{text(state.meaning)}{' It is final.' if state.final else ''}".strip()
