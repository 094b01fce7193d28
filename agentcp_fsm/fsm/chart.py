"""A chart: the whole behaviour of something that has states, as data.

Theory of operation
===================

A chart is a list of states and a list of rows, in the vocabulary of `transitions`.  An event is a trigger that is sent
to a model, which has a ``state``.  The event is decided by the rows whose source is that state and whose trigger is
that event.  They are tried in the order in which they are written:

1. The row's ``prepare`` callbacks run.
2. Its guards are asked: each of ``conditions`` must equal True, then each of ``unless`` must equal False.  At the first
   guard that disagrees, the next row is tried.
3. ``before`` runs.  Unless ``dest`` is None, the source's ``on_exit`` runs, ``model.state`` changes, and the
   destination's ``on_enter`` runs.  Then ``after`` runs.  This row is the answer; no further row is tried.

`transitions` does exactly the same (a property shows it for arbitrary charts), so a chart runs on either:
`Chart.compile` makes a function that takes a few hundred nanoseconds per event, and `Chart.machine` makes a live
`transitions.Machine` with everything that belongs to it.  Callbacks are methods of the model and receive the event's
arguments.

`Chart.check` demands more than `transitions` does: every (state, trigger) pair is decided, in the end by a row without
guards.  So nothing can happen that nobody thought of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from transitions import Machine

EVERY = "*"
"""As a row's source: every state of the chart."""
SAME = "="
"""As a row's destination: the row's source, left and entered again."""


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


class Role(StrEnum):
    """What a state means for anybody who waits for its owner.  Pictures colour states by role."""

    REST = "rest"
    WORKING = "working"
    HEALTHY = "healthy"
    IMPAIRED = "impaired"
    WAITING = "waiting"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class ChartState:
    """A state of a chart: its name, what it means, and the callbacks of its entry and exit."""

    name: str
    meaning: str = ""
    """One sentence for the reader."""
    owns: str = ""
    """What exists exactly while the state lasts (a socket, a timer, a call in flight)."""
    on_enter: tuple[str, ...] = ()
    on_exit: tuple[str, ...] = ()
    final: bool = False
    """Whether the state deliberately has no exit."""
    role: Role | None = None


@dataclass(frozen=True, slots=True, init=False)
class Row:
    """One row of a chart: on `trigger` in `source`, if the guards agree, go to `dest`.

    Where several names are accepted, one name alone is accepted too.
    """

    trigger: str
    source: tuple[str, ...]
    """The states in which the row holds; ``"*"`` means every state."""
    dest: str | None
    """The state to which it leads.  ``"="`` leaves the source and enters it again; None changes no state."""
    prepare: tuple[str, ...]
    conditions: tuple[str, ...]
    unless: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    reason: str
    """Why the row exists, in one short sentence."""
    ignored: bool
    """Whether the event deliberately has no effect here (it may still be counted)."""

    def __init__(
        self,
        trigger: str,
        source: str | Iterable[str],
        dest: str | None,
        *,
        prepare: str | Iterable[str] = (),
        conditions: str | Iterable[str] = (),
        unless: str | Iterable[str] = (),
        before: str | Iterable[str] = (),
        after: str | Iterable[str] = (),
        reason: str = "",
        ignored: bool = False,
    ) -> None:
        for name, value in (
            ("trigger", trigger),
            ("source", _names(source)),
            ("dest", dest),
            ("prepare", _names(prepare)),
            ("conditions", _names(conditions)),
            ("unless", _names(unless)),
            ("before", _names(before)),
            ("after", _names(after)),
            ("reason", reason),
            ("ignored", ignored),
        ):
            object.__setattr__(self, name, value)

    @property
    def guards(self) -> tuple[str, ...]:
        """The guards as a reader writes them: ``name``, or ``not name`` for an `unless`."""
        return (*self.conditions, *(f"not {name}" for name in self.unless))

    def parts(self) -> dict[str, Any]:
        """Everything that the row says, by the names of its attributes."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @property
    def callbacks(self) -> tuple[str, ...]:
        """Every name that the row expects of its model, in the order of use."""
        return self.prepare + self.conditions + self.unless + self.before + self.after

    def leads_to(self, source: str) -> str | None:
        """The state that follows `source`, which is one of the row's; None if the row changes no state."""
        return source if self.dest == SAME else self.dest

    def __str__(self) -> str:
        guards = f" [{', '.join(self.guards)}]" if self.guards else ""
        return f"{self.trigger}: {', '.join(self.source)} → {'no change' if self.dest is None else self.dest}{guards}"


Step = Callable[..., Row]
"""``step(model, trigger, *args)``: sends one event and returns the row that was taken.

Raises ChartError for a trigger or a state that the chart does not have.  What a callback raises passes through.
"""


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole behaviour of something that has states, as data.

    `guards` and `actions` are the chart's glossary: the meaning of each callback, by name.  If they are given, a row
    may use no other name, and each name must be used.
    """

    name: str
    initial: str
    states: tuple[ChartState, ...]
    rows: tuple[Row, ...]
    guards: Mapping[str, str] | None = None
    actions: Mapping[str, str] | None = None
    _cells: dict[str, dict[str, tuple[Row, ...]]] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        cells: dict[str, dict[str, tuple[Row, ...]]] = {state.name: {} for state in self.states}
        for row in self.rows:
            for source in self.sources(row):
                cell = cells.setdefault(source, {})
                cell[row.trigger] = (*cell.get(row.trigger, ()), row)
        object.__setattr__(self, "_cells", cells)

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of all states, in the chart's order."""
        return tuple(state.name for state in self.states)

    @property
    def triggers(self) -> tuple[str, ...]:
        """The names of all triggers, in the order of their first rows."""
        return tuple(dict.fromkeys(row.trigger for row in self.rows))

    def sources(self, row: Row) -> tuple[str, ...]:
        """The states in which a row holds, ``"*"`` spelled out."""
        return self.state_names if EVERY in row.source else row.source

    def cell(self, state: str, trigger: str) -> tuple[Row, ...]:
        """The rows that decide one (state, trigger) pair, in the order in which they are tried."""
        return self._cells.get(state, {}).get(trigger, ())

    def check(self, model: type | None = None) -> None:
        """Refuse a contradictory or incomplete chart, and a `model` that lacks a callback: see `fsm.check`."""
        from agentcp_fsm.fsm.check import check

        check(self, model)

    def compile(self, model: type, arity: int | None = None) -> Step:
        """Make the function that steps any instance of `model`: see `fsm.step`."""
        from agentcp_fsm.fsm.step import compile_chart

        return compile_chart(self, model, arity)

    def machine(self, model: object, machine_class: type[Machine] | None = None, **options: Any) -> Machine:
        """Run the chart as a live `transitions.Machine` of `model`: see `fsm.interop`."""
        from agentcp_fsm.fsm.interop import machine

        return machine(self, model, machine_class, **options)

    def transitions(self) -> Iterator[dict[str, Any]]:
        """The rows as `transitions` takes them: see `fsm.interop`."""
        from agentcp_fsm.fsm.interop import transitions

        return transitions(self)
