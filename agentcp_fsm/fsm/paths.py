"""The shortest walks through a chart: one to each state that can be reached, and one to each row that can be taken::

    for path in paths(CHART):
        walk = Walk(CHART)
        for event in path.events:
            walk.send(event.trigger, **event.answers)
        assert walk.state == path.end

A search, breadth first, chooses the answers of the guards.  Each event's guards may answer as they like, but within an
event the same each time, unless a callback of ``prepare`` runs between.  So a walk may be impossible for a model whose
guards depend on each other; but what has no walk here is impossible for every model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agentcp_fsm.fsm.chart import Chart, Row

Answers = Mapping[str, bool | list[bool]]
"""Of guards, by name, as `Walk.send` takes them: a list if a guard changes its answer during an event."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a walk."""

    trigger: str
    answers: Answers


@dataclass(frozen=True, slots=True)
class Path:
    """A shortest walk from the chart's first state, to a state or to a row in one of its states."""

    events: tuple[Event, ...]
    end: str
    """The state in which the walk ends."""
    row: Row | None = None
    """The row that the last event takes; None for a walk to a state."""
    source: str | None = None
    """The state in which it takes that row."""


def paths(chart: Chart, *, every_source: bool = False) -> tuple[Path, ...]:
    """A shortest walk to each state, in the chart's order, and to each row, in theirs.

    With `every_source` there is a walk to each row in each of its states, not only in the nearest.  A state that is not
    reached, or a row that is never taken, has none: `audit` names those.
    """
    ways = ways_to_states(chart)
    found = [Path(ways[name], name) for name in map(str, chart.state_names) if name in ways]
    for row in chart.rows:
        of_row = []
        for source in map(str, chart.sources(row)):
            if source in ways and (answers := answers_for(chart, source, row)) is not None:
                dest = row.leads_to(source)
                event = Event(str(row.trigger), answers)
                of_row.append(Path((*ways[source], event), source if dest is None else str(dest), row, source))
        found += of_row if every_source else sorted(of_row, key=lambda path: len(path.events))[:1]
    return tuple(found)


def ways_to_states(chart: Chart, start: str | None = None) -> dict[str, tuple[Event, ...]]:
    """A shortest way to each state that can be reached from `start`, which is the chart's first state if not given."""
    start = str(chart.initial) if start is None else start
    ways: dict[str, tuple[Event, ...]] = {start: ()}
    waiting = deque([start])
    leaving = _leaving(chart)
    while waiting:
        source = waiting.popleft()
        for row in leaving.get(source, ()):
            dest = str(row.leads_to(source))
            if dest not in ways and (answers := answers_for(chart, source, row)) is not None:
                ways[dest] = (*ways[source], Event(str(row.trigger), answers))
                waiting.append(dest)
    return ways


def _leaving(chart: Chart) -> dict[str, list[Row]]:
    """The rows that may lead from each state to another."""
    found: dict[str, list[Row]] = {}
    for row in chart.rows:
        if row.dest is not None:
            for source in chart.sources(row):
                found.setdefault(str(source), []).append(row)
    return found


def answers_for(chart: Chart, source: str, row: Row) -> Answers | None:
    """Answers with which the row is taken in this state of its own; None if there are none."""
    cell = chart.cell(source, row.trigger)
    asked = _asked(cell[: cell.index(row) + 1], 0, {}, set()) if row in cell else None
    if asked is None:
        return None
    answers: dict[str, list[bool]] = {}
    for name, answer in asked:
        answers.setdefault(name, []).append(answer)
    return {name: its if len(set(its)) > 1 else its[0] for name, its in answers.items()}


Asked = tuple[tuple[str, bool], ...]
"""Guards with their answers, in the order in which they are asked."""


def _asked(rows: Sequence[Row], at: int, known: Mapping[str, bool], failed: set[object]) -> Asked | None:
    """How the guards from the row `at` answer, if the last row is taken; `known` are answers that they keep to."""
    row = rows[at]
    known = {} if row.prepare else known
    situation = (at, frozenset(known.items()))
    if situation in failed:
        return None
    wanted = [(name, True) for name in row.conditions] + [(name, False) for name in row.unless]
    for asked in [tuple(wanted)] if at == len(rows) - 1 else _refusals(wanted):
        now = _with(known, asked)
        if now is not None:
            rest = () if at == len(rows) - 1 else _asked(rows, at + 1, now, failed)
            if rest is not None:
                return asked + rest
    failed.add(situation)
    return None


def _refusals(wanted: Sequence[tuple[str, bool]]) -> Iterator[Asked]:
    """Each way in which a row is refused: its guards agree, up to the one that does not."""
    for index, (name, answer) in enumerate(wanted):
        yield (*wanted[:index], (name, not answer))


def _with(known: Mapping[str, bool], asked: Asked) -> dict[str, bool] | None:
    """The known answers and these; None if they contradict each other."""
    now = dict(known)
    for name, answer in asked:
        if now.setdefault(name, answer) != answer:
            return None
    return now
