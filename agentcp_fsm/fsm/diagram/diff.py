"""The difference between two charts, for the review of a change.

Charts are compared by their behaviour, one (state, trigger) cell at a time.  Rows that are only written in another way
(one row for two states, ``"="`` or the state's own name) do not differ; a row that is tried earlier than before does.
Words (reasons, meanings, glossaries) are compared too, and are kept apart from behaviour.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from agentcp_fsm.fsm.chart import SAME, Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.document import row_data
from agentcp_fsm.fsm.diagram.table import cell
from agentcp_fsm.fsm.diagram.views import check_states

WORDS = frozenset({"meaning", "owns", "role", "reason"})
"""The parts of a state or a row that change no behaviour."""


class Kind(StrEnum):
    """The kind of a change."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


SIGNS = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~"}
"""A sign for each kind, because colour alone is not enough."""

Change = tuple[Any, Any]
"""(the old value, the new value)."""


@dataclass(frozen=True, slots=True)
class CellChange:
    """The change of one row in one of its states."""

    state: str
    trigger: str
    old: Row | None
    """The row as it was in this state alone, ``"="`` spelled out; None for an added one."""
    new: Row | None
    """As it is; None for a removed one."""
    old_position: int | None
    """Its place among the rows of the cell, from 0, in the order in which they are tried."""
    new_position: int | None
    moved: bool
    """Whether its order changed, among those rows that both charts have."""

    @property
    def kind(self) -> Kind:
        """The kind of change."""
        return _kind(self.old, self.new)

    @property
    def parts(self) -> dict[str, Change]:
        """The changed parts of a row that both charts have, by name."""
        if self.old is None or self.new is None:
            return {}
        parts = _parts(self.old, self.new)
        return parts | ({"dest": (dest_of(self.old), dest_of(self.new))} if "dest" in parts else {})


@dataclass(frozen=True, slots=True)
class RowChange:
    """The change of one row, in all states in which it changed alike."""

    states: tuple[str, ...]
    cell: CellChange
    """In the first of these states."""

    @property
    def row(self) -> Row:
        """The row as it is, or was, if it was removed; its source is the first of the states."""
        row = self.cell.new or self.cell.old
        assert row is not None
        return row


@dataclass(frozen=True, slots=True)
class StateChange:
    """The change of a state."""

    old: ChartState | None
    new: ChartState | None

    @property
    def name(self) -> str:
        """The state's."""
        state = self.new or self.old
        assert state is not None
        return str(state.name)

    @property
    def kind(self) -> Kind:
        """The kind of change."""
        return _kind(self.old, self.new)

    @property
    def parts(self) -> dict[str, Change]:
        """The changed parts of a state that both charts have, by name."""
        return {} if self.old is None or self.new is None else _parts(self.old, self.new)


