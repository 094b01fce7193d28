"""The engine: a chart is data; the engine checks it, compiles it and hands it to `transitions`.

Theory of operation
===================

A chart is a list of states and a list of rows in the vocabulary of `transitions`.  An event is a trigger, sent to a
model that has a ``state``.  Of the rows whose source is that state and whose trigger is that event, in the order in
which they are written:

1. the row's ``prepare`` callbacks run;
2. its guards are asked: every one of ``conditions`` must equal True, then every one of ``unless`` must equal False;
   at the first that does not, the next row is tried;
3. ``before`` runs; then, unless ``dest`` is None, the source's ``on_exit``, the change of ``model.state``, and the
   destination's ``on_enter``; then ``after``.  The row is the answer, and no further row is tried.

That is the order of `transitions`, exactly (a property shows it for arbitrary charts), so a chart runs on either:
`Chart.compile` makes a function of a few hundred nanoseconds an event, `Chart.machine` a live `transitions.Machine`
with everything that belongs to it.  Callbacks are methods of the model and receive the event's arguments.

`Chart.check` holds a chart to more than `transitions` asks: every (state, trigger) pair is decided, by a row without
guards in the end, so that nothing can happen that nobody thought of.
"""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import FunctionType
from typing import TYPE_CHECKING, Any

from agentcp_fsm.errors import ChartError

if TYPE_CHECKING:
    from transitions import Machine

EVERY = "*"
"""As a row's source: every state of the chart."""
SAME = "="
"""As a row's destination: the row's source, left and entered again."""

Callback = Callable[..., Any]
Step = Callable[..., "Row"]
"""``step(model, trigger, *args)``: sends one event, returns the row that was taken.

Raises ChartError for a trigger or a state that the chart does not have; whatever a callback raises passes through.
"""


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


class Role(StrEnum):
    """What a state is in the eyes of whoever waits for its owner; pictures colour states by it."""

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
    """Whether the state is meant to have no exit."""
    role: Role | None = None


