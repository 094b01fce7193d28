"""The overview of a chart as a Mermaid flowchart, made from the chart alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agentcp_fsm.diagram.colours import COLOURS
from agentcp_fsm.engine import SAME, Chart

MOST_TRIGGERS_ON_AN_ARROW = 3
"""More than these stand in a box of their own."""
LINE_LENGTH = 24
"""Characters in a line of a label; Mermaid breaks much longer ones by itself, less well."""
GUARDED_LENGTH = 28
"""Characters of a trigger and its guards; where they are more, the guards are left to the table."""


Ways = dict[str, frozenset[frozenset[str]]]
"""Where a trigger leads: destinations, each with the sets of guards that lead there."""


@dataclass(slots=True)
class _Branch:
    """From each of the sources, each of the triggers leads to some of the same destinations."""

    sources: tuple[str, ...]
    dests: frozenset[str]
    triggers: dict[str, Ways]


def mermaid(chart: Chart) -> str:
    """The overview of a chart as a Mermaid flowchart, from left to right.

    The arrows from one state to another are one, labelled with the triggers and, where that stays readable, the guards
    in brackets; many triggers stand in a box of their own.  States that are all left in the same ways, and entered from
    elsewhere at one of them only, share a frame.  What leads out of most states is drawn once.  What leads back to
    the state it left is not drawn.
    """
    return "".join(f"{line}\n" for line in _Overview(chart).lines())


class _Overview:
    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.roles = {state.name: state.role for state in chart.states if state.role is not None}
        self.frames = {f"frame{index}": frame for index, frame in enumerate(_frames(chart))}
        self.nodes = {state: _identifier(state, index) for index, state in enumerate(chart.state_names)}
        """The name of each state's node."""
        self.outer = self.nodes | {state: name for name, frame in self.frames.items() for state in frame}
        """The name of the node that stands for each state from afar: its own, or its frame."""
        self.markers: list[str] = []
        self.boxes: list[str] = []

    def lines(self) -> Iterator[str]:
        yield "%%{init: {'flowchart': {'rankSpacing': 20, 'nodeSpacing': 25}}}%%"
        yield "flowchart LR"
        yield self._marker(self.outer[self.chart.initial])
        for state in self.chart.state_names:
            if self.outer[state] == self.nodes[state]:
                yield self._state(state)
        for name, frame in self.frames.items():
            yield f'  subgraph {name}[" "]'
            yield "  direction TB"
            yield self._marker(self.nodes[_entrances(self.chart, frame)[0]])
            yield from (self._state(state) for state in frame)
            yield from self._arrows({state: self.nodes[state] for state in frame})
            yield "  end"
        yield from self._arrows(self.outer)
        yield "  classDef marker fill:#8b949e,stroke:#8b949e"
        yield f"  class {','.join(self.markers)} marker"
        if self.boxes:
            yield "  classDef events fill:none,stroke:#8b949e,stroke-dasharray:2"
            yield f"  class {','.join(self.boxes)} events"
        for name in self.frames:
            yield f"  style {name} fill:none,stroke:#8b949e"
        for role in dict.fromkeys(self.roles.values()):
            yield f"  classDef {role} {COLOURS[role].mermaid}"
            yield f"  class {','.join(self.nodes[state] for state in self.roles if self.roles[state] == role)} {role}"

    def _marker(self, node: str) -> str:
        self.markers.append(f"initial{len(self.markers)}")
        return f"  {self.markers[-1]}(( )) --> {node}"

    def _state(self, state: str) -> str:
        return f'  {self.nodes[state]}(["{_text(state)}"])'

    def _arrows(self, nodes: Mapping[str, str]) -> Iterator[str]:
        """What is drawn among some states, given with their nodes."""
        for branch in _branches(self.chart, nodes):
            triggers, labels = _labels(branch)
            if 1 < len(branch.sources) > len(set(nodes.values())) / 2:
                others = [state for state in self.chart.state_names if nodes.get(state) not in branch.sources]
                box, line = self._box(["every state except", *_wrapped(others)] if others else ["every state"])
                yield line
                for dest, label in labels.items():
                    yield f"  {box} {_arrow([*triggers, *label])} {dest}"
            elif len(branch.triggers) > MOST_TRIGGERS_ON_AN_ARROW:
                box, line = self._box(triggers)
                yield line
                # From box to source, which looks the same: the layout shall take it for a way back, not forward.
                yield from (f"  {box} --- {source}" for source in branch.sources)
                yield from (f"  {box} {_arrow(label)} {dest}" for dest, label in labels.items())
            else:
                for source in branch.sources:
                    for dest, label in labels.items():
                        yield f"  {source} {_arrow([*triggers, *label])} {dest}"

    def _box(self, lines: Iterable[str]) -> tuple[str, str]:
        """A box with text: its name and its line."""
        self.boxes.append(f"events{len(self.boxes)}")
        return self.boxes[-1], f'  {self.boxes[-1]}["{"<br>".join(map(_text, lines))}"]'


