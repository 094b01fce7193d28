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

A row for every state, ``"*"``, is a fallback: it holds in the states in which no row before it decides the event
without a guard.

`transitions` does exactly the same (a property shows it for arbitrary charts), so a chart runs on either:
`Chart.compile` makes a function that takes a few hundred nanoseconds per event, and `Chart.machine` makes a live
`transitions.Machine` with everything that belongs to it.  Callbacks are methods of the model and receive the event's
arguments.

`Chart.check` demands more than `transitions` does: every (state, trigger) pair is decided, in the end by a row without
guards, or by the chart's declared default.  So nothing can happen that nobody thought of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum, StrEnum
from typing import Any, Literal, TypeVar, overload

from transitions import Machine

from agentcp_fsm.fsm.protocols import QueuedStep, Step

EVERY = "*"
"""As a row's source: every state of the chart that an earlier row does not decide for good."""
SAME = "="
"""As a row's destination: the row's source, left and entered again."""

Undecided = Literal["ignore", "raise"]
"""What becomes of an event that no row decides: nothing, or an UndecidedError."""
OTHERWISE: Mapping[Undecided | None, str] = {
    None: "",
    "ignore": "An event that no row decides is ignored.",
    "raise": "An event that no row decides is an error.",
}
"""A chart's default, as every picture and table states it."""

M = TypeVar("M")


def name_of(state: str | Enum) -> str:
    """A state's name: of a member of an enumeration its text if it is one, else the member's name."""
    if not isinstance(state, Enum):
        return state
    if not isinstance(state, str):
        return str(state.name)
    return state if str(state) == state else str.__str__(state)


def _names(value: object) -> tuple[Any, ...]:
    """One name or several, as a tuple; what is no name is kept for the check."""
    if isinstance(value, str | Enum) or not isinstance(value, Iterable):
        value = (value,)
    return tuple(map(name_of, value))


class Role(StrEnum):
    """What a state means for anybody who waits for its owner.  Pictures colour states by role."""

    REST = "rest"
    WORKING = "working"
    HEALTHY = "healthy"
    IMPAIRED = "impaired"
    WAITING = "waiting"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True, init=False)
class ChartState:
    """A state of a chart: its name, what it means, and the callbacks of its entry and exit.

    It may be named by a member of an enumeration, which then is the model's ``state``.  Where several names are
    accepted, one name alone is accepted too.
    """

    name: str
    meaning: str
    """One sentence for the reader."""
    owns: str
    """What exists exactly while the state lasts (a socket, a timer, a call in flight)."""
    on_enter: tuple[str, ...]
    on_exit: tuple[str, ...]
    final: bool
    """Whether the state deliberately has no exit."""
    role: Role | None
    value: str | Enum = field(compare=False, repr=False)
    """What the model's ``state`` is: the name, or the member of an enumeration that has this name."""

    def __init__(
        self,
        name: str | Enum,
        meaning: str = "",
        owns: str = "",
        on_enter: str | Iterable[str] = (),
        on_exit: str | Iterable[str] = (),
        final: bool = False,
        role: Role | str | None = None,
        value: str | Enum | None = None,
    ) -> None:
        _set(
            self,
            name=name_of(name),
            meaning=meaning,
            owns=owns,
            on_enter=_names(on_enter),
            on_exit=_names(on_exit),
            final=final,
            role=Role(role) if role in tuple(Role) else role,
            value=name if value is None or name_of(value) != name_of(name) else value,
        )


@dataclass(frozen=True, slots=True, init=False)
class Row:
    """One row of a chart: on `trigger` in `source`, if the guards agree, go to `dest`.

    Where several names are accepted, one name alone is accepted too.
    """

    trigger: str
    source: tuple[str, ...]
    """The states in which the row holds; ``"*"`` means every state that an earlier row does not decide for good."""
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
        source: str | Enum | Iterable[str | Enum],
        dest: str | Enum | None,
        *,
        prepare: str | Iterable[str] = (),
        conditions: str | Iterable[str] = (),
        unless: str | Iterable[str] = (),
        before: str | Iterable[str] = (),
        after: str | Iterable[str] = (),
        reason: str = "",
        ignored: bool = False,
    ) -> None:
        _set(
            self,
            trigger=trigger,
            source=_names(source),
            dest=None if dest is None else name_of(dest),
            prepare=_names(prepare),
            conditions=_names(conditions),
            unless=_names(unless),
            before=_names(before),
            after=_names(after),
            reason=reason,
            ignored=ignored,
        )

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
        guards = f" [{', '.join(map(str, self.guards))}]" if self.guards else ""
        dest = "no change" if self.dest is None else self.dest
        return f"{self.trigger}: {', '.join(map(str, self.source))} → {dest}{guards}"


