"""The part of a chart that a picture shows: ``overview``, ``full``, ``state:NAME`` or ``path:FROM..TO``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import SAME, Chart, Role, Row
from agentcp_fsm.fsm.diagram.formats import VIEWS

Step = tuple[str, str]
"""A state and the state that follows it; twice the same where a state is left and entered again."""


class Scope(StrEnum):
    """How much a view shows."""

    OVERVIEW = "overview"
    """Every change of state, with as few arrows as possible."""
    FULL = "full"
    """Every change of state, with an arrow for each step and a line for each row; also rows that change no state."""
    STATE = "state"
    """One state, with the steps to it and out of it."""
    PATH = "path"
    """All the shortest ways from one state to another; from a state to itself, the shortest ways round."""
    DIFFERENCE = "difference"
    """The difference between two charts: see `diff_picture`."""


@dataclass(frozen=True, slots=True)
class View:
    """The part of a chart that a picture shows."""

    scope: Scope
    states: tuple[str, ...]
    """Those that are shown, in the chart's order; on a path, in the order in which they are reached."""
    steps: tuple[Step, ...]
    """Those that are shown."""
    named: tuple[str, ...] = ()
    """The states that the view is about."""


def view_of(chart: Chart, text: str) -> View:
    """The view that `text` names; raises ChartError, which lists the views, for one that the chart does not have."""
    all_steps = tuple(steps(chart))
    scope, colon, rest = text.partition(":")
    if not colon and scope in (Scope.OVERVIEW, Scope.FULL):
        return View(Scope(scope), chart.state_names, all_steps)
    if scope == Scope.STATE and rest:
        state = _named(chart, rest)
        shown = tuple(step for step in all_steps if state in step)
        near = {state, *(name for step in shown for name in step)}
        return View(Scope.STATE, tuple(name for name in chart.state_names if name in near), shown, (state,))
    if scope == Scope.PATH and ".." in rest:
        source, dest = _ends(chart, rest)
        shown = _shortest(all_steps, source, dest)
        if not shown:
            raise ChartError(f"{chart.name}: no path leads from {source} to {dest}")
        return View(Scope.PATH, tuple(dict.fromkeys(name for step in shown for name in step)), shown, (source, dest))
    raise ChartError(f"there is no view {text!r}: choose {VIEWS}; the states are {', '.join(chart.state_names)}")


def check_states(chart: Chart) -> None:
    """Raise ChartError if the chart begins in a state, or a row names one, that it does not have."""
    if chart.initial not in chart.state_names:
        raise ChartError(f"{chart.name}: the initial state {str(chart.initial)!r} is unknown; {_remedy(chart)}")
    _check_rows(chart)


def _check_rows(chart: Chart) -> None:
    known = frozenset(chart.state_names)
    for row in chart.rows:
        for name in (*chart.sources(row), *(() if row.dest in (None, SAME) else (row.dest,))):
            if name not in known:
                raise ChartError(f"{chart.name}: row <{row}> names the unknown state {str(name)!r}; {_remedy(chart)}")


def _remedy(chart: Chart) -> str:
    return f"the chart has {', '.join(chart.state_names)}: check() the chart"


def steps(chart: Chart) -> Iterator[Step]:
    """Every step from a state to one that follows it, once; raises ChartError if a row names an unknown state."""
    _check_rows(chart)
    order = {name: index for index, name in enumerate(chart.state_names)}
    found = {step for row in chart.rows for step in row_steps(chart, row)}
    return iter(sorted(found, key=lambda step: [order[name] for name in step]))


def row_steps(chart: Chart, row: Row) -> Iterator[Step]:
    """The steps that one row leads through."""
    if row.dest is not None:
        for source in chart.sources(row):
            yield str(source), str(row.leads_to(source))


def happy_path(chart: Chart) -> tuple[str, ...]:
    """A shortest way from the chart's first state to its first healthy one; the first state alone if there is none."""
    for state in chart.states:
        if state.role == Role.HEALTHY and state.name != chart.initial:
            path = [str(chart.initial)]
            for source, dest in _shortest(tuple(steps(chart)), path[0], str(state.name)):
                if source == path[-1] and dest not in path:
                    path.append(dest)
            return tuple(path)
    return (str(chart.initial),)


def _shortest(all_steps: tuple[Step, ...], source: str, dest: str) -> tuple[Step, ...]:
    """The steps of all the shortest ways, in the order of the distance from the source."""
    distances = {dest: 0}  # to the destination
    frontier = [dest]
    while frontier:
        reached = {before for before, after in all_steps if after in frontier and before not in distances}
        distances |= dict.fromkeys(reached, distances[frontier[0]] + 1)
        frontier = list(reached)
    starts = [after for before, after in all_steps if before == source and after in distances]
    if not starts:
        return ()
    nearest = min(distances[start] for start in starts)
    found = [(source, start) for start in starts if distances[start] == nearest]
    for _, after in found:  # grows meanwhile
        found += [
            step
            for step in all_steps
            if step[0] == after and distances.get(step[1]) == distances[after] - 1 and step not in found
        ]
    return tuple(found)


def _named(chart: Chart, text: str) -> str:
    """The state of this name, in any case."""
    for state in chart.state_names:
        if state == text:
            return str(state)
    for state in chart.state_names:
        if state.casefold() == text.casefold():
            return str(state)
    raise ChartError(f"{text!r} is no state of the chart {chart.name}; there are {', '.join(chart.state_names)}")


def _ends(chart: Chart, text: str) -> Step:
    """The states around the two points; a name may have such points itself."""
    splits = [(text[:index], text[index + 2 :]) for index in range(len(text)) if text.startswith("..", index)]
    for source, dest in splits:
        if source in chart.state_names and dest in chart.state_names:
            return source, dest
    source, dest = splits[0]
    return _named(chart, source), _named(chart, dest)