@dataclass(frozen=True, slots=True, init=False)
class Row:
    """One row of a chart: on `trigger` in `source`, if the guards agree, go to `dest`.

    Wherever several names may stand, one name alone may too.
    """

    trigger: str
    source: tuple[str, ...]
    """The states the row holds in; ``"*"`` for every one."""
    dest: str | None
    """The state it leads to; ``"="`` leaves and enters the source again; None changes no state."""
    prepare: tuple[str, ...]
    conditions: tuple[str, ...]
    unless: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    reason: str
    """Why the row exists, in one short sentence."""
    ignored: bool
    """Whether the row says that the event is deliberately without effect (it may still be counted)."""

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

    @property
    def callbacks(self) -> tuple[str, ...]:
        """Every name that the row expects of its model, in the order of use."""
        return self.prepare + self.conditions + self.unless + self.before + self.after

    def __str__(self) -> str:
        guards = f" [{', '.join(self.guards)}]" if self.guards else ""
        return f"{self.trigger}: {', '.join(self.source)} → {self.dest or 'no change'}{guards}"


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole behaviour of something that has states, as data.

    `guards` and `actions` are the chart's glossary: what each callback means, by name.  Where they are given, a row may
    use no other name, and each name must be used.
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
        """The states that a row holds in, ``"*"`` spelled out."""
        return self.state_names if EVERY in row.source else row.source

    def cell(self, state: str, trigger: str) -> tuple[Row, ...]:
        """The rows that decide one (state, trigger) pair, in the order they are tried."""
        return self._cells.get(state, {}).get(trigger, ())

    # Checking --------------------------------------------------------------------------------------------------------

    def check(self, model: type | None = None) -> None:
        """Refuse a chart that contradicts itself or leaves something open, and a model that lacks what it names.

        Raises ChartError for the first of: a state named twice or unknown, a callback that the glossary or the model
        does not have (or that nothing uses), an ignoring row that changes the state, a duplicate row, a row that can
        never be taken because an earlier one always is, an undecided (state, trigger) pair, an unreachable state, a
        state without exit that is not final.
        """
        self._check_names()
        self._check_glossary()
        if model is not None:
            self._check_model(model)
        for state in self.states:
            for trigger in self.triggers:
                self._check_cell(state.name, trigger)
        self._check_paths()

    def _check_names(self) -> None:
        known = set(self.state_names)
        for name in self.state_names:
            if self.state_names.count(name) > 1:
                raise ChartError(f"{self.name}: the state {name!r} is defined twice; remove one")
        known_text = f"; the chart has {', '.join(self.state_names)}"
        if self.initial not in known:
            raise ChartError(f"{self.name}: the initial state {self.initial!r} is unknown{known_text}")
        reserved = {"state", "trigger", *self._callback_names()}
        for row in self.rows:
            for name in (*row.source, *(() if row.dest is None else (row.dest,))):
                if name not in known and name not in (EVERY if name in row.source else SAME):
                    raise ChartError(f"{self.name}: row <{row}> names the unknown state {name!r}{known_text}")
            if not row.source:
                raise ChartError(f"{self.name}: row <{row}> has no source; name a state, or {EVERY!r} for all")
            if row.trigger in reserved:
                raise ChartError(
                    f"{self.name}: row <{row}>: the trigger {row.trigger!r} is also a callback or a reserved name "
                    f"({', '.join(sorted(reserved & {'state', 'trigger'}))}); rename one"
                )
            if row.ignored and row.dest is not None:
                raise ChartError(f"{self.name}: row <{row}> ignores its event and changes the state; do one of the two")
            if contradictory := set(row.conditions) & set(row.unless):
                raise ChartError(
                    f"{self.name}: row <{row}> can never be taken: it asks for {contradictory.pop()!r} and its opposite"
                )

    def _callback_names(self) -> Iterator[str]:
        for state in self.states:
            yield from state.on_enter + state.on_exit
        for row in self.rows:
            yield from row.callbacks

    def _check_glossary(self) -> None:
        for kind, glossary in (("guard", self.guards), ("action", self.actions)):
            if glossary is None:
                continue
            used: set[str] = set()
            for row in self.rows:
                names = row.conditions + row.unless if kind == "guard" else row.prepare + row.before + row.after
                used.update(names)
                for name in names:
                    if name not in glossary:
                        raise ChartError(
                            f"{self.name}: row <{row}> names the unknown {kind} {name!r}; the glossary has "
                            f"{', '.join(glossary)}"
                        )
            if kind == "action":
                for state in self.states:
                    used.update(state.on_enter + state.on_exit)
                    for name in state.on_enter + state.on_exit:
                        if name not in glossary:
                            raise ChartError(f"{self.name}: state {state.name} names the unknown action {name!r}")
            for name in glossary:
                if name not in used:
                    raise ChartError(f"{self.name}: no row uses the {kind} {name!r}; remove it from the glossary")

    def _check_model(self, model: type) -> None:
        for row in self.rows:
            for name in row.callbacks:
                if not hasattr(model, name):
                    raise ChartError(
                        f"{self.name}: row <{row}> names the callback {name!r}, which {model.__name__} does not have"
                    )
        for state in self.states:
            for name in state.on_enter + state.on_exit:
                if not hasattr(model, name):
                    raise ChartError(
                        f"{self.name}: state {state.name} names the callback {name!r}, "
                        f"which {model.__name__} does not have"
                    )

    def _check_cell(self, state: str, trigger: str) -> None:
        rows = self.cell(state, trigger)
        for index, row in enumerate(rows):
            for earlier in rows[:index]:
                same_guards = (set(earlier.conditions), set(earlier.unless)) == (set(row.conditions), set(row.unless))
                # A callback of `prepare` may change what a guard answers, so only a row that prepares nothing is
                # certain to be refused when its guards include those that an earlier row was refused for.
                if same_guards and earlier.dest == row.dest and not row.prepare:
                    raise ChartError(f"{self.name}: row <{row}> stands twice for {state}; remove one")
                implied = set(earlier.conditions) <= set(row.conditions) and set(earlier.unless) <= set(row.unless)
                if not earlier.guards or (implied and not row.prepare):
                    raise ChartError(
                        f"{self.name}: row <{row}> can never be taken in {state}: the earlier row <{earlier}> is, "
                        "whenever it could be; reorder them or remove one"
                    )
        if not rows or rows[-1].guards:
            what = "no row" if not rows else f"only guarded rows, the last of them <{rows[-1]}>"
            raise ChartError(
                f"{self.name}: ({state}, {trigger}) is undecided: it has {what}; add a row without guards, "
                "one with ignored=True if nothing is to happen"
            )

    def _check_paths(self) -> None:
        exits = {
            name: {row.dest for rows in cells.values() for row in rows if row.dest is not None} - {SAME, name}
            for name, cells in self._cells.items()
        }
        reached, frontier = {self.initial}, [self.initial]
        while frontier:
            found = exits[frontier.pop()] - reached
            reached |= found
            frontier += found
        for state in self.states:
            rows = ", ".join(f"<{row}>" for row in self.rows if state.name in row.source) or "no row of its own"
            if state.name not in reached:
                raise ChartError(
                    f"{self.name}: no path leads from {self.initial} to the state {state.name}, the source of {rows}"
                )
            if not exits[state.name] and not state.final and len(self.states) > 1:
                raise ChartError(
                    f"{self.name}: no row leads out of the state {state.name} ({rows}); add one, or mark it final"
                )

    # Running ---------------------------------------------------------------------------------------------------------

    def compile(self, model: type, arity: int | None = None) -> Step:
        """Make the function that steps any instance of `model`; see `Step`.

        `arity` is the number of arguments that every event carries, where that is always the same: known beforehand, it
        spares a third of an event's time.  Callbacks are looked up on the class, once: an instance holds its own
        ``state`` and nothing of the chart.  Raises ChartError where `check` does.
        """
        self.check(model)
        return _Stepper(self, model, arity).compile()

    def _unknown(self, state: str, trigger: str) -> ChartError:
        if trigger not in self.triggers:
            return ChartError(f"{self.name}: unknown trigger {trigger!r}; the chart has {', '.join(self.triggers)}")
        return ChartError(f"{self.name}: unknown state {state!r}; the chart has {', '.join(self.state_names)}")

    def machine(self, model: object, machine_class: type[Machine] | None = None, **options: Any) -> Machine:
        """The same chart as a live `transitions.Machine` of `model`, which keeps its present state if it has one.

        `machine_class` may be any of `transitions` (``GraphMachine``, ``LockedMachine`` …); `options` go to it.  As
        `transitions` adds its triggers to the model as attributes, the model must have a ``__dict__``: to run a slotted
        class, derive one without ``__slots__``.  Raises ChartError where `check` does, and for a model without one.
        """
        from transitions import Machine

        self.check(type(model))
        if not hasattr(model, "__dict__"):
            raise ChartError(
                f"{self.name}: transitions adds attributes to its model, and {type(model).__name__} is slotted; "
                f"derive a class from it: class Traced({type(model).__name__}): pass"
            )
        return (machine_class or Machine)(
            model=model,
            name=self.name,
            states=[
                {
                    "name": state.name,
                    "on_enter": list(state.on_enter),
                    "on_exit": list(state.on_exit),
                    "final": state.final,
                }
                for state in self.states
            ],
            initial=getattr(model, "state", self.initial),
            transitions=list(self.transitions()),
            auto_transitions=False,
            **options,
        )

    def transitions(self) -> Iterator[dict[str, Any]]:
        """The rows as `transitions` takes them, in order: keyword arguments of ``Machine.add_transition``."""
        for row in self.rows:
            yield {
                "trigger": row.trigger,
                "source": list(self.sources(row)),
                "dest": row.dest,
                "prepare": list(row.prepare),
                "conditions": list(row.conditions),
                "unless": list(row.unless),
                "before": list(row.before),
                "after": list(row.after),
            }


