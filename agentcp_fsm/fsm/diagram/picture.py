"""How a view of a chart is drawn, in any language: states, frames around some of them, and forks.

A fork is an arrow from some states, labelled with triggers, that may branch on guards to several others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agentcp_fsm.fsm.chart import SAME, Chart, ChartState
from agentcp_fsm.fsm.diagram.diff import Kind
from agentcp_fsm.fsm.diagram.views import Scope, Step, View, happy_path, row_steps, view_of

LINE_LENGTH = 24
"""Characters in a line of a label of the overview; Mermaid breaks much longer ones by itself, less well."""
MOST_LINES = 3
"""Of a label that stands at the arrow of each source; a longer one stands once, with lines from all sources to it."""
GUARDED_LENGTH = 28
"""Characters of a trigger and its guards.  If they are longer, the overview leaves the guards to the table."""
NOTE_LENGTH = 38
"""Characters in a line of a state's notes."""

Ways = dict[str, frozenset[frozenset[str]]]
"""Where a trigger leads: destinations, each with the sets of guards that lead there."""


@dataclass(frozen=True, slots=True)
class Box:
    """A state as it is drawn."""

    state: ChartState
    title: str
    notes: tuple[str, ...]
    """Lines under its title."""
    look: str
    """Its colours, by their name in `colours.LOOKS`."""


@dataclass(frozen=True, slots=True)
class Frame:
    """States that are all left in the same ways, and entered from elsewhere at one of them only."""

    name: str
    states: tuple[str, ...]
    entrance: str


@dataclass(frozen=True, slots=True)
class Fork:
    """On any of the triggers, from each of the sources to one of the destinations; ends are states or frames."""

    sources: tuple[str, ...]
    triggers: tuple[str, ...]
    """The lines that name them; none for a bare arrow."""
    ways: Mapping[str, tuple[str, ...]]
    """Destinations, with the lines that say when each is taken: none if there is but one."""
    everywhere: bool = False
    """Whether the triggers' lines say which the sources are, so that nothing needs to be drawn from them."""
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
        frames = tuple(_frames(chart))
        forks = list(_forks(chart, _outer(chart.state_names, frames)))
        for frame in frames:
            forks += _forks(chart, {state: state for state in frame.states}, frame.name)
        boxes = tuple(_box(state) for state in chart.states)
        return Picture(chart, shown, boxes, frames, tuple(forks), happy_path(chart))
    boxes = tuple(
        _box(state, _notes(chart, state, shown))
        for name in shown.states
        for state in chart.states
        if state.name == name
    )
    rows = _grouped_rows if shown.scope == Scope.FULL else _each_row
    forks = [Fork((source,), tuple(rows(chart, source, dest)), {dest: ()}) for source, dest in shown.steps]
    spine = shown.states if shown.scope == Scope.PATH else happy_path(chart) if shown.scope == Scope.FULL else ()
    return Picture(chart, shown, boxes, (), tuple(forks), spine)


def _box(state: ChartState, notes: Iterable[str] = ()) -> Box:
    return Box(state, state.name, (*([state.role] if state.role else []), *notes), state.role or "plain")


# Every row -----------------------------------------------------------------------------------------------------------


def _rows(chart: Chart, source: str, dest: str) -> dict[str, list[str]]:
    """The rows that lead from one state to another: triggers by the guards, in brackets, that they share."""
    triggers: dict[str, list[str]] = {}
    for trigger in chart.triggers:
        rows = chart.cell(source, trigger)
        for row in rows:
            if (source, dest) in row_steps(chart, row):
                otherwise = any(other.dest != row.dest and not other.ignored for other in rows)
                guards = ", ".join(row.guards) or ("else" if otherwise else "")
                triggers.setdefault(guards and f"[{guards}]", []).append(trigger)
    return triggers


def _each_row(chart: Chart, source: str, dest: str) -> Iterator[str]:
    """A line for each row."""
    for guards, triggers in _rows(chart, source, dest).items():
        yield from dict.fromkeys(f"{trigger} {guards}".rstrip() for trigger in triggers)


def _grouped_rows(chart: Chart, source: str, dest: str) -> Iterator[str]:
    """The same in fewer lines."""
    for guards, triggers in _rows(chart, source, dest).items():
        names = list(dict.fromkeys(triggers))
        yield from wrapped(
            [*(f"{name}," for name in names[:-1]), names[-1], *([guards] if guards else [])], NOTE_LENGTH
        )


def _notes(chart: Chart, state: ChartState, view: View) -> Iterator[str]:
    """The notes in a state's box: all that is known if the view is about the state, else the events it stays on."""
    if view.scope == Scope.STATE and state.name in view.named:
        if state.meaning:
            yield from wrapped(state.meaning.split(), NOTE_LENGTH)
        if state.owns:
            yield from wrapped(["owns", *state.owns.split()], NOTE_LENGTH)
    elif view.scope != Scope.FULL:
        return
    if staying := list(
        dict.fromkeys(
            row.trigger
            for row in chart.rows
            if state.name in chart.sources(row) and row.dest is None and not row.ignored
        )
    ):
        words = [f"{trigger}," for trigger in staying[:-1]] + staying[-1:]
        yield from wrapped(["stays", "on", *words], NOTE_LENGTH)


