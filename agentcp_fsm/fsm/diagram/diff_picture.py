"""The difference of two charts as one picture; colour, line and sign show each kind of change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agentcp_fsm.fsm.chart import Chart, Row
from agentcp_fsm.fsm.diagram.diff import SIGNS, CellChange, Difference, Kind
from agentcp_fsm.fsm.diagram.diff_text import part_names
from agentcp_fsm.fsm.diagram.dot import dot_of
from agentcp_fsm.fsm.diagram.formats import Theme
from agentcp_fsm.fsm.diagram.graphviz import draw_pdf, draw_png
from agentcp_fsm.fsm.diagram.mermaid import mermaid_of
from agentcp_fsm.fsm.diagram.picture import Box, Fork, Picture, overview
from agentcp_fsm.fsm.diagram.svg import svg_of
from agentcp_fsm.fsm.diagram.table import in_state, table
from agentcp_fsm.fsm.diagram.views import Scope, View, happy_path, steps


def dot(found: Difference, theme: Theme = Theme.LIGHT) -> str:
    """The difference in Graphviz' language."""
    return dot_of(picture(found), theme)


def svg(found: Difference, theme: Theme = Theme.AUTO) -> str:
    """The difference as an SVG; raises RendererError without the extra ``diagram``."""
    return svg_of(picture(found), "difference", theme)


def png(found: Difference, theme: Theme = Theme.LIGHT) -> bytes:
    """The difference as a PNG; raises as `svg` does."""
    return draw_png(dot(found, theme))


def pdf(found: Difference, theme: Theme = Theme.LIGHT) -> bytes:
    """The difference as a PDF of one page; raises as `svg` does."""
    return draw_pdf(dot(found, theme))


def mermaid(found: Difference) -> str:
    """The difference as a Mermaid flowchart, without states and steps that did not change."""
    return mermaid_of(picture(found, whole=False))


def picture(found: Difference, whole: bool = True) -> Picture:
    """Decide how a difference is drawn: both charts at once if `whole`, else only the changes."""
    names = dict.fromkeys(map(str, (*found.new.state_names, *found.old.state_names)))
    notes: dict[str, list[str]] = {name: [] for name in names}  # of rows that stay in the state
    arrows: dict[tuple[str, str, Kind], list[str]] = {}
    for cell in found.cells:
        row = cell.new or cell.old
        assert row is not None
        _add(cell, cell.kind, row, part_names(cell), notes, arrows)
        if cell.old and cell.new and cell.old.dest not in (None, cell.new.dest):
            _add(cell, Kind.REMOVED, cell.old, [], notes, arrows)
    changes = {change.name: change for change in found.states}
    touched = {name for source, dest, _ in arrows for name in (source, dest)} | changes.keys()
    touched |= {name for name, lines in notes.items() if lines}
    boxes = []
    states = {str(state.name): state for state in (*found.old.states, *found.new.states)}
    for name in names if whole else [name for name in names if name in touched]:
        change = changes.get(name)
        title = _line(change.kind, name, part_names(change)) if change else name
        role = states[name].role
        shown = (*([str(role)] if role else []), *notes[name])
        boxes.append(Box(states[name], title, shown, str(role or "plain"), change.kind if change else None))
    forks = [Fork((source,), tuple(lines), dest, mark=kind) for (source, dest, kind), lines in arrows.items()]
    rows = (replace(row, source=chart.sources(row)) for chart in (found.new, found.old) for row in chart.rows)
    chart = Chart(
        found.new.name, found.new.initial, [states[name] for name in names], rows, undecided=found.new.undecided
    )
    view = View(Scope.DIFFERENCE, tuple(str(box.state.name) for box in boxes), tuple(steps(chart)))
    if not whole:
        return Picture(chart, view, tuple(boxes), (), tuple(forks), ())
    kept = overview(replace(chart, rows=tuple(_unchanged(found))), view)
    drawn = {(source, dest) for source, dest, _ in arrows}
    forks += (
        fork if fork.where else replace(fork, lines=())
        for fork in kept.forks
        if not drawn.issuperset(step for end in fork.sources for step in kept.steps(end, fork.dest))
    )
    return Picture(chart, view, tuple(boxes), kept.frames, tuple(forks), happy_path(found.new))


def _unchanged(found: Difference) -> Iterator[Row]:
    """The rows of the new chart in those of their states in which they did not change."""
    changed = {change.new for change in found.cells}
    kept = {row for row in table(found.new) if row not in changed}
    for row in found.new.rows:
        if states := tuple(str(state) for state in found.new.sources(row) if in_state(row, state) in kept):
            yield replace(row, source=states)


def _add(
    cell: CellChange, kind: Kind, row: Row, parts: list[str],
    notes: dict[str, list[str]], arrows: dict[tuple[str, str, Kind], list[str]],
) -> None:  # fmt: skip
    """Add the change of a row: to the notes of its state if the row stays there, else to its arrow."""
    words = f"{row.trigger} [{', '.join(row.guards)}]" if row.guards else row.trigger
    line = _line(kind, words, parts)
    if row.dest is None:
        notes[cell.state].append(line)
    else:
        arrows.setdefault((cell.state, str(row.dest), kind), []).append(line)


def _line(kind: Kind, words: str, parts: list[str]) -> str:
    return f"{SIGNS[kind]} {words}{': ' if parts else ''}{', '.join(parts)}"