@dataclass(frozen=True, slots=True, init=False)
class Chart:
    """The whole behaviour of something that has states, as data.

    Raises ChartError for a part of the wrong type, and names it.  All else is left to `check`.
    """

    name: str
    initial: str
    states: tuple[ChartState, ...]
    """A callback of a row that is named ``on_enter_STATE`` or ``on_exit_STATE`` is that state's as well."""
    rows: tuple[Row, ...]
    guards: Mapping[str, str] | None = field(hash=False)
    """With `actions` the chart's glossary: the meaning of each callback, by name.  If they are given, a row may use no
    other name, and each name must be used."""
    actions: Mapping[str, str] | None = field(hash=False)
    undecided: Undecided | None
    """What becomes of an event that no row decides.  None: `check` refuses a chart in which there is such an event."""
    events: tuple[type, ...] | None = field(compare=False, repr=False)
    """The classes of the events, each with its ``trigger``, if the first argument of an event is such an object."""
    triggers: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The names of all triggers, in the order of their first rows."""
    all_rows: tuple[Row, ...] = field(init=False, repr=False, compare=False)
    """The rows, and after them those that ``undecided="ignore"`` stands for, one for each trigger."""
    _cells: dict[str, dict[str, tuple[Row, ...]]] = field(init=False, repr=False, compare=False)
    _fallbacks: dict[Row, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    """The states in which each row for every state holds."""

    def __init__(
        self,
        name: str,
        initial: str | Enum,
        states: Iterable[ChartState],
        rows: Iterable[Row],
        guards: Mapping[str, str] | None = None,
        actions: Mapping[str, str] | None = None,
        undecided: Undecided | None = None,
        events: Iterable[type] | None = None,
    ) -> None:
        from agentcp_fsm.fsm.shape import checked_parts, with_implicit_callbacks

        parts = checked_parts(name, name_of(initial), states, rows, guards, actions, undecided, events)
        parts["states"] = with_implicit_callbacks(parts["states"], parts["rows"])
        _set(self, **parts, triggers=tuple(dict.fromkeys(row.trigger for row in parts["rows"])))
        self._index()

    def _index(self) -> None:
        cells: dict[str, dict[str, list[Row]]] = {name: {} for name in self.state_names}
        decided: set[tuple[str, str]] = set()
        fallbacks: dict[Row, tuple[str, ...]] = {}

        def add(row: Row, sources: Iterable[str]) -> None:
            for source in sources:
                cells.setdefault(source, {}).setdefault(row.trigger, []).append(row)
                if not row.guards:
                    decided.add((source, row.trigger))

        def open_states(trigger: str) -> tuple[str, ...]:
            return tuple(name for name in self.state_names if (name, trigger) not in decided)

        for row in self.rows:
            if EVERY in row.source:
                add(row, fallbacks.setdefault(row, open_states(row.trigger)))
            else:
                add(row, row.source)
        defaults = []
        if self.undecided == "ignore":
            for trigger in self.triggers:
                if sources := open_states(trigger):
                    defaults.append(Row(trigger, sources, None, reason="No row decides it.", ignored=True))
                    add(defaults[-1], sources)
        _set(
            self,
            all_rows=(*self.rows, *defaults),
            _cells={state: {trigger: tuple(its) for trigger, its in cell.items()} for state, cell in cells.items()},
            _fallbacks=fallbacks,
        )

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of all states, in the chart's order."""
        return tuple(state.name for state in self.states)

    @property
    def otherwise(self) -> str:
        """One sentence on events that no row decides; empty if the chart has no default."""
        return OTHERWISE[self.undecided]

    def sources(self, row: Row) -> tuple[str, ...]:
        """The states in which a row holds, ``"*"`` spelled out."""
        return self._fallbacks.get(row, self.state_names) if EVERY in row.source else row.source

    def cell(self, state: str, trigger: str) -> tuple[Row, ...]:
        """The rows that decide one (state, trigger) pair, in the order in which they are tried.

        With ``undecided="ignore"``, the last of them may be one that ignores the event.
        """
        return self._cells.get(state, {}).get(trigger, ())

    def value_of(self, state: str | None) -> str | Enum | None:
        """What the model's ``state`` is in the state of this name: the name itself, or the member of an enumeration."""
        return next((known.value for known in self.states if known.name == state), state)

    def check(self, model: type | None = None) -> None:
        """Refuse a contradictory or incomplete chart, and a `model` that lacks a callback: see `fsm.check`."""
        from agentcp_fsm.fsm.check import check

        check(self, model)

    @overload
    def compile(self, model: type[M], arity: int | None = None, *, queued: Literal[False] = False) -> Step[M]: ...
    @overload
    def compile(self, model: type[M], arity: int | None = None, *, queued: Literal[True]) -> QueuedStep[M]: ...
    def compile(self, model: type[M], arity: int | None = None, *, queued: bool = False) -> Step[M] | QueuedStep[M]:
        """Make the function that steps any instance of `model` or of a subclass: see `fsm.step`."""
        from agentcp_fsm.fsm.step import compile_chart, run_to_completion

        step = compile_chart(self, model, arity)
        return run_to_completion(self, step) if queued else step

    def may(self, model: object, trigger: str, /, *args: object, **kwargs: object) -> bool:
        """Whether this event would have an effect now, as the guards answer: see `fsm.enabled`."""
        from agentcp_fsm.fsm.enabled import may

        return may(self, model, trigger, args, kwargs)

    def enabled(self, model: object, /, *args: object, **kwargs: object) -> tuple[str, ...]:
        """The triggers of all events that would have an effect now, if they had these arguments: see `fsm.enabled`."""
        from agentcp_fsm.fsm.enabled import may

        return tuple(trigger for trigger in self.triggers if may(self, model, trigger, args, kwargs))

    def machine(self, model: object, machine_class: type[Machine] | None = None, **options: Any) -> Machine:
        """Run the chart as a live `transitions.Machine` of `model`: see `fsm.interop`."""
        from agentcp_fsm.fsm.interop import machine

        return machine(self, model, machine_class, **options)

    def transitions(self) -> Iterator[dict[str, Any]]:
        """The rows as `transitions` takes them: see `fsm.interop`."""
        from agentcp_fsm.fsm.interop import transitions

        return transitions(self)


def _set(frozen: object, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(frozen, name, value)
