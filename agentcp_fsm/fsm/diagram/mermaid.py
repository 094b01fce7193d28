"""A chart as a Mermaid flowchart, which Markdown pages show as a picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.colours import KINDS, LOOKS
from agentcp_fsm.fsm.diagram.diff import Kind
from agentcp_fsm.fsm.diagram.formats import OVERVIEW
from agentcp_fsm.fsm.diagram.labels import wrapped
from agentcp_fsm.fsm.diagram.picture import LINE_LENGTH, Box, Fork, Picture, picture
from agentcp_fsm.fsm.diagram.views import Scope


def mermaid(chart: Chart, view: str = OVERVIEW) -> str:
    """A view of a chart as a Mermaid flowchart; its colours are right on light and dark pages.

    The overview and the full view read from top to bottom, others from left to right.  In the overview there is one
    arrow from one state to another, labelled with the triggers and their guards.  States that are all left in the same
    ways, and entered from elsewhere at one of them only, share a frame; its dot points at the state that is entered.
    A step with the same label from most states is drawn once.  A step that leads back to its state is not drawn.
    What becomes of events that no row decides stands beside, if the chart says it.

    Raises ChartError for a view that the chart does not have.
    """
    return mermaid_of(picture(chart, view))


SPECIAL = re.compile(r"\$(?=\$)|\\(?=n)|:(?=fa-)")
"""Where a formula, a line's end or an icon would be seen even if it is written as numbers: nothing stands between."""
NOTHING = "<span></span>"
MARKDOWN = re.compile(r"(?<![^\W_])_|_(?![^\W_])|[`*~\\@]|\]\(|^\s*(?:\d+[.)]|[-+#>])(?:\s|$)|\bwww\.|://|^[-=_\s]+$")
"""What Mermaid 11 reads as Markdown in any label."""
MOST_LINKS = 500
MOST_CHARACTERS = 50_000
"""Mermaid's own limits, where nobody raised them."""
NO_BREAK = "\u00a0"
"""A space at which no line is broken."""
ARROWS = {None: "-->", Kind.ADDED: "==>", Kind.REMOVED: "-.->", Kind.CHANGED: "-->"}


def mermaid_of(shown: Picture) -> str:
    """A picture as a Mermaid flowchart; raises ChartError for one that Mermaid would refuse for its size."""
    flowchart = _Flowchart(shown)
    text = "".join(f"{line}\n" for line in flowchart.lines())
    if len(flowchart.links) > MOST_LINKS or len(text) > MOST_CHARACTERS:
        raise ChartError(
            f"{shown.chart.name}: this view has {len(flowchart.links):,} arrows and {len(text):,} characters, and "
            f"Mermaid draws at most {MOST_LINKS} and {MOST_CHARACTERS:,}: choose a smaller view, such as state:NAME, "
            "or another format, such as svg"
        )
    return text