@dataclass(frozen=True, slots=True)
class TextChange:
    """The change of a name's meaning in a glossary."""

    name: str
    old: str | None
    new: str | None

    @property
    def kind(self) -> Kind:
        """The kind of change."""
        return _kind(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs between two charts; false if nothing does."""

    old: Chart
    new: Chart
    name: Change | None
    initial: Change | None
    undecided: Change | None
    """Of the sentences on events that no row decides."""
    states: tuple[StateChange, ...]
    cells: tuple[CellChange, ...]
    guards: tuple[TextChange, ...]
    actions: tuple[TextChange, ...]

    def __bool__(self) -> bool:
        texts = (self.name, self.initial, self.undecided)
        return any(texts) or bool(self.states or self.cells or self.guards or self.actions)

    @property
    def behaviour(self) -> bool:
        """Whether anything differs but words."""
        changes: list[StateChange | CellChange] = [*self.states, *self.cells]
        return bool(self.initial or self.undecided) or any(
            change.kind is not Kind.CHANGED
            or not change.parts.keys() <= WORDS
            or (isinstance(change, CellChange) and change.moved)
            for change in changes
        )

    def rows(self) -> list[RowChange]:
        """The changes of cells, equal ones of several states together; ordered by trigger, removed ones first."""
        together: dict[object, list[CellChange]] = {}
        for change in self.cells:
            places = (change.old_position, change.new_position) if change.moved else None
            key = (change.trigger, change.kind, places, _alike(change.old), _alike(change.new))
            together.setdefault(key, []).append(change)
        order = {trigger: index for index, trigger in enumerate(dict.fromkeys(self.new.triggers + self.old.triggers))}
        kinds = [Kind.REMOVED, Kind.CHANGED, Kind.ADDED]
        changes = [RowChange(tuple(cell.state for cell in cells), cells[0]) for cells in together.values()]
        return sorted(changes, key=lambda change: (order[change.cell.trigger], kinds.index(change.cell.kind)))


def difference(old: Chart, new: Chart) -> Difference:
    """Compare two charts; raises ChartError if one of them names a state that it does not have."""
    for chart in (old, new):
        check_states(chart)
    old_states = {str(state.name): state for state in old.states}
    new_states = {str(state.name): state for state in new.states}
    states = (
        StateChange(old_states.get(name), new_states.get(name)) for name in dict.fromkeys([*new_states, *old_states])
    )
    return Difference(
        old,
        new,
        _change(old.name, new.name),
        _change(str(old.initial), str(new.initial)),
        _change(old.otherwise, new.otherwise),
        tuple(change for change in states if change.kind is not Kind.CHANGED or change.parts),
        tuple(
            change
            for state in dict.fromkeys([*new_states, *old_states])
            for trigger in dict.fromkeys(new.triggers + old.triggers)
            for change in _cell_changes(cell(old, state, trigger), cell(new, state, trigger))
        ),
        tuple(_text_changes(old.guards or {}, new.guards or {})),
        tuple(_text_changes(old.actions or {}, new.actions or {})),
    )


def dest_of(row: Row) -> str | None:
    """Where a row of one state leads, in a form that holds in other states too: ``"="`` if it leads back."""
    return SAME if row.dest == row.source[0] else row.dest


def _cell_changes(old: Sequence[Row], new: Sequence[Row]) -> Iterator[CellChange]:
    pairs = _pairs(old, new)
    partners = {after: before for before, after in pairs.items()}
    kept = sorted(pairs)
    unmoved = _increasing([pairs[position] for position in kept])
    for position, row in enumerate(old):
        if position not in pairs:
            yield CellChange(row.source[0], row.trigger, row, None, position, None, False)
    for position, row in enumerate(new):
        before = partners.get(position)
        moved = before is not None and position not in unmoved
        if before is None:
            yield CellChange(row.source[0], row.trigger, None, row, None, position, False)
        elif moved or old[before] != row:
            yield CellChange(row.source[0], row.trigger, old[before], row, before, position, moved)


def _pairs(old: Sequence[Row], new: Sequence[Row]) -> dict[int, int]:
    """Which row became which, by their positions: equal ones, else of the same guards, else of the same effect."""
    pairs: dict[int, int] = {}
    free = dict(enumerate(new))
    for key in (_itself, _guards, _effect):
        for before, row in enumerate(old):
            if before not in pairs:
                after = next((position for position, other in free.items() if key(other) == key(row)), None)
                if after is not None:
                    pairs[before] = after
                    del free[after]
    return pairs


def _itself(row: Row) -> object:
    return row


def _guards(row: Row) -> object:
    return frozenset(row.conditions), frozenset(row.unless)


def _effect(row: Row) -> object:
    return row.dest, row.before, row.after, row.ignored, row.reason


def _increasing(numbers: Sequence[int]) -> frozenset[int]:
    """A longest selection of the numbers, all different, that is in order: those that did not move."""
    ends: list[int] = []
    best: list[list[int]] = []
    for number in numbers:
        length = bisect_left(ends, number)
        selection = [*(best[length - 1] if length else []), number]
        ends[length : length + 1] = [number]
        best[length : length + 1] = [selection]
    return frozenset(best[-1] if best else ())


def _kind(old: object, new: object) -> Kind:
    if old is None:
        return Kind.ADDED
    return Kind.REMOVED if new is None else Kind.CHANGED


def _parts(old: Row | ChartState, new: Row | ChartState) -> dict[str, Change]:
    return {
        field.name: (getattr(old, field.name), getattr(new, field.name))
        for field in fields(old)
        if getattr(old, field.name) != getattr(new, field.name)
    }


def _alike(row: Row | None) -> object:
    """The row without its state, so that equal changes of several states compare equal."""
    return row and replace(row, source=(), dest=dest_of(row))


def _change(old: str, new: str) -> Change | None:
    return None if old == new else (old, new)


def _text_changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterable[TextChange]:
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) != new.get(name):
            yield TextChange(name, old.get(name), new.get(name))


def as_data(found: Difference) -> dict[str, Any]:
    """The difference as dictionaries, lists and strings, for other programs.

    ``{"behaviour", "name", "initial", "undecided", "states": [{"kind", "name", "parts"}], "rows": [{"kind", "states",
    "trigger", "dest", "prepare", "conditions", "unless", "before", "after", "reason", "ignored", "moved", "parts"}],
    "guards": [{"kind", "name", "old", "new"}], "actions"}``.  ``parts`` holds ``{part: {"old", "new"}}``.  A removed
    row is shown as it last was, any other as it is.
    """
    return {
        "behaviour": found.behaviour,
        "name": _pair(found.name),
        "initial": _pair(found.initial),
        "undecided": _pair(found.undecided),
        "states": [
            {"kind": change.kind, "name": change.name, "parts": _parts_as_data(change.parts)} for change in found.states
        ],
        "rows": [
            {
                "kind": change.cell.kind,
                "states": list(change.states),
                **{name: part for name, part in row_data(change.row).items() if name != "source"},
                "dest": dest_of(change.row),
                "moved": change.cell.moved,
                "parts": _parts_as_data(change.cell.parts),
            }
            for change in found.rows()
        ],
        **{
            kind: [
                {"kind": change.kind, "name": change.name, "old": change.old, "new": change.new} for change in changes
            ]
            for kind, changes in (("guards", found.guards), ("actions", found.actions))
        },
    }


def _pair(change: Change | None) -> dict[str, Any] | None:
    return None if change is None else dict(zip(("old", "new"), change, strict=True))


def _parts_as_data(parts: Mapping[str, Change]) -> dict[str, Any]:
    return {name: _pair(change) for name, change in parts.items()}