_STEP = """\
def step(model, trigger, {arguments}):
    try:
        cell = cells[model.state][trigger]
    except KeyError:
        raise unknown(model.state, trigger) from None
    return cell(model, {arguments})
"""
_NO_NAME = re.compile(r"\W|^(?=\d)", re.ASCII)
"""What cannot stand in a name, or a digit that cannot begin one."""


class _Stepper:
    """Writes a chart's stepper as Python source: a function for each cell, which reads like the cell, and `step`.

        def deadline_passed_41(model, argument0, argument1):
            if deadline_reached_7(model, argument0, argument1) == False:
                return row_61
            if beat_was_answered_9(model, argument0, argument1) == True:
                send_heartbeat_11(model, argument0, argument1)
                return row_66
            …

    That is what makes it pay: a loop over tables of callbacks takes 1.7 times as long for an event of a whole machine
    (``tests/benchmarks``).  No text of the chart gets into the source, but for letters in names.
    """

    def __init__(self, chart: Chart, model: type, arity: int | None) -> None:
        self._chart = chart
        self._model = model
        self._arguments = "*args" if arity is None else ", ".join(f"argument{number}" for number in range(arity))
        self._globals: dict[str, Any] = {"unknown": chart._unknown}
        self._calls: dict[str, str] = {}
        self._states = {state.name: self._named(state.name, state.name) for state in chart.states}
        self._rows = {row: self._named(row, "row") for row in chart.rows}
        self._entries = {state.name: self._state_callbacks(state, "on_enter") for state in chart.states}
        self._exits = {state.name: self._state_callbacks(state, "on_exit") for state in chart.states}

    def compile(self) -> Step:
        source = _STEP.format(arguments=self._arguments)
        functions: dict[str, str] = {}  # by what they do: cells that do the same share one
        cells: dict[str, dict[str, str]] = {}
        for state in self._chart.states:
            for trigger in self._chart.triggers:
                body = "".join(self._body(state.name, trigger))
                if body not in functions:
                    functions[body] = self._named(None, trigger)
                    source += f"\n\ndef {functions[body]}(model, {self._arguments}):\n{body}"
                cells.setdefault(state.name, {})[trigger] = functions[body]
        filename = f"<{self._chart.name} for {self._model.__qualname__}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)  # for tracebacks
        exec(compile(source, filename, "exec"), self._globals)  # noqa: S102 - written above, out of names
        self._globals["cells"] = {
            state: {trigger: self._globals[function] for trigger, function in triggers.items()}
            for state, triggers in cells.items()
        }
        step: Step = self._globals["step"]
        return step

    def _body(self, source: str, trigger: str) -> Iterator[str]:
        for row in self._chart.cell(source, trigger):
            yield from self._calling(row.prepare, "    ")
            guards = [f"{self._call(name)} == True" for name in row.conditions]
            guards += [f"{self._call(name)} == False" for name in row.unless]
            if guards:
                yield f"    if {' and '.join(guards)}:\n"
            indent = "        " if guards else "    "
            yield from self._calling(row.before, indent)
            if row.dest is not None:
                dest = source if row.dest == SAME else row.dest
                yield from self._calling(self._exits[source], indent)
                yield f"{indent}model.state = {self._states[dest]}\n"
                yield from self._calling(self._entries[dest], indent)
            yield from self._calling(row.after, indent)
            yield f"{indent}return {self._rows[row]}\n"

    def _calling(self, callbacks: tuple[str, ...], indent: str) -> Iterator[str]:
        return (f"{indent}{self._call(name)}\n" for name in callbacks)

    def _call(self, callback: str) -> str:
        if callback not in self._calls:
            function = self._named(_callback(self._model, callback), callback)
            self._calls[callback] = f"{function}(model, {self._arguments})"
        return self._calls[callback]

    def _named(self, value: object, label: str) -> str:
        """A name for `value` in the source, like `label`, but unlike any other name or word of the language."""
        name = f"{re.sub(_NO_NAME, '_', label)}_{len(self._globals)}"
        self._globals[name] = value
        return name

    def _state_callbacks(self, state: ChartState, kind: str) -> tuple[str, ...]:
        """A state's callbacks; a method of the model named ``on_enter_<state>`` is one without being listed."""
        names: tuple[str, ...] = getattr(state, kind)
        implicit = f"{kind}_{state.name.name if isinstance(state.name, Enum) else state.name}"
        attribute = inspect.getattr_static(self._model, implicit, None)
        if implicit in names or not hasattr(attribute, "__get__"):
            return names
        if isinstance(attribute, FunctionType | classmethod):
            return (*names, implicit)

        def call_if_method(instance: Any, *args: Any) -> None:  # only the instance can tell what a descriptor yields
            if inspect.ismethod(value := getattr(instance, implicit)):
                value(*args)

        called = f"{implicit} if it is a method"
        self._calls[called] = f"{self._named(call_if_method, implicit)}(model, {self._arguments})"
        return (*names, called)


def _callback(model: type, name: str) -> Callback:
    """The function that calls `name` of an instance of `model`, as `transitions` would resolve it."""
    attribute = inspect.getattr_static(model, name)
    if isinstance(attribute, FunctionType):
        return attribute

    def resolve(instance: Any, *args: Any) -> Any:
        value = getattr(instance, name)
        return value(*args) if callable(value) else value

    return resolve
