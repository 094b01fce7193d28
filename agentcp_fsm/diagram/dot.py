"""A chart as a Graphviz graph, from which the pictures are made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import pairwise

from agentcp_fsm.diagram.colours import COLOURS, PAPERS, PLAIN
from agentcp_fsm.diagram.formats import OVERVIEW, Theme
from agentcp_fsm.diagram.picture import Box, Fork, Picture, picture
from agentcp_fsm.diagram.views import Scope, Step
from agentcp_fsm.engine import Chart

FONT = "Roboto"


def dot(chart: Chart, view: str = OVERVIEW, theme: Theme = Theme.LIGHT) -> str:
    """A view of a chart in Graphviz' language: the happy path from left to right, everything else below it.

    A label is a node on the way of its arrow, so that no label can cover another.  Nodes and edges carry what the SVG
    needs: ``id`` and ``class``, and as ``comment`` the ids of all steps (`edge_id`) that they are part of.

    Raises ChartError for a view that the chart does not have.
    """
    return "".join(f"{line}\n" for line in _Graph(picture(chart, view), theme).lines())


def valid_id(name: str) -> str:
    """A state's name as part of an id: letters, digits and ``_`` of ASCII; all else as ``.hexadecimal.``."""
    return re.sub(r"[^A-Za-z0-9_]", lambda match: f".{ord(match[0]):x}.", name)


def state_id(state: str) -> str:
    """The id of a state in the SVG."""
    return f"state-{valid_id(state)}"


def edge_id(source: str, dest: str) -> str:
    """The id in the SVG of the step from one state to another."""
    return f"edge-{valid_id(source)}-{valid_id(dest)}"