def wrapped(words: Iterable[str], length: int) -> list[str]:
    """Words in lines of at most so many characters; a longer word has a line of its own."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) < length:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


# The overview --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Branch:
    """From each of the sources, each of the triggers leads to some of the same destinations."""

    sources: tuple[str, ...]
    dests: frozenset[str]
    triggers: dict[str, Ways]


def _outer(states: Iterable[str], frames: Iterable[Frame]) -> dict[str, str]:
    return {str(state): str(state) for state in states} | {
        state: frame.name for frame in frames for state in frame.states
    }


def _frames(chart: Chart) -> Iterator[Frame]:
    """Sets of states that the chart's own rows name together and that are left in the same ways, the largest first."""
    framed: set[str] = set()
    candidates = {row.source for row in chart.rows if 2 <= len(row.source) <= len(chart.states) / 2}
    for states in sorted(candidates, key=lambda states: (-len(states), states)):
        inside = {None, SAME, *states}
        exits = [
            {(row.trigger, row.dest) for row in chart.rows if state in chart.sources(row) and row.dest not in inside}
            for state in states
        ]
        entrances = _entrances(chart, states)
        if not framed & set(states) and exits.count(exits[0]) == len(exits) and len(entrances) == 1:
            framed |= set(states)
            yield Frame(_unlike(f"frame of {states[0]}", chart.state_names), tuple(map(str, states)), entrances[0])


def _unlike(name: str, others: Sequence[str]) -> str:
    while name in others:
        name += "'"
    return name


def _entrances(chart: Chart, states: tuple[str, ...]) -> list[str]:
    """The states of a set that are entered from outside it, or first."""
    return [
        str(state)
        for state in states
        if state == chart.initial
        or any(row.dest == state and set(chart.sources(row)) - set(states) for row in chart.rows)
    ]


def _branches(chart: Chart, ends: Mapping[str, str]) -> list[_Branch]:
    """Sum up the rows among some states, by the chart's own sets of sources; `ends` maps states to ends of arrows."""
    ways: dict[tuple[str, tuple[str, ...]], Ways] = {}
    for row in chart.rows:
        dest = ends.get(row.dest or "")
        sources = tuple(dict.fromkeys(ends[state] for state in chart.sources(row) if ends.get(state, dest) != dest))
        if dest is not None and sources:
            way = ways.setdefault((row.trigger, sources), {})
            way[dest] = way.get(dest, frozenset()) | {frozenset(row.guards)}
    alike: dict[tuple[str, frozenset[tuple[str, frozenset[frozenset[str]]]]], tuple[str, ...]] = {}
    for (trigger, sources), way in ways.items():
        key = trigger, frozenset(way.items())
        alike[key] = tuple(dict.fromkeys(alike.get(key, ()) + sources))
    branches: list[_Branch] = []
    for (trigger, way_items), sources in sorted(alike.items(), key=lambda item: -len(item[0][1])):
        dests = frozenset(dest for dest, _ in way_items)
        for branch in branches:
            if branch.sources == sources and dests <= branch.dests:
                break
        else:
            branch = _Branch(sources, dests, {})
            branches.append(branch)
        branch.triggers[trigger] = dict(way_items)
    order = list(dict.fromkeys(ends.values()))
    return sorted(branches, key=lambda branch: [order.index(source) for source in branch.sources])


def _forks(chart: Chart, ends: Mapping[str, str], frame: str | None = None) -> Iterator[Fork]:
    """The forks among some states; `ends` maps states to ends of arrows."""
    for branch in _branches(chart, ends):
        triggers, ways = _labels(branch)
        if 1 < len(branch.sources) > len(set(ends.values())) / 2:
            others = [str(state) for state in chart.state_names if ends.get(state) not in branch.sources]
            triggers += ["in every state except", *_listed(others)] if others else ["in every state"]
            yield Fork(branch.sources, tuple(triggers), ways, everywhere=True, inside=frame)
        elif len(triggers) > MOST_LINES:
            yield Fork(branch.sources, tuple(triggers), ways, inside=frame)
        else:
            for source in branch.sources:
                yield Fork((source,), tuple(triggers), ways, inside=frame)


def _labels(branch: _Branch) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """The lines that name a branch's triggers, and for each destination those that say when it is taken.

    A guard that a trigger has wherever it leads stands at the trigger, unless that would be too long.
    """
    words = []
    chosen_by: dict[str, set[frozenset[str]]] = {}
    for trigger, ways in branch.triggers.items():
        common = frozenset.intersection(*(guards for guard_sets in ways.values() for guards in guard_sets))
        word = f"{trigger} [{', '.join(sorted(common))}]"
        words.append(word if common and len(word) <= GUARDED_LENGTH else trigger)
        for dest, guard_sets in ways.items():
            chosen_by.setdefault(dest, set()).update(guards - common for guards in guard_sets)
    labels: dict[str, tuple[str, ...]] = {}
    for dest in sorted(chosen_by):
        alternatives = sorted(f"[{', '.join(sorted(guards))}]" for guards in chosen_by[dest])
        if len(chosen_by) == 1:
            labels[dest] = ()
        elif "[]" in alternatives:
            labels[dest] = ("[else]",)
        else:
            labels[dest] = (alternatives[0], *(f"or {alternative}" for alternative in alternatives[1:]))
    return _listed(words), labels


def _listed(words: Sequence[str]) -> list[str]:
    """Words with commas between them, in lines; a trigger that would be too long is parted from its guards."""
    parts: list[str] = []
    for word in words:
        if parts:
            parts[-1] += ","
        trigger, _, guards = word.partition(" ")
        parts += [trigger, guards] if len(word) > LINE_LENGTH else [word]
    return wrapped(parts, LINE_LENGTH)
