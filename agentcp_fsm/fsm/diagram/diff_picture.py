"""The difference of two charts as one picture: what was added, removed and changed, by colour, line and sign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

from agentcp_fsm.fsm.chart import Row
from agentcp_fsm.fsm.diagram.colours import PAPERS
from agentcp_fsm.fsm.diagram.diff import SIGNS, CellChange, Difference, Kind, StateChange
from agentcp_fsm.fsm.diagram.diff_text import part_names
from agentcp_fsm.fsm.diagram.dot import FONT
from agentcp_fsm.fsm.diagram.formats import Theme
from agentcp_fsm.fsm.diagram.graphviz import draw, draw_pdf, draw_png
from agentcp_fsm.fsm.diagram.mermaid import label_text
from agentcp_fsm.fsm.diagram.names import xml_text
from agentcp_fsm.fsm.diagram.svg import FONTS
from agentcp_fsm.fsm.diagram.views import steps


@dataclass(frozen=True, slots=True)
class Mark:
    """How a kind of change is drawn."""

    colour: Mapping[Theme, str]
    """Of AUTO: one that can be seen on any page."""
    line: str
    """Graphviz' style."""
    arrow: str
    """Mermaid's."""


MARKS = {
    Kind.ADDED: Mark({Theme.LIGHT: "#1a7f37", Theme.DARK: "#3fb950", Theme.AUTO: "#2da44e"}, "bold", "==>"),
    Kind.REMOVED: Mark({Theme.LIGHT: "#cf222e", Theme.DARK: "#f85149", Theme.AUTO: "#e5534b"}, "dashed", "-.->"),
    Kind.CHANGED: Mark({Theme.LIGHT: "#9a6700", Theme.DARK: "#d29922", Theme.AUTO: "#bf8700"}, "dotted", "-->"),
}
CONTEXT = "#8b949e"
"""What did not change, on any page."""


@dataclass(slots=True)
class _Picture:
    found: Difference
    states: dict[str, StateChange | None] = field(default_factory=dict)
    """The states of both charts."""
    notes: dict[str, list[str]] = field(default_factory=dict)
    """In each state, what became of rows that stay in it."""
    arrows: dict[tuple[str, str, Kind], list[str]] = field(default_factory=dict)
    """(source, destination, what became of it): the rows."""
    context: list[tuple[str, str]] = field(default_factory=list)
    """Steps of both charts of which no row changed."""

    def __post_init__(self) -> None:
        changed = {change.name: change for change in self.found.states}
        for name in map(str, (*self.found.new.state_names, *self.found.old.state_names)):
            self.states[name] = changed.get(name)
            self.notes.setdefault(name, [])
        for cell in self.found.cells:
            self._add(cell)
        drawn = {(source, dest) for source, dest, _ in self.arrows}
        old = set(steps(self.found.old))
        self.context = [step for step in steps(self.found.new) if step in old and step not in drawn]

    def _add(self, cell: CellChange) -> None:
        row = cell.new or cell.old
        assert row is not None
        line = _line(cell.kind, _words(row), part_names(cell))
        if row.dest is None:
            self.notes[cell.state].append(line)
        else:
            self.arrows.setdefault((cell.state, row.dest, cell.kind), []).append(line)
        if cell.old and cell.new and cell.old.dest not in (None, cell.new.dest):
            former = _line(Kind.REMOVED, _words(cell.old), [])
            self.arrows.setdefault((cell.state, str(cell.old.dest), Kind.REMOVED), []).append(former)


def dot(found: Difference, theme: Theme = Theme.LIGHT) -> str:
    """The difference in Graphviz' language."""
    return "".join(f"{line}\n" for line in _dot(_Picture(found), theme))


def svg(found: Difference, theme: Theme = Theme.AUTO) -> str:
    """The difference as an SVG; raises RendererError without the extra ``diagram``."""
    drawn = draw(dot(found, Theme.LIGHT if theme is Theme.AUTO else theme), "svg").decode()
    drawn = drawn.replace(f'font-family="{FONT}', f'font-family="{FONTS}')
    if theme is not Theme.AUTO:
        return drawn
    begin = drawn.index(">", drawn.index("<svg")) + 1
    return f"{drawn[:begin]}\n<style>@media (prefers-color-scheme: dark) {{ {_dark_style()} }}</style>{drawn[begin:]}"


def png(found: Difference, theme: Theme = Theme.LIGHT) -> bytes:
    """The difference as a PNG; raises as `svg` does."""
    return draw_png(dot(found, theme))


def pdf(found: Difference, theme: Theme = Theme.LIGHT) -> bytes:
    """The difference as a PDF of one page; raises as `svg` does."""
    return draw_pdf(dot(found, theme))


def mermaid(found: Difference) -> str:
    """The difference as a Mermaid flowchart, without what stayed as it was."""
    return "".join(f"{line}\n" for line in _mermaid(_Picture(found)))


