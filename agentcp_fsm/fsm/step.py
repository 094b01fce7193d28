"""From a chart to a function that takes one event at a time."""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from types import FunctionType
from typing import Any

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart, ChartState, Step
from agentcp_fsm.fsm.check import check


def compile_chart(chart: Chart, model: type, arity: int | None = None) -> Step:
    """Make the function that steps any instance of `model`.

    `arity` is the number of arguments of every event, where it is always the same.  Knowing it saves a third of an
    event's time.  Callbacks are looked up on the class, once: an instance holds its own ``state`` and nothing of the
    chart.  Raises ChartError where `check` does.
    """
    check(chart, model)
    return _Stepper(chart, model, arity).compile()


_STEP = """\
def step(model, trigger, {arguments}):
    try:
        cell = cells[model.state][trigger]
    except KeyError:
        raise unknown(model.state, trigger) from None
    return cell(model, {arguments})
"""
_NO_NAME = re.compile(r"\W|^(?=\d)", re.ASCII)
"""A character that no name may contain, or the place before a digit that would begin one."""


class _Stepper:
    """Writes a chart's stepper as Python source: a function for each cell, which reads like the cell, and `step`.

        def deadline_passed_41(model, argument0, argument1):
            if deadline_reached_7(model, argument0, argument1) == False:
                return row_61
            if beat_was_answered_9(model, argument0, argument1) == True:
                send_heartbeat_11(model, argument0, argument1)
                return row_66
            …

    This is worth its code: a loop over tables of callbacks takes 1.7 times as long for an event of a whole machine
    (``tests/benchmarks``).  Of the chart's text, only letters, digits and ``_`` get into the source, inside names.
    """

    def __init__(self, chart: Chart, model: type, arity: int | None) -> None:
        self._chart = chart
        self._model = model
        self._arguments = "*args" if arity is None else ", ".join(f"argument{number}" for number in range(arity))
        self._globals: dict[str, Any] = {"unknown": partial(_unknown, chart)}
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
            dest = row.leads_to(source)
            if dest is not None:
                yield from self._calling(self._exits[source], indent)
                yield f"{indent}model.state = {self._states[dest]}\n"
                yield from self._calling(self._entries[dest], indent)
            yield from self._calling(row.after, indent)
            yield f"{indent}return {self._rows[row]}\n"

    def _calling(self, callbacks: tuple[str, ...], indent: str) -> Iterator[str]:
        return (f"{indent}{self._call(name)}\n" for name in callbacks)

    def _call(self, name: str) -> str:
        if name not in self._calls:
            function = self._named(callback(self._model, name), name)
            self._calls[name] = f"{function}(model, {self._arguments})"
        return self._calls[name]

    def _named(self, value: object, label: str) -> str:
        """A name for `value` in the source: like `label`, but unlike any other name and any keyword."""
        name = f"{re.sub(_NO_NAME, '_', label)}_{len(self._globals)}"
        self._globals[name] = value
        return name

    def _state_callbacks(self, state: ChartState, kind: str) -> tuple[str, ...]:
        """A state's callbacks.  A method of the model named ``on_enter_<state>`` is one even if it is not listed."""
        names: tuple[str, ...] = getattr(state, kind)
        implicit = f"{kind}_{state.name.name if isinstance(state.name, Enum) else state.name}"
        attribute = inspect.getattr_static(self._model, implicit, None)
        if implicit in names or not hasattr(attribute, "__get__"):
            return names
        if isinstance(attribute, FunctionType | classmethod):
            return (*names, implicit)

        def call_if_method(instance: Any, *args: Any) -> None:  # only the instance knows what a descriptor yields
            if inspect.ismethod(value := getattr(instance, implicit)):
                value(*args)

        called = f"{implicit} if it is a method"
        self._calls[called] = f"{self._named(call_if_method, implicit)}(model, {self._arguments})"
        return (*names, called)


def _unknown(chart: Chart, state: str, trigger: str) -> ChartError:
    if trigger not in chart.triggers:
        return ChartError(f"{chart.name}: unknown trigger {trigger!r}; the chart has {', '.join(chart.triggers)}")
    return ChartError(f"{chart.name}: unknown state {state!r}; the chart has {', '.join(chart.state_names)}")


def callback(model: type, name: str) -> Callable[..., Any]:
    """The function that calls `name` of an instance of `model`, as `transitions` would resolve it."""
    attribute = inspect.getattr_static(model, name)
    if isinstance(attribute, FunctionType):
        return attribute

    def resolve(instance: Any, *args: Any) -> Any:
        value = getattr(instance, name)
        return value(*args) if callable(value) else value

    return resolve
