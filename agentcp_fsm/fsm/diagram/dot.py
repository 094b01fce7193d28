"""A chart as a Graphviz graph, from which the pictures are made."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import pairwise

from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.colours import LOOKS, PAPERS, Paper
from agentcp_fsm.fsm.diagram.diff import SIGNS, Kind
from agentcp_fsm.fsm.diagram.formats import OVERVIEW, Theme
from agentcp_fsm.fsm.diagram.picture import Box, Fork, Picture, listed, picture
from agentcp_fsm.fsm.diagram.views import Scope, Step
from agentcp_fsm.fsm.printable import printable, printable_lines

FONT = "Roboto"
MANY_FORKS = 100
"""A picture with more is a grid of states that list their ways out: to place so many labels would take minutes."""
GRID_SHAPE = 1.5
"""Of a grid: its width in relation to its height."""
MARK_WIDTH = 3.0
"""Of the border of a state that changed, in points."""
SPINE_WEIGHT = 20
"""How much straighter and shorter the lines of the spine are than others."""


def dot(chart: Chart, view: str = OVERVIEW, theme: Theme = Theme.LIGHT) -> str:
    """A view of a chart in Graphviz' language: the happy path from left to right, everything else below it.

    A label is a node in the middle of its arrow, so that no label can cover another.  A view with more than
    `MANY_FORKS` arrows is a grid, in which each state lists the ways out of it.  Nodes and edges carry what the SVG
    needs: ``id`` and ``class``, and as ``comment`` the ids of all steps (`edge_id`) that they are part of.

    Raises ChartError for a view that the chart does not have.
    """
    return dot_of(picture(chart, view), theme)


def dot_of(shown: Picture, theme: Theme, backslash: str = "\\") -> str:
    """A picture in Graphviz' language; `backslash` stands for each backslash of a label."""
    if len(shown.forks) > MANY_FORKS:
        shown = listed(shown)
    return "".join(f"{line}\n" for line in _Graph(shown, theme, backslash).lines())


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
    def __init__(self, shown: Picture, theme: Theme, backslash: str) -> None:
        self.picture = shown
        self.backslash = backslash
        self.paper = PAPERS[theme]
        self.boxes = {box.state.name: box for box in shown.boxes}
        self.entrances = {frame.name: frame.entrance for frame in shown.frames}
        self.clusters = {frame.name: f"cluster_{index}" for index, frame in enumerate(shown.frames)}
        self.labels = 0
        self.row: list[str] = []
        """The nodes that stand side by side."""

    def lines(self) -> Iterator[str]:
        paper = self.paper
        sideways = self.picture.view.scope in (Scope.STATE, Scope.PATH)
        yield f'digraph "{_text(self.picture.chart.name)}" {{'
        if self.picture.listed:
            yield f'  graph [layout=osage pack=24 packmode="array_u{self._columns()}" splines=line'
            yield "    outputorder=edgesfirst pad=0.2"
        else:
            yield f"  graph [rankdir={'LR' if sideways else 'TB'} newrank=true compound=true"
            yield "    nodesep=0.3 ranksep=0.35 pad=0.2"
        yield f'    bgcolor="{paper.page}" fontname="{FONT}" fontcolor="{paper.ink}" fontsize=10 labelloc=b'
        yield f"    label=<{_legend(self.picture)}>]"
        yield f'  node [shape=plaintext width=0 height=0 margin="0.05,0.02" fontname="{FONT}" fontcolor="{paper.ink}"]'
        yield f'  edge [color="{paper.line}" arrowsize=0.7]'
        if self.picture.initial is not None:
            yield (
                f'  initial [class=initial label="" shape=circle width=0.16 style=filled fillcolor="{paper.line}" '
                f'color="{paper.line}"]'
            )
            yield self._line("initial", self.picture.initial, [], weight=SPINE_WEIGHT)
            self.row.append("initial")
        for place, (name, end) in enumerate(self.picture.outer.items(), 1):
            if name == end:
                yield f"  {self._state(name, place if self.picture.listed else None)}"
        for frame in self.picture.frames:
            yield f"  subgraph {self.clusters[frame.name]} {{"
            yield f'    graph [class=frame label="" style=rounded color="{paper.line}" margin=14]'
            yield from (f"    {self._state(name)}" for name in frame.states)
            yield from (f"  {line}" for line in self._forks(frame.name))
            yield "  }"
        yield from self._forks(None)
        if not sideways and len(self.picture.spine) > 1:
            yield f"  {{ rank=same; {'; '.join(map(_quoted, dict.fromkeys(self.row)))} }}"
        yield "}"

    def _columns(self) -> int:
        """How many states stand side by side in a grid, so that it is somewhat wider than high."""
        lines = [(box.title, *box.notes) for box in self.picture.boxes]
        width = 5 * sum(max(map(len, its)) for its in lines) / len(lines) + 44  # in points, roughly
        height = 13 * sum(map(len, lines)) / len(lines) + 32
        return max(1, round(math.sqrt(GRID_SHAPE * len(lines) * height / width)))

    def _forks(self, frame: str | None) -> Iterator[str]:
        for fork in self.picture.forks:
            if fork.inside == frame:
                yield from self._fork(fork)

    def _fork(self, fork: Fork) -> Iterator[str]:
        """Lines from the sources to the label, and an arrow from there to the destination."""
        steps = {source: list(self.picture.steps(source, fork.dest)) for source in fork.sources}
        everything = [step for its in steps.values() for step in its]
        straight = len(everything) == 1 and everything[0] in pairwise(self.picture.spine)
        weight = SPINE_WEIGHT if straight else 1
        if not fork.lines:
            self.row += [state_id(name) for name in everything[0]] if straight else []
            for source, its in steps.items():
                yield self._line(source, fork.dest, its, fork.mark, weight=weight)
            return
        label, line = self._label((*fork.lines, *fork.where), everything, fork.mark)
        yield line
        self.row += [state_id(everything[0][0]), label, state_id(everything[0][1])] if straight else []
        if not fork.where:
            for source, its in steps.items():
                yield self._line(source, label, its, fork.mark, arrow=False, weight=weight)
        yield self._line(label, fork.dest, everything, fork.mark, weight=weight)

    def _label(self, lines: Iterable[str], steps: Iterable[Step], mark: Kind | None) -> tuple[str, str]:
        """A node's name and its line."""
        name = f"label-{self.labels}"
        self.labels += 1
        # An empty first line would crash Graphviz 14 in a graph whose own label is a table.
        parts = (part.replace("\\", self.backslash) for line in lines for part in printable_lines(line))
        text = "\\n".join(_text(part) or " " for part in parts)
        look = "class=label" if mark is None else f'class="label {mark}" fontcolor="{self.paper.marks[mark]}"'
        return name, f'  {_quoted(name)} [{look} label="{text}" fontsize=10 comment={_steps(steps)}]'

    def _line(
        self, start: str, end: str, steps: Iterable[Step], mark: Kind | None = None, *,
        arrow: bool = True, weight: int = 1,
    ) -> str:  # fmt: skip
        """From a node, state or frame to another."""
        options = "class=line"
        if mark is not None:
            options = f'class="line {mark}" color="{self.paper.marks[mark]}" style={LOOKS[mark].border} penwidth=2'
        if steps:
            options += f" comment={_steps(steps)}"
        if start in self.clusters:
            options += f" ltail={self.clusters[start]}"
        # A line into a frame leads to the state that is entered; one out of it begins at its border.
        if not arrow:
            options += " arrowhead=none"
        if start in self.boxes or start in self.entrances:
            options += " dir=both arrowtail=dot"  # so that a line that begins here is not taken for one that ends here
        if weight != 1:
            options += f" weight={weight}"
        return f"  {self._node(start)} -> {self._node(end)} [{options}]"

    def _state(self, name: str, place: int | None = None) -> str:
        return _state(self.boxes[name], self.paper, place, self.backslash)

    def _node(self, name: str) -> str:
        name = self.entrances.get(name, name)
        return _quoted(state_id(name) if name in self.boxes else name)