def _dot(picture: _Picture, theme: Theme) -> Iterator[str]:
    paper = PAPERS[theme]
    nodes = {name: f"state{index}" for index, name in enumerate(picture.states)}
    ids = {kind: f'color="{mark.colour[theme]}" fontcolor="{mark.colour[theme]}"' for kind, mark in MARKS.items()}
    yield "digraph difference {"
    yield f'  graph [rankdir=LR bgcolor="{paper.page}" fontname="{FONT}" fontcolor="{paper.ink}" pad=0.2 nodesep=0.3'
    yield f"    ranksep=0.4 labelloc=b label=<{_key(theme)}>]"
    yield f'  node [fontname="{FONT}" fontcolor="{paper.ink}" shape=box style=rounded color="{CONTEXT}" fontsize=12]'
    yield f'  edge [fontname="{FONT}" color="{CONTEXT}" fontcolor="{paper.ink}" fontsize=10 arrowsize=0.7]'
    for name, change in picture.states.items():
        style = "" if change is None else f' style="rounded,{MARKS[change.kind].line}" penwidth=2 {ids[change.kind]}'
        lines = [f"<b>{_html(_titled(name, change))}</b>", *(_signed(line, theme) for line in picture.notes[name])]
        yield f"  {nodes[name]} [label=<{_stack(lines)}>{style}]"
    for source, dest in picture.context:
        yield f"  {nodes[source]} -> {nodes[dest]}"
    for (source, dest, kind), lines in picture.arrows.items():
        label = _stack(_html(line) for line in lines)
        yield f"  {nodes[source]} -> {nodes[dest]} [label=<{label}> style={MARKS[kind].line} penwidth=2 {ids[kind]}]"
    yield "}"


def _dark_style() -> str:
    """Each colour of a light page replaced by that of a dark one."""
    light, dark = PAPERS[Theme.LIGHT], PAPERS[Theme.DARK]
    colours = {mark.colour[Theme.LIGHT]: mark.colour[Theme.DARK] for mark in MARKS.values()}
    colours |= {light.page: dark.page, light.ink: dark.ink, "white": dark.page}
    return " ".join(
        f'[{part}="{before}"] {{ {part}: {after} }}' for before, after in colours.items() for part in ("fill", "stroke")
    )


def _titled(name: str, change: StateChange | None) -> str:
    return name if change is None else _line(change.kind, name, part_names(change))


def _words(row: Row) -> str:
    return f"{row.trigger} [{', '.join(row.guards)}]" if row.guards else row.trigger


def _line(kind: Kind, words: str, parts: list[str]) -> str:
    return f"{SIGNS[kind]} {words}{': ' if parts else ''}{', '.join(parts)}"


def _signed(line: str, theme: Theme) -> str:
    """A line in the colour of the sign that it begins with."""
    kind = next(kind for kind, sign in SIGNS.items() if line.startswith(sign))
    return f'<font point-size="10" color="{MARKS[kind].colour[theme]}">{_html(line)}</font>'


def _stack(lines: Iterable[str]) -> str:
    cells = "".join(f'<tr><td align="left">{line}</td></tr>' for line in lines)
    return f'<table border="0" cellspacing="0" cellpadding="1">{cells}</table>'


def _key(theme: Theme) -> str:
    words = {mark.colour[theme]: f"{SIGNS[kind]} {kind} ({mark.line})" for kind, mark in MARKS.items()}
    words[CONTEXT] = "as before"
    cells = (f'<td><font point-size="11" color="{colour}">{word}</font></td>' for colour, word in words.items())
    return f'<table border="0" cellspacing="8"><tr>{"".join(cells)}</tr></table>'


def _html(text: str) -> str:
    return escape(xml_text(text))


def _mermaid(picture: _Picture) -> Iterator[str]:
    touched = {name for source, dest, _ in picture.arrows for name in (source, dest)}
    touched |= {name for name, change in picture.states.items() if change or picture.notes[name]}
    nodes = {name: f"state{index}" for index, name in enumerate(picture.states) if name in touched}
    yield "flowchart LR"
    for name, node in nodes.items():
        yield f'  {node}("{_broken([_titled(name, picture.states[name]), *picture.notes[name]])}")'
    numbers: dict[Kind, list[str]] = {}
    for number, ((source, dest, kind), lines) in enumerate(picture.arrows.items()):
        yield f'  {nodes[source]} {MARKS[kind].arrow}|"{_broken(lines)}"| {nodes[dest]}'
        numbers.setdefault(kind, []).append(str(number))
    for kind, mark in MARKS.items():
        style = f"stroke:{mark.colour[Theme.AUTO]},stroke-width:3px"
        if kind in numbers:
            yield f"  linkStyle {','.join(numbers[kind])} {style}"
        marked = [nodes[name] for name, change in picture.states.items() if change and change.kind is kind]
        if marked:
            yield f"  classDef {kind} {style}{',stroke-dasharray:4' if kind is Kind.REMOVED else ''}"
            yield f"  class {','.join(marked)} {kind}"


def _broken(lines: Iterable[str]) -> str:
    """Lines of a label, with the guards of each on a line of their own: Mermaid's labels are narrow."""
    return "<br>".join(label_text(part) for line in lines for part in line.replace(" [", "\n[").split("\n"))
