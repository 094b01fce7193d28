"""The difference of two charts in words, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from agentcp_fsm.fsm.chart import SAME, Row
from agentcp_fsm.fsm.diagram.diff import (
    SIGNS,
    CellChange,
    Difference,
    Kind,
    RowChange,
    StateChange,
    TextChange,
    dest_of,
)

Line = tuple[Kind | None, str]
"""A line, and the kind of change that it reports."""


def summary(found: Difference) -> str:
    """One line: how much differs, and whether that is behaviour or words only."""
    if not found:
        return "no differences"
    kinds = {
        "row": [change.cell.kind for change in found.rows()],
        "state": [change.kind for change in found.states],
        "guard": [change.kind for change in found.guards],
        "action": [change.kind for change in found.actions],
    }
    counts = [
        f"{number} {what}{'s' if number > 1 else ''} {kind}"
        for what, those in kinds.items()
        for kind in Kind
        if (number := those.count(kind))
    ]
    for what, change in (
        ("the initial state", found.initial),
        ("the default", found.undecided),
        ("the name", found.name),
    ):
        if change:
            counts.append(f"{what} changed")
    verdict = "behaviour changes" if found.behaviour else "only words change, not behaviour"
    return f"{', '.join(counts)}: {verdict}"


def _told(name: str, value: object) -> str:
    if name == "dest":
        return "stays" if value is None else "the same, anew" if value == SAME else str(value)
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value else "none"


def part_names(change: CellChange | StateChange) -> list[str]:
    """The parts that changed, in words."""
    return [name for name, _, _ in details(change)]


def details(change: CellChange | StateChange) -> list[tuple[str, str, str]]:
    """The changed parts: (the name in words, the old value, the new value)."""
    parts = change.parts
    found = [
        (name.replace("dest", "leads to").replace("_", " "), _told(name, old), _told(name, new))
        for name, (old, new) in parts.items()
        if name not in {"conditions", "unless"}
    ]
    if isinstance(change, CellChange) and change.old and change.new:
        if parts.keys() & {"conditions", "unless"}:
            found.insert(0, ("guards", _brackets(change.old), _brackets(change.new)))
        if change.old_position is not None and change.new_position is not None and change.moved:
            found.append(("order", f"tried {_ordinal(change.old_position)}", f"tried {_ordinal(change.new_position)}"))
    return found


def _brackets(row: Row) -> str:
    return f"[{', '.join(row.guards)}]"


def _ordinal(position: int) -> str:
    number = position + 1
    return f"{number}{'th' if number in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def lines(found: Difference) -> Iterator[Line]:
    """The whole difference as lines of text, the summary first."""
    yield None, summary(found)
    for what, change in heads(found):
        yield None, ""
        yield Kind.CHANGED, f"{SIGNS[Kind.CHANGED]} {what}: {change[0]} → {change[1]}"
    sections = {
        "states": [_state_lines(change) for change in found.states],
        "rows": [_row_lines(change) for change in found.rows()],
        "guards": [_text_lines(change) for change in found.guards],
        "actions": [_text_lines(change) for change in found.actions],
    }
    for title, changes in sections.items():
        if changes:
            yield None, ""
            yield None, title
            yield from chain(*changes)


def heads(found: Difference) -> Iterator[tuple[str, tuple[str, str]]]:
    """What changed of the chart as a whole: its name in words, what it was and what it is."""
    for what, change in (("name", found.name), ("initial state", found.initial), ("default", found.undecided)):
        if change:
            old, new = change
            yield what, (old or "none", new or "none")


def _state_lines(change: StateChange) -> Iterator[Line]:
    yield change.kind, f"  {SIGNS[change.kind]} {change.name}"
    if state := None if change.kind is Kind.CHANGED else change.new or change.old:
        for name in ("meaning", "owns", "role", "on_enter", "on_exit", "final"):
            if value := getattr(state, name):
                yield change.kind, f"      {name.replace('_', ' ')}: {_told(name, value)}"
    for name, old, new in details(change):
        yield change.kind, f"      {name}: {old} → {new}"


def _row_lines(change: RowChange) -> Iterator[Line]:
    row, kind = change.row, change.cell.kind
    because = f"  ({row.reason})" if row.reason else ""
    yield (
        kind,
        f"  {SIGNS[kind]} {row.trigger} in {', '.join(change.states)}{_guarded(row)} → {dest_text(change)}{because}",
    )
    if kind is not Kind.CHANGED:
        for name in ("prepare", "before", "after"):
            if value := getattr(row, name):
                yield kind, f"      {name}: {_told(name, value)}"
    for name, old, new in details(change.cell):
        yield kind, f"      {name}: {old} → {new}"


def _text_lines(change: TextChange) -> Iterator[Line]:
    parts = [part for part in (change.old, change.new) if part is not None]
    yield change.kind, f"  {SIGNS[change.kind]} {change.name}: {' → '.join(parts)}"


def _guarded(row: Row) -> str:
    return f" {_brackets(row)}" if row.guards else ""


def dest_text(change: RowChange) -> str:
    """Where a row leads, in words."""
    return "ignored" if change.row.ignored else _told("dest", dest_of(change.row))
