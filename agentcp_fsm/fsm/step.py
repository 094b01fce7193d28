"""From a chart to a function that takes one event at a time."""

from __future__ import annotations

import linecache
import re
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import count
from typing import Any, Protocol, TypeVar

from agentcp_fsm.errors import ChartError, UndecidedError
from agentcp_fsm.fsm.callbacks import Call, ClassCallbacks, Method, Use, check_arity
from agentcp_fsm.fsm.chart import Chart, ChartState, Row, name_of
from agentcp_fsm.fsm.check import check
from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.fsm.protocols import QueuedStep, Step

M = TypeVar("M")


WATCHERS: list[Callable[[Chart, str, Row], None]] = []
"""Each is called with the chart, the state and the row of every event, by steps that are compiled while it is here."""


class Callbacks(Protocol):
    """Where the callbacks of a chart come from."""

    label: str

    def find(self, name: str, use: Use) -> Call:
        """How a callback that the chart names is called."""

    def of_state(self, state: ChartState, kind: str) -> list[Call]:
        """How the callbacks of a state are called; `kind` is ``on_enter`` or ``on_exit``."""


def compile_chart(chart: Chart, model: type[M], arity: int | None = None) -> Step[M]:
    """Make the function that steps any instance of `model`, or of a subclass.

    `arity` is the number of arguments of every event, where it is always the same.  Knowing it saves a third of an
    event's time; such an event takes no arguments by keyword.  Callbacks are looked up when they are called, so those
    of a subclass or an instance hold; only the implicit ``on_enter_STATE`` must be a method of `model` itself.  An
    instance holds its own ``state`` and nothing of the chart.  Raises ChartError where `check` does, and for a method
    that does not take `arity` arguments.
    """
    check(chart, model)
    if arity is not None:
        check_arity(chart, model, arity)
    return compile_with(chart, ClassCallbacks(model), arity)


def compile_with(chart: Chart, callbacks: Callbacks, arity: int | None = None) -> Step[Any]:
    """Make the function that steps any model with these callbacks, of a chart that was checked."""
    if arity is not None:
        return _Stepper(chart, callbacks, [f"argument{number}" for number in range(arity)]).compile()
    with_keywords = cache(lambda: _Stepper(chart, callbacks, ["*args", "**kwargs"]).compile())
    return _Stepper(chart, callbacks, ["*args"]).compile(with_keywords)


def run_to_completion(chart: Chart, step: Step[M]) -> QueuedStep[M]:
    """Make a step that lets the events wait that callbacks send to their own model."""
    waiting: dict[int, deque[tuple[str, tuple[object, ...], dict[str, object]]]] = {}
    triggers = frozenset(chart.triggers)

    def queued(model: M, trigger: str, /, *args: object, **kwargs: object) -> Row | None:
        events = waiting.get(id(model))
        if events is not None:
            if trigger not in triggers:
                raise unknown_event(chart, model, trigger)
            events.append((trigger, args, kwargs))
            return None
        events = waiting[id(model)] = deque()
        try:
            row = step(model, trigger, *args, **kwargs)
            while events:
                later, its_args, its_kwargs = events.popleft()
                step(model, later, *its_args, **its_kwargs)
        finally:
            del waiting[id(model)]
        return row

    return queued


_STEP = """\
def step(model, trigger, /{parameters}):{first}
    try:
        cell = cells[model.state][trigger]
    except (AttributeError, KeyError, TypeError):
        raise unknown(model, trigger) from None
    return cell(model{arguments})
"""
_KEYWORDS = """
    if kwargs:
        return with_keywords()(model, trigger, *args, **kwargs)"""
"""Few events have keyword arguments, and passing on none would cost time in each callback."""
_NO_NAME = re.compile(r"\W|^(?=\d)", re.ASCII)
"""A character that no name may contain, or the place before a digit that would begin one."""
_NUMBERS = count(1)
"""Of the sources, so that no two have the same name."""