def _frames(chart: Chart) -> Iterator[tuple[str, ...]]:
    """Sets of states that the chart's own rows name together and that are left in the same ways, the largest first."""
    framed: set[str] = set()
    candidates = {row.source for row in chart.rows if 2 <= len(row.source) <= len(chart.states) / 2}
    for frame in sorted(candidates, key=lambda states: (-len(states), states)):
        inside = {None, SAME, *frame}
        exits = [
            {(row.trigger, row.dest) for row in chart.rows if state in chart.sources(row) and row.dest not in inside}
            for state in frame
        ]
        if not framed & set(frame) and exits.count(exits[0]) == len(exits) and len(_entrances(chart, frame)) == 1:
            framed |= set(frame)
            yield frame


def _entrances(chart: Chart, frame: tuple[str, ...]) -> list[str]:
    """The states of a frame that are entered from outside it, or first."""
    return [
        state
        for state in frame
        if state == chart.initial
        or any(row.dest == state and set(chart.sources(row)) - set(frame) for row in chart.rows)
    ]


def _branches(chart: Chart, nodes: Mapping[str, str]) -> list[_Branch]:
    """What the rows among some states, given with their nodes, come to; the chart's own sets of sources are kept."""
    ways: dict[tuple[str, tuple[str, ...]], Ways] = {}
    for row in chart.rows:
        dest = nodes.get(row.dest or "")
        sources = tuple(dict.fromkeys(nodes[state] for state in chart.sources(row) if nodes.get(state, dest) != dest))
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
    order = list(dict.fromkeys(nodes.values()))
    return sorted(branches, key=lambda branch: [order.index(source) for source in branch.sources])


def _labels(branch: _Branch) -> tuple[list[str], dict[str, list[str]]]:
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
    labels: dict[str, list[str]] = {}
    for dest in sorted(chosen_by):
        alternatives = sorted(f"[{', '.join(sorted(guards))}]" for guards in chosen_by[dest])
        if len(chosen_by) == 1:
            labels[dest] = []
        elif "[]" in alternatives:
            labels[dest] = ["[else]"]
        else:
            labels[dest] = [alternatives[0], *(f"or {alternative}" for alternative in alternatives[1:])]
    return _wrapped(words), labels


def _wrapped(words: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines:
            lines[-1] += ","
        trigger, _, guards = word.partition(" ")
        for part in (trigger, guards) if len(word) > LINE_LENGTH else (word,):
            if lines and len(lines[-1]) + len(part) < LINE_LENGTH:
                lines[-1] += f" {part}"
            else:
                lines.append(part)
    return lines


def _arrow(lines: Sequence[str]) -> str:
    return f'-->|"{"<br>".join(map(_text, lines))}"|' if lines else "-->"


def _identifier(state: str, index: int) -> str:
    """A name that Mermaid takes for nothing else."""
    return str(state) if re.fullmatch(r"[A-Z][A-Z0-9_]*", state) else f"state{index}"


def _text(text: str) -> str:
    return "".join(
        character if character.isalnum() or character in "_ ,.[]()-" else f"#{ord(character)};" for character in text
    )