class _Graph:
    def __init__(self, shown: Picture, theme: Theme) -> None:
        self.picture = shown
        self.paper = PAPERS[theme]
        self.entrances = {frame.name: frame.entrance for frame in shown.frames}
        self.clusters = {frame.name: f"cluster_{index}" for index, frame in enumerate(shown.frames)}
        self.labels = 0
        self.row: list[str] = []
        """The nodes that stand side by side."""

    def lines(self) -> Iterator[str]:
        sideways = self.picture.view.scope in (Scope.STATE, Scope.PATH)
        spine = self.picture.spine
        yield f"digraph {_quoted(self.picture.chart.name)} {{"
        yield (
            f"  graph [rankdir={'LR' if sideways else 'TB'} newrank=true compound=true nodesep=0.3 ranksep=0.3 pad=0.2"
            f' bgcolor="{self.paper.page}" fontname="{FONT}" fontcolor="{self.paper.ink}" fontsize=10 labelloc=b'
        )
        yield f"    label=<{_legend(self.picture)}>]"
        yield f'  node [fontname="{FONT}" fontcolor="{self.paper.ink}" fontsize=11 shape=plain margin="0.06,0.03"]'
        yield f'  edge [color="{self.paper.line}" arrowsize=0.7]'
        frames = {frame.name: frame for frame in self.picture.frames}
        outer = self.picture.outer
        boxes = {box.state.name: box for box in self.picture.boxes}
        initial = str(self.picture.chart.initial)
        if initial in boxes:
            yield f'  initial [label="" shape=circle width=0.16 style=filled class=initial {self._ink()}]'
            yield self._line("initial", initial, [], weight=20)
        for name, box in boxes.items():
            if outer[name] == name:
                yield f"  {_state(box)}"
        for frame in frames.values():
            yield f"  subgraph {self.clusters[frame.name]} {{"
            yield f'    graph [label="" style=rounded color="{self.paper.line}" class=frame margin=14]'
            yield from (f"    {_state(boxes[name])}" for name in frame.states)
            yield from (
                f"  {line}" for fork in self.picture.forks if fork.inside == frame.name for line in self._fork(fork)
            )
            yield "  }"
        for fork in self.picture.forks:
            if fork.inside is None:
                yield from self._fork(fork)
        if not sideways and len(spine) > 1:
            row = ["initial", *self.row] if initial in boxes else self.row
            yield f"  {{ rank=same; {'; '.join(map(_quoted, row))} }}"
        yield "}"

    def _ink(self) -> str:
        return f'fillcolor="{self.paper.line}" color="{self.paper.line}"'

    def _fork(self, fork: Fork) -> Iterator[str]:
        """Lines from the sources to the label, from there to each destination, with a label where it says when."""
        everything = [
            step for source in fork.sources for dest in fork.ways for step in self.picture.steps(source, dest)
        ]
        single = len(everything) == 1
        on_spine = single and self._on_spine(*everything[0])
        label, line = self._label(fork.triggers, everything)
        yield line
        if on_spine:
            self.row += [name for name in (everything[0][0], label, everything[0][1]) if name not in self.row]
        if not fork.everywhere:
            for source in fork.sources:
                steps = [step for dest in fork.ways for step in self.picture.steps(source, dest)]
                yield self._line(source, label, steps, arrow=False, weight=20 if on_spine else 1)
        for dest, lines in fork.ways.items():
            steps = [step for source in fork.sources for step in self.picture.steps(source, dest)]
            start = label
            if lines:
                start, line = self._label(lines, steps)
                yield line
                yield self._line(label, start, steps, arrow=False)
            yield self._line(start, dest, steps, weight=20 if on_spine else 1)

    def _on_spine(self, source: str, dest: str) -> bool:
        return (source, dest) in pairwise(self.picture.spine)

    def _label(self, lines: Iterable[str], steps: Iterable[Step]) -> tuple[str, str]:
        name = f"label {self.labels}"
        self.labels += 1
        text = "\\n".join(_escaped(line) for line in lines)
        return name, f'  {_quoted(name)} [label="{text}" fontsize=10 class=label comment={_steps(steps)}]'

    def _line(self, start: str, end: str, steps: list[Step], *, arrow: bool = True, weight: int = 1) -> str:
        tail, head = self.entrances.get(start, start), self.entrances.get(end, end)
        options = f"class=line comment={_steps(steps)}"
        if start in self.clusters:
            options += f" ltail={self.clusters[start]}"
        if end in self.clusters:
            options += f" lhead={self.clusters[end]}"
        if not arrow:
            options += " arrowhead=none"
        if weight != 1:
            options += f" weight={weight}"
        return f"  {_quoted(tail)} -> {_quoted(head)} [{options}]"


def _state(box: Box) -> str:
    state = box.state
    colours = PLAIN if state.role is None else COLOURS[state.role]
    cells = [f'<font point-size="12"><b>{escape(state.name)}</b></font>']
    cells += [f'<font point-size="9">{escape(line)}</font>' for line in [state.role or "", *box.notes] if line]
    table = "".join(f"<tr><td>{cell}</td></tr>" for cell in cells)
    return (
        f"{_quoted(state.name)} [id={_quoted(state_id(state.name))} class={state.role or 'plain'} "
        f'label=<<table border="0" cellspacing="0" cellpadding="1">{table}</table>> '
        f'shape=box style="{colours.graphviz_style}" peripheries={2 if state.final else 1} penwidth={colours.width} '
        f'margin="0.14,0.05" fillcolor="{colours.fill}" color="{colours.stroke}" fontcolor="{colours.text}"]'
    )


def _legend(shown: Picture) -> str:
    """What the colours and signs mean that are used."""
    cells = [
        f'<td border="1" style="rounded" bgcolor="{COLOURS[role].fill}" color="{COLOURS[role].stroke}">'
        f'<font color="{COLOURS[role].text}">{role}</font></td>'
        for role in dict.fromkeys(box.state.role for box in shown.boxes)
        if role is not None
    ]
    cells.append("<td>[guard]: if it holds; [else]: if no other does</td>")
    return f'<table border="0" cellspacing="6" cellpadding="4"><tr>{"".join(cells)}</tr></table>'


def _steps(steps: Iterable[Step]) -> str:
    return _quoted(" ".join(dict.fromkeys(edge_id(*step) for step in steps)))


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