class _Stepper:
    """Writes a chart's stepper as Python source: a function for each cell, which reads like the cell, and `step`.

        def deadline_passed_41(model, /, argument0, argument1):
            if model.deadline_reached(argument0, argument1) == False:
                return row_61
            if model.beat_was_answered(argument0, argument1) == True:
                model.send_heartbeat(argument0, argument1)
                return row_66
            …

    This is worth its code: a loop over tables of callbacks takes 1.7 times as long for an event of a whole machine
    (``tests/benchmarks``).  Of the chart's text, only letters, digits and ``_`` get into the source, inside names.
    """

    def __init__(self, chart: Chart, callbacks: Callbacks, arguments: Sequence[str]) -> None:
        self._chart = chart
        self._callbacks = callbacks
        self._arguments = ", ".join(arguments)
        self._globals: dict[str, Any] = {
            "unknown": partial(unknown_event, chart), "undecided": partial(_undecided, chart),
        }  # fmt: skip
        self._calls: dict[tuple[Use, str], str] = {}
        self._states = {state.name: self._named(state.value, state.name) for state in chart.states}
        self._rows = {row: self._named(row, "row") for row in chart.all_rows}
        self._entries = {state.name: self._of_state(state, "on_enter") for state in chart.states}
        self._exits = {state.name: self._of_state(state, "on_exit") for state in chart.states}

    def compile(self, with_keywords: Callable[[], Step[Any]] | None = None) -> Step[Any]:
        """Write and load the source; `with_keywords` makes the step for events with keyword arguments."""
        more = f", {self._arguments}" if self._arguments else ""
        if with_keywords is None:
            source = _STEP.format(parameters=more, first="", arguments=more)
        else:
            self._globals["with_keywords"] = with_keywords
            source = _STEP.format(parameters=f"{more}, **kwargs", first=_KEYWORDS, arguments=more)
        functions: dict[str, str] = {}  # by what they do: cells that do the same share one
        cells: dict[str, dict[str, str]] = {state.name: {} for state in self._chart.states}
        parts = [source]
        for name, its in cells.items():
            for trigger in self._chart.triggers:
                body = "".join(self._body(name, trigger))
                if not body:
                    continue  # undecided, and no row asks anything
                if body not in functions:
                    functions[body] = self._named(None, trigger)
                    parts.append(f"\n\ndef {functions[body]}(model, /{more}):\n{body}")
                its[trigger] = functions[body]
        source = "".join(parts)
        filename = f"<{self._label()} {next(_NUMBERS)}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)  # for tracebacks
        exec(compile(source, filename, "exec"), self._globals)  # noqa: S102 - written above, out of names
        self._globals["cells"] = {
            state.value: {
                trigger: _watched(self._globals[function], self._chart, state.name)
                for trigger, function in cells[state.name].items()
            }
            for state in self._chart.states
        }
        step: Step[Any] = self._globals["step"]
        weakref.finalize(step, linecache.cache.pop, filename, None).atexit = False
        return step

    def _label(self) -> str:
        return printable(f"{self._chart.name} for {self._callbacks.label}")

    def _body(self, source: str, trigger: str) -> Iterator[str]:
        cell = self._chart.cell(source, trigger)
        for row in cell:
            yield from self._calling(row.prepare, "    ")
            guards = [f"{self._call(name, 'guard')} == True" for name in row.conditions]
            guards += [f"{self._call(name, 'guard')} == False" for name in row.unless]
            if guards:
                yield f"    if {' and '.join(guards)}:\n"
            indent = "        " if guards else "    "
            yield from self._calling(row.before, indent)
            dest = row.leads_to(source)
            if dest is not None:
                yield from (f"{indent}{call}\n" for call in self._exits[source])
                yield f"{indent}model.state = {self._states[dest]}\n"
                yield from (f"{indent}{call}\n" for call in self._entries[dest])
            yield from self._calling(row.after, indent)
            yield f"{indent}return {self._rows[row]}\n"
        if cell and cell[-1].guards:
            yield f"    raise undecided({self._states[source]}, {self._named(trigger, 'trigger')})\n"

    def _calling(self, callbacks: tuple[str, ...], indent: str) -> Iterator[str]:
        return (f"{indent}{self._call(name, 'action')}\n" for name in callbacks)

    def _call(self, name: str, use: Use) -> str:
        if (use, name) not in self._calls:
            self._calls[use, name] = self._written(self._callbacks.find(name, use), name)
        return self._calls[use, name]

    def _written(self, call: Call, label: str) -> str:
        if isinstance(call, Method):
            return f"model.{call.name}({self._arguments})"
        return f"{self._named(call, label)}(model{', ' if self._arguments else ''}{self._arguments})"

    def _of_state(self, state: ChartState, kind: str) -> list[str]:
        return [self._written(call, f"{kind}_{state.name}") for call in self._callbacks.of_state(state, kind)]

    def _named(self, value: object, label: str) -> str:
        """A name for `value` in the source: like `label`, but unlike any other name and any keyword."""
        name = f"{re.sub(_NO_NAME, '_', label)}_{len(self._globals)}"
        self._globals[name] = value
        return name


def _watched(cell: Callable[..., Row], chart: Chart, state: str) -> Callable[..., Row]:
    """The cell's function itself, unless anybody watches."""
    watchers = tuple(WATCHERS)
    if not watchers:
        return cell

    def watched(model: object, /, *args: object, **kwargs: object) -> Row:
        row = cell(model, *args, **kwargs)
        for watcher in watchers:
            watcher(chart, state, row)
        return row

    return watched


def unknown_event(chart: Chart, model: Any, trigger: object) -> ChartError:
    """The error for an event that has no cell."""
    if trigger not in chart.triggers:
        return ChartError(f"{chart.name}: unknown trigger {trigger!r}; the chart has {', '.join(chart.triggers)}")
    try:
        state = model.state
    except AttributeError:
        if hasattr(type(model), "state"):
            raise  # a property's own mistake
        kind = type(model).__name__
        return ChartError(f"{chart.name}: this {kind} has no state; set it to {chart.initial!r} in {kind}.__init__")
    if state in [known.value for known in chart.states]:
        return _undecided(chart, state, trigger)
    return ChartError(f"{chart.name}: unknown state {state!r}; the chart has {', '.join(chart.state_names)}")


def _undecided(chart: Chart, state: Any, trigger: object) -> UndecidedError:
    where = f"{trigger} in {name_of(state)}"
    return UndecidedError(f"{chart.name}: no row decides {where}; the chart makes this an error")