def _state(box: Box, paper: Paper, place: int | None, backslash: str) -> str:
    """A state's line; `place` is where it stands in a grid."""
    state = box.state
    colours = LOOKS[box.look]
    border, stroke, width, look = colours.graphviz_style, colours.stroke, colours.width, box.look
    if box.mark is not None:
        border, stroke, width = LOOKS[box.mark].graphviz_style, paper.marks[box.mark], MARK_WIDTH
        look = f'"{box.look} {box.mark}"'
    cells = [f'<font point-size="12"><b>{_broken(box.title, backslash)}</b></font>']
    cells += [f'<font point-size="9">{_broken(line, backslash)}</font>' for line in box.notes]
    table = "".join(f"<tr><td>{cell}</td></tr>" for cell in cells)
    name = _quoted(state_id(state.name))
    return (
        f"{name} [id={name} class={look} "
        f'label=<<table border="0" cellspacing="0" cellpadding="1">{table}</table>> '
        f'shape=box style="{border}" peripheries={2 if state.final else 1} penwidth={width} '
        f'margin="0.14,0.05" fillcolor="{colours.fill}" color="{stroke}" fontcolor="{colours.text}"'
        f"{'' if place is None else f' sortv={place}'}]"
    )


def _legend(shown: Picture) -> str:
    """The meaning of the colours and signs that the picture uses."""
    marks = [mark for mark in (*(box.mark for box in shown.boxes), *(fork.mark for fork in shown.forks)) if mark]
    words = {box.look: box.look for box in shown.boxes if box.look != "plain"}
    words |= {str(kind): f"{SIGNS[kind]} {kind} ({LOOKS[kind].border})" for kind in marks}
    cells = [
        # Not dashed as the states' borders are: Graphviz 14 crashes on that, writing JSON.
        f'<td border="{round(colours.width)}" style="rounded" bgcolor="{colours.fill}" color="{colours.stroke}">'
        f'<font color="{colours.text}">{word}</font></td>'
        for look, word in words.items()
        if (colours := LOOKS[look])
    ]
    lines = [line for fork in shown.forks for line in fork.lines]
    lines += [line for box in shown.boxes for line in box.notes if shown.listed]
    if any("[" in line for line in lines):
        otherwise = "; [else]: if no other does" if any("[else]" in line for line in lines) else ""
        cells.append(f"<td>[guard]: if it holds{otherwise}</td>")
    if any(box.state.final for box in shown.boxes):
        cells.append("<td>two borders: final</td>")
    if shown.chart.otherwise:
        cells.append(f"<td>{shown.chart.otherwise}</td>")
    if not cells:
        return ""
    space = '<tr><td height="16"></td></tr>'
    return f'<table border="0" cellspacing="6" cellpadding="4">{space}<tr>{"".join(cells)}</tr></table>'


def _broken(text: str, backslash: str) -> str:
    """A text in a table, where Graphviz knows no escapes."""
    return "<br/>".join(escape(line.replace("\\", backslash)) for line in printable_lines(text))


def _steps(steps: Iterable[Step]) -> str:
    return _quoted(" ".join(dict.fromkeys(edge_id(*step) for step in steps)))


def _quoted(name: str) -> str:
    return f'"{name}"'


def _text(text: str) -> str:
    """A text inside quotes, where Graphviz knows escapes and entities."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
