"""How a view of a chart is drawn, in any language: states, frames around some of them, and forks.

A fork is an arrow from one or more states to another, with a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agentcp_fsm.fsm.chart import Chart, ChartState
from agentcp_fsm.fsm.diagram.diff import Kind
from agentcp_fsm.fsm.diagram.labels import Clause, by_guards, by_trigger, clauses_of_rows, commas, label, wrapped
from agentcp_fsm.fsm.diagram.views import Scope, Step, View, happy_path, view_of

LINE_LENGTH = 24
"""Characters in a line of a label; Mermaid breaks much longer ones by itself, less well."""
MOST_LINES = 3
"""Of a label that stands at the arrow of each source; a longer one stands once, with lines from all sources to it."""
NOTE_LENGTH = 38
"""Characters in a line of a state's notes."""


@dataclass(frozen=True, slots=True)
class Box:
    """A state as it is drawn."""

    state: ChartState
    title: str
    notes: tuple[str, ...]
    """Lines under its title."""
    look: str
    """Its colours, by their name in `colours.LOOKS`."""
    mark: Kind | None = None
    """The kind of change, in a difference."""


@dataclass(frozen=True, slots=True)
class Frame:
    """States that are all left in the same ways, and entered from elsewhere at one of them only."""

    name: str
    states: tuple[str, ...]
    entrance: str


@dataclass(frozen=True, slots=True)
class Fork:
    """From each of the sources to the destination; ends are states or frames, which are entered at their entrance."""

    sources: tuple[str, ...]
    lines: tuple[str, ...]
    """The label; none for a bare arrow."""
    dest: str
    where: tuple[str, ...] = ()
    """More lines of the label, if it says which the sources are; then nothing needs to be drawn from them."""
    inside: str | None = None
    """The frame that it is drawn in."""
    mark: Kind | None = None
    """The kind of change, in a difference."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A view of a chart, ready to be written down."""

    chart: Chart
    view: View
    boxes: tuple[Box, ...]
    frames: tuple[Frame, ...]
    forks: tuple[Fork, ...]
    spine: tuple[str, ...]
    """The states that are drawn in a row from left to right."""
    listed: bool = False
    """Whether each state's box lists the ways out of it, instead of labels at the arrows."""

    @property
    def outer(self) -> dict[str, str]:
        """For each state, the end of arrows from afar: its frame, or the state itself."""
        return _outer(self.view.states, self.frames)

    @property
    def initial(self) -> str | None:
        """The chart's first state, where it is to be marked: not at the end of a path, nor in a difference."""
        initial = str(self.chart.initial)
        if self.view.scope is Scope.DIFFERENCE:
            return None
        begins = self.view.states[0] == initial if self.view.scope == Scope.PATH else initial in self.view.states
        return initial if begins else None

    def steps(self, source: str, dest: str) -> Iterator[Step]:
        """The steps that a line between two ends stands for."""
        frames = {frame.name: frame for frame in self.frames}
        entrance = frames[dest].entrance if dest in frames else dest
        for state in frames[source].states if source in frames else (source,):
            yield state, entrance


def picture(chart: Chart, view: str) -> Picture:
    """Decide how a view is drawn; raises ChartError for a view that the chart does not have."""
    shown = view_of(chart, view)
    if shown.scope == Scope.OVERVIEW:
        return overview(chart, shown)
    states = {str(state.name): state for state in chart.states}
    boxes = tuple(_box(states[name], _notes(chart, states[name], shown)) for name in map(str, shown.states))
    leading = {source: clauses_of_rows(chart, source) for source, _ in shown.steps}
    group = by_guards if shown.scope == Scope.FULL else list
    forks = [Fork((source,), label(group(leading[source][dest]), LINE_LENGTH), dest) for source, dest in shown.steps]
    spine = shown.states if shown.scope == Scope.PATH else happy_path(chart) if shown.scope == Scope.FULL else ()
    return Picture(chart, shown, boxes, (), tuple(forks), spine)


def listed(shown: Picture) -> Picture:
    """The same picture, with the labels of a state's arrows as notes in its box, and without frames."""
    notes: dict[str, list[str]] = {str(box.state.name): [] for box in shown.boxes}
    forks: list[Fork] = []
    for fork in shown.forks:
        for end in fork.sources:
            for source, dest in shown.steps(end, fork.dest):
                if fork.lines:
                    notes[source] += (*wrapped(["to", dest, "on", fork.lines[0]], NOTE_LENGTH), *fork.lines[1:])
                forks.append(Fork((source,), (), dest, mark=fork.mark))
    boxes = tuple(replace(box, notes=(*box.notes, *notes[str(box.state.name)])) for box in shown.boxes)
    return replace(shown, boxes=boxes, frames=(), forks=tuple(forks), spine=(), listed=True)