class _Flowchart:
    def __init__(self, shown: Picture) -> None:
        self.picture = shown
        self.nodes = {name: _identifier(name, index) for index, name in enumerate(shown.chart.state_names)}
        """The name of each state's node."""
        self.ends = self.nodes | {frame.name: f"frame{index}" for index, frame in enumerate(shown.frames)}
        self.markers: list[str] = []
        self.labels: list[str] = []
        self.links: list[Kind | None] = []
        """The kind of change of each link, in the order of the text."""

    def lines(self) -> Iterator[str]:
        initial = self.picture.initial
        # One layout, whatever Mermaid's version has for its own; no breaking of lines that are short already.
        spacing = "'rankSpacing': 30, 'nodeSpacing': 30, 'wrappingWidth': 400"
        yield f"%%{{init: {{'layout': 'dagre', 'flowchart': {{{spacing}}}}}}}%%"
        yield f"flowchart {'TB' if self.picture.view.scope in (Scope.OVERVIEW, Scope.FULL) else 'LR'}"
        outer = self.picture.outer
        if initial is not None:
            yield self._marker(self.ends[outer[initial]])
        for box in self.picture.boxes:
            if outer[box.state.name] == box.state.name:
                yield self._state(box)
        for frame in self.picture.frames:
            yield f'  subgraph {self.ends[frame.name]}[" "]'
            yield "  direction TB"
            yield self._marker(self.nodes[frame.entrance])
            yield from (self._state(box) for box in self.picture.boxes if box.state.name in frame.states)
            yield from self._forks(frame.name)
            yield "  end"
        yield from self._forks(None)
        if otherwise := self.picture.chart.otherwise:
            self.labels.append("otherwise")
            yield f'  otherwise["{_lines(wrapped(otherwise.split(), LINE_LENGTH))}"]'
        yield from self._styles()

    def _styles(self) -> Iterator[str]:
        if self.markers:
            yield "  classDef marker fill:#8b949e,stroke:#8b949e"
            yield f"  class {','.join(self.markers)} marker"
        if self.labels:
            yield "  classDef events fill:none,stroke:#8b949e,stroke-dasharray:2"
            yield f"  class {','.join(self.labels)} events"
        for frame in self.picture.frames:
            yield f"  style {self.ends[frame.name]} fill:none,stroke:#8b949e"
        looks: dict[str, list[str]] = {}
        for box in self.picture.boxes:
            if box.look != "plain":
                looks.setdefault(box.look, []).append(self.nodes[box.state.name])
        for look, nodes in looks.items():
            yield f"  classDef {look} {LOOKS[look].mermaid}"
            yield f"  class {','.join(nodes)} {look}"
        for kind, colours in KINDS.items():
            if marked := [self.nodes[box.state.name] for box in self.picture.boxes if box.mark is kind]:
                yield f"  classDef {kind} {colours.mermaid_border}"
                yield f"  class {','.join(marked)} {kind}"
            if numbers := [str(number) for number, mark in enumerate(self.links) if mark is kind]:
                yield f"  linkStyle {','.join(numbers)} stroke:{colours.stroke},stroke-width:3px"

    def _marker(self, node: str) -> str:
        self.markers.append(f"initial{len(self.markers)}")
        return self._link(f"{self.markers[-1]}(( ))", node)

    def _link(self, start: str, end: str, lines: Sequence[str] = (), mark: Kind | None = None) -> str:
        self.links.append(mark)
        label = f'|"{_lines(lines)}"|' if lines else ""
        return f"  {start} {ARROWS[mark]}{label} {end}"

    def _state(self, box: Box) -> str:
        plain = [box.title, *box.notes]
        lines = [f"<b>{label_text(box.title)}</b>", *map(label_text, box.notes)]
        return f'  {self.nodes[box.state.name]}("{_whole("<br>".join(lines), plain)}")'

    def _forks(self, frame: str | None) -> Iterator[str]:
        for fork in self.picture.forks:
            if fork.inside == frame:
                yield from self._fork(fork)

    def _fork(self, fork: Fork) -> Iterator[str]:
        dest = self.ends[fork.dest]
        if fork.where:
            label = f"events{len(self.labels)}"
            self.labels.append(label)
            yield f'  {label}["{_lines((*fork.lines, *fork.where))}"]'
            yield self._link(label, dest, mark=fork.mark)
        else:
            yield from (self._link(self.ends[source], dest, fork.lines, fork.mark) for source in fork.sources)


def _lines(lines: Iterable[str]) -> str:
    lines = list(lines)
    return _whole("<br>".join(map(_line, lines)), lines)


def _whole(label: str, plain: Iterable[str]) -> str:
    """A label, in an element that no Markdown is looked for in if there might seem to be some."""
    return f"<div>{label}</div>" if any(map(MARKDOWN.search, plain)) else label


def _line(line: str) -> str:
    """A line of a label.  A longer one is a single name, which Mermaid would break at its spaces."""
    text = label_text(line)
    return text.replace(" ", f"#{ord(NO_BREAK)};") if len(line) > LINE_LENGTH else text


def _identifier(state: str, index: int) -> str:
    """A name that means nothing else to Mermaid."""
    return str(state) if re.fullmatch(r"[A-Z][A-Z0-9_]*", state) else f"state{index}"


def label_text(text: str) -> str:
    """Any text as it stands in a label."""
    parts = (
        "".join(map(_character, part)) for part in SPECIAL.sub("\\g<0>\0", text.replace("\0", "\ufffd")).split("\0")
    )
    return NOTHING.join(parts)


def _character(character: str) -> str:
    if character == "\n":
        return "<br> "  # with a space for programs that read the text alone
    return character if character.isalnum() or character in "_ ,.[]()-" else f"#{ord(character)};"
