"""A chart as a Graphviz graph, from which the pictures are made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import pairwise

from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.colours import LOOKS, PAPERS
from agentcp_fsm.fsm.diagram.diff import SIGNS, Kind
from agentcp_fsm.fsm.diagram.formats import OVERVIEW, Theme
from agentcp_fsm.fsm.diagram.picture import Box, Fork, Picture, picture
from agentcp_fsm.fsm.diagram.views import Scope, Step
from agentcp_fsm.fsm.printable import printable

FONT = "Roboto"
UNCHANGED = "as before"
"""The legend's words for a state that did not change, in a difference."""
MANY_FORKS = 100
"""In a graph with more, Graphviz' search for the shortest lines is cut short: it would take minutes."""
SPINE_WEIGHT = 20
"""How much straighter and shorter the lines of the spine are than others."""


def dot(chart: Chart, view: str = OVERVIEW, theme: Theme = Theme.LIGHT) -> str:
    """A view of a chart in Graphviz' language: the happy path from left to right, everything else below it.

    A label is a node in the middle of its arrow, so that no label can cover another.  Nodes and edges carry what the
    SVG needs: ``id`` and ``class``, and as ``comment`` the ids of all steps (`edge_id`) that they are part of.

    Raises ChartError for a view that the chart does not have.
    """
    return dot_of(picture(chart, view), theme)


def dot_of(shown: Picture, theme: Theme) -> str:
    """A picture in Graphviz' language."""
    return "".join(f"{line}\n" for line in _Graph(shown, theme).lines())


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
        self.boxes = {box.state.name: box for box in shown.boxes}
        self.entrances = {frame.name: frame.entrance for frame in shown.frames}
        self.clusters = {frame.name: f"cluster_{index}" for index, frame in enumerate(shown.frames)}
        self.labels = 0
        self.row: list[str] = []
        """The nodes that stand side by side."""

    def lines(self) -> Iterator[str]:
        paper = self.paper
        sideways = self.picture.view.scope in (Scope.STATE, Scope.PATH, Scope.DIFFERENCE)
        yield f'digraph "{_text(self.picture.chart.name)}" {{'
        yield f"  graph [rankdir={'LR' if sideways else 'TB'} newrank=true compound=true"
        yield "    nodesep=0.3 ranksep=0.35 pad=0.2"
        if len(self.picture.forks) > MANY_FORKS:
            yield "    nslimit=2 nslimit1=2"
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
        for name, end in self.picture.outer.items():
            if name == end:
                yield f"  {_state(self.boxes[name])}"
        for frame in self.picture.frames:
            yield f"  subgraph {self.clusters[frame.name]} {{"
            yield f'    graph [class=frame label="" style=rounded color="{paper.line}" margin=14]'
            yield from (f"    {_state(self.boxes[name])}" for name in frame.states)
            yield from (f"  {line}" for line in self._forks(frame.name))
            yield "  }"
        yield from self._forks(None)
        if not sideways and len(self.picture.spine) > 1:
            yield f"  {{ rank=same; {'; '.join(map(_quoted, dict.fromkeys(self.row)))} }}"
        yield "}"

    def _forks(self, frame: str | None) -> Iterator[str]:
        for fork in self.picture.forks:
            if fork.inside == frame:
                yield from self._fork(fork)

    def _fork(self, fork: Fork) -> Iterator[str]:
        """Lines from the sources to the label, and an arrow from there to the destination."""
        steps = {source: list(self.picture.steps(source, fork.dest)) for source in fork.sources}
        if not fork.lines:
            for source, its in steps.items():
                yield self._line(source, fork.dest, its)
            return
        everything = [step for its in steps.values() for step in its]
        label, line = self._label(fork.lines, everything, fork.mark)
        yield line
        weight = 1
        if len(everything) == 1 and everything[0] in pairwise(self.picture.spine):
            weight = SPINE_WEIGHT
            self.row += [state_id(everything[0][0]), label, state_id(everything[0][1])]
        if not fork.everywhere:
            for source, its in steps.items():
                yield self._line(source, label, its, fork.mark, arrow=False, weight=weight)
        yield self._line(label, fork.dest, everything, fork.mark, weight=weight)

    def _label(self, lines: Iterable[str], steps: Iterable[Step], mark: Kind | None) -> tuple[str, str]:
        """A node's name and its line."""
        name = f"label-{self.labels}"
        self.labels += 1
        text = "\\n".join(_text(part) for line in lines for part in line.splitlines())
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
        if weight != 1:
            options += f" weight={weight}"
        return f"  {self._node(start)} -> {self._node(end)} [{options}]"

    def _node(self, name: str) -> str:
        name = self.entrances.get(name, name)
        return _quoted(state_id(name) if name in self.boxes else name)


def _state(box: Box) -> str:
    state = box.state
    colours = LOOKS[box.look]
    cells = [f'<font point-size="12"><b>{_broken(box.title)}</b></font>']
    cells += [f'<font point-size="9">{_broken(line)}</font>' for line in box.notes]
    table = "".join(f"<tr><td>{cell}</td></tr>" for cell in cells)
    name = _quoted(state_id(state.name))
    return (
        f"{name} [id={name} class={box.look} "
        f'label=<<table border="0" cellspacing="0" cellpadding="1">{table}</table>> '
        f'shape=box style="{colours.graphviz_style}" peripheries={2 if state.final else 1} penwidth={colours.width} '
        f'margin="0.14,0.05" fillcolor="{colours.fill}" color="{colours.stroke}" fontcolor="{colours.text}"]'
    )


def _legend(shown: Picture) -> str:
    """The meaning of the colours and signs that the picture uses."""
    words = {str(kind): f"{sign} {kind} ({LOOKS[kind].border})" for kind, sign in SIGNS.items()}
    if shown.view.scope is Scope.DIFFERENCE:
        words["plain"] = UNCHANGED
    cells = [
        # Not dashed as the states' borders are: Graphviz 14 crashes on that, writing JSON.
        f'<td border="{round(colours.width)}" style="rounded" bgcolor="{colours.fill}" color="{colours.stroke}">'
        f'<font color="{colours.text}">{words.get(look, look)}</font></td>'
        for look in dict.fromkeys([box.look for box in shown.boxes] + [fork.mark for fork in shown.forks if fork.mark])
        if (look in words or look != "plain") and (colours := LOOKS[look])
    ]
    lines = [line for fork in shown.forks for line in fork.lines]
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


def _broken(text: str) -> str:
    """A text in a table, where Graphviz knows no escapes."""
    return "<br/>".join(escape(printable(line)) for line in text.splitlines())


def _steps(steps: Iterable[Step]) -> str:
    return _quoted(" ".join(dict.fromkeys(edge_id(*step) for step in steps)))


def _quoted(name: str) -> str:
    return f'"{name}"'


def _text(text: str) -> str:
    """A text inside quotes, where Graphviz knows escapes and entities."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