def _box(state: ChartState, notes: Iterable[str] = ()) -> Box:
    return Box(state, state.name, (*([state.role] if state.role else []), *notes), state.role or "plain")


def _notes(chart: Chart, state: ChartState, view: View) -> Iterator[str]:
    """The notes in a state's box: all that is known if the view is about the state, else the events it stays on."""
    if view.scope == Scope.STATE and state.name in view.named:
        for line in state.meaning.splitlines():
            yield from wrapped(line.split(), NOTE_LENGTH)
        if state.owns:
            yield from wrapped(["owns", *state.owns.split()], NOTE_LENGTH)
    elif view.scope != Scope.FULL:
        return
    if staying := clauses_of_rows(chart, str(state.name)).get(None):
        yield from label(by_guards(staying), NOTE_LENGTH, "stays on")


# The overview --------------------------------------------------------------------------------------------------------


def overview(chart: Chart, shown: View) -> Picture:
    """Every change of state of a chart, with as few arrows as possible."""
    clauses = {state: _clauses(chart, state) for state in map(str, chart.state_names)}
    frames = tuple(_frames(chart, clauses))
    forks = list(_forks(chart, clauses, _outer(chart.state_names, frames), frames))
    for frame in frames:
        forks += _forks(chart, clauses, {state: state for state in frame.states}, (), frame.name)
    boxes = tuple(_box(state) for state in chart.states)
    return Picture(chart, shown, boxes, frames, tuple(forks), happy_path(chart))


Clauses = Mapping[str, Mapping[str, Sequence[Clause]]]
"""By source and destination: the clauses of the step between them."""


def _clauses(chart: Chart, source: str) -> dict[str, list[Clause]]:
    """The clauses of all steps from a state to another."""
    found = clauses_of_rows(chart, source)
    return {dest: by_trigger(clauses) for dest, clauses in found.items() if dest is not None and dest != source}


def _outer(states: Iterable[str], frames: Iterable[Frame]) -> dict[str, str]:
    return {str(state): str(state) for state in states} | {
        state: frame.name for frame in frames for state in frame.states
    }


def _frames(chart: Chart, clauses: Clauses) -> Iterator[Frame]:
    """Sets of states that the chart's own rows name together and that are left in the same ways, the largest first."""
    framed: set[str] = set()
    candidates = {tuple(dict.fromkeys(map(str, chart.sources(row)))) for row in chart.rows}
    for states in sorted(candidates, key=lambda states: (-len(states), states)):
        if not 2 <= len(states) <= len(chart.states) / 2 or framed & set(states):
            continue
        exits = [{dest: its for dest, its in clauses[state].items() if dest not in states and its} for state in states]
        entrances = _entrances(chart, clauses, states)
        if exits[0] and exits.count(exits[0]) == len(exits) and len(entrances) == 1:
            framed |= set(states)
            yield Frame(_unlike(f"frame of {states[0]}", chart.state_names), states, entrances[0])


def _unlike(name: str, others: Sequence[str]) -> str:
    while name in others:
        name += "'"
    return name


def _entrances(chart: Chart, clauses: Clauses, states: tuple[str, ...]) -> list[str]:
    """The states of a set that are entered from outside it, or first."""
    entered = {dest for source, its in clauses.items() if source not in states for dest in its}
    return [state for state in states if state == chart.initial or state in entered]


def _forks(
    chart: Chart, clauses: Clauses, ends: Mapping[str, str], frames: Iterable[Frame], inside: str | None = None
) -> Iterator[Fork]:
    """The forks among some states, at most one from each end to each other; `ends` maps states to ends of arrows.

    Ends with the same label on their ways to the same destination share a fork.
    """
    leaving = {end: state for state, end in ends.items()}  # of a frame any state, as all are left alike
    entered = {end: end for end in leaving} | {frame.name: frame.entrance for frame in frames}
    alike: dict[tuple[str, tuple[Clause, ...]], list[str]] = {}
    for source, state in leaving.items():
        for dest, entrance in entered.items():
            if dest != source and (its := clauses[state].get(entrance)):
                alike.setdefault((dest, tuple(its)), []).append(source)
    for (dest, its), sources in alike.items():
        lines = label(its, LINE_LENGTH)
        if inside is None and 1 < len(sources) > len(leaving) / 2:
            others = [state for state, end in ends.items() if end not in sources]
            where = ["in every state except", *wrapped(commas(others), LINE_LENGTH)] if others else ["in every state"]
            yield Fork(tuple(sources), lines, dest, tuple(where))
        elif len(lines) > MOST_LINES:
            yield Fork(tuple(sources), lines, dest, inside=inside)
        else:
            yield from (Fork((source,), lines, dest, inside=inside) for source in sources)
