"""The callbacks that a chart names, in the class of its model: how each is called, and which can never work.

A name is looked up when it is called, on the model itself.  So a method of a subclass, or what ``__init__`` or a test
has put on the instance, is called instead of the class' own.  What is not callable (a flag, a property) is the answer
itself.
"""

from __future__ import annotations

import dis
import inspect
import keyword
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partialmethod
from types import FunctionType, UnionType
from typing import Annotated, Any, ClassVar, Final, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.shape import implicit_name

_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A name that Python's source takes as it is."""
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Method:
    """A plain method of the model's class: ``model.NAME(…)`` calls it, or what a subclass or instance has instead."""

    name: str


Call = Method | Callable[..., object]
"""How a callback is called; a function takes the model first."""
Use = Literal["guard", "action"]
Named = tuple[Row | ChartState, Use, str]
"""The row or the state that names a callback, as what, and its name."""


class ClassCallbacks:
    """The callbacks of the instances of a class."""

    def __init__(self, model: type) -> None:
        self._model = model
        self.label = model.__qualname__

    def find(self, name: str, use: Use) -> Call:
        """How `name` is called, as `transitions` would resolve it."""
        attribute = inspect.getattr_static(self._model, name, None)
        if isinstance(attribute, FunctionType) and _ATTRIBUTE.fullmatch(name) and not keyword.iskeyword(name):
            return Method(name)

        def resolve(instance: Any, /, *args: Any, **kwargs: Any) -> object:
            value = getattr(instance, name)
            return value(*args, **kwargs) if callable(value) else value

        return resolve

    def of_state(self, state: ChartState, kind: str) -> list[Call]:
        """A state's callbacks; a method of the class named ``on_enter_STATE`` is one even if the chart names it not."""
        names: tuple[str, ...] = getattr(state, kind)
        calls = [self.find(name, "action") for name in names]
        implicit = implicit_name(state, kind)
        attribute = inspect.getattr_static(self._model, implicit, None)
        if implicit in names or not hasattr(attribute, "__get__"):
            return calls
        if isinstance(attribute, FunctionType | classmethod):
            return [*calls, self.find(implicit, "action")]

        def call_if_method(instance: Any, /, *args: Any, **kwargs: Any) -> None:  # only the instance knows
            if inspect.ismethod(value := getattr(instance, implicit)):
                value(*args, **kwargs)

        return [*calls, call_if_method]


def refuse(chart: Chart, problem: str) -> NoReturn:
    """Raise a ChartError of this chart."""
    raise ChartError(f"{chart.name}: {problem}")


def place_of(whole: Row | ChartState) -> str:
    """A row or a state as errors name it."""
    return f"row <{whole}>" if isinstance(whole, Row) else f"state {whole.name}"


def named_callbacks(chart: Chart) -> Iterator[Named]:
    """Each callback that the chart names."""
    for row in chart.rows:
        yield from ((row, "action", name) for name in row.prepare)
        yield from ((row, "guard", name) for name in row.conditions + row.unless)
        yield from ((row, "action", name) for name in row.before + row.after)
    for state in chart.states:
        yield from ((state, "action", name) for name in state.on_enter + state.on_exit)


def check_callbacks(chart: Chart, model: type, instance: object = None) -> None:
    """Refuse a class, or an `instance` of it, that lacks a callback of the chart, or whose callback can never work.

    An attribute counts if the class or a base has it, annotates it, names it in ``__slots__`` or sets it in its
    ``__init__``.  Raises ChartError, which names the row or the state, for: a missing one; an asynchronous or a
    generator function, which would not run; a guard that is annotated to return anything but a boolean; with event
    classes, a callback whose first argument is annotated as another class than the row's event.
    """
    if not isinstance(model, type):
        refuse(chart, f"{model!r} is an instance: give its class, {type(model).__name__}")
    hints, assigned = _hints(model), set(_assigned(model))
    seen: set[tuple[Use, str]] = set()
    for whole, use, name in [*named_callbacks(chart), *_implicit_callbacks(chart, model)]:
        if (use, name) in seen:
            continue
        seen.add((use, name))
        attribute = inspect.getattr_static(model, name, _ABSENT)
        if attribute is not _ABSENT:
            _check_function(chart, model, whole, use, name, attribute)
        elif not (hasattr(model, name) or name in hints or name in assigned or _has(instance, name)):
            refuse(
                chart,
                f"{place_of(whole)} names the callback {name!r}, which {model.__name__} does not have; define it, or "
                "annotate it in the class if its instances get it later",
            )
        if use == "guard" and name in hints and not (_may_be_boolean(hints[name]) or _may_be_called(hints[name])):
            refuse(
                chart,
                f"{place_of(whole)} asks {model.__name__}.{name}, which is annotated as {_shown(hints[name])}; {_RULE}",
            )
    if chart.events is not None:
        _check_event_arguments(chart, model)


def check_arity(chart: Chart, model: type, arity: int) -> None:
    """Refuse a class with a plain method as a callback that does not take this number of arguments."""
    seen: set[str] = set()
    for whole, _, name in [*named_callbacks(chart), *_implicit_callbacks(chart, model)]:
        method = inspect.getattr_static(model, name, None)
        if name in seen or not isinstance(method, FunctionType):
            continue
        seen.add(name)
        signature = inspect.signature(method, follow_wrapped=False)
        try:
            signature.bind(*[None] * (1 + arity))
        except TypeError:
            refuse(
                chart,
                f"{place_of(whole)} calls {model.__name__}.{name}{signature}, which does not take the number of "
                f"arguments of each event, {arity}; mend it, or compile without arity",
            )


_RULE = "a guard is True or False, and anything else equals neither: annotate it as bool"


def _implicit_callbacks(chart: Chart, model: type) -> Iterator[Named]:
    for state in chart.states:
        for kind in ("on_enter", "on_exit"):
            name = implicit_name(state, kind)
            if inspect.getattr_static(model, name, None) is not None:
                yield state, "action", name


def _has(instance: object, name: str) -> bool:
    return instance is not None and hasattr(instance, name)


def _check_function(chart: Chart, model: type, whole: Row | ChartState, use: Use, name: str, attribute: object) -> None:
    function = _function(attribute)
    called = function if inspect.isroutine(function) else getattr(type(function), "__call__", None)  # noqa: B004
    for each in (function, called):
        is_generator = inspect.isgeneratorfunction(each)
        if is_generator or inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each):
            refuse(
                chart,
                f"{place_of(whole)} names {model.__name__}.{name}, which is "
                f"{'a generator' if is_generator else 'asynchronous'}: nothing would run it; make it a plain function",
            )
    returned = _hints(called).get("return", bool)
    is_computed = isinstance(attribute, property | cached_property)  # so what it returns may be called in turn
    if use == "guard" and not (_may_be_boolean(returned) or (is_computed and _may_be_called(returned))):
        refuse(chart, f"{place_of(whole)} asks {model.__name__}.{name}, which returns {_shown(returned)}; {_RULE}")


def _function(attribute: object) -> object:
    """The function behind an attribute of a class."""
    if isinstance(attribute, staticmethod | classmethod):
        return attribute.__func__
    if isinstance(attribute, property):
        return attribute.fget
    if isinstance(attribute, cached_property | partialmethod):
        return attribute.func
    return attribute


def _hints(owner: object) -> dict[str, Any]:
    """The annotations of a class or a function; none if they cannot be read here."""
    try:
        return get_type_hints(owner) if callable(owner) else {}
    except Exception:  # noqa: BLE001 - they may be any code, and may name what is imported for a type checker only
        return {}


def _assigned(model: type) -> Iterator[str]:
    """The attributes that the constructors of a class assign."""
    for base in model.__mro__:
        constructor = inspect.unwrap(vars(base).get("__init__", object.__init__))
        if isinstance(constructor, FunctionType):
            for step in dis.get_instructions(constructor):
                if step.opname == "STORE_ATTR":
                    yield step.argval


def _may_be_boolean(hint: object) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return all(map(_may_be_boolean, arguments))
    if origin in (Annotated, ClassVar, Final):
        return _may_be_boolean(arguments[0])
    if origin is Literal:
        return all(isinstance(value, bool) for value in arguments)
    kind = hint if origin is None else origin
    return kind in (bool, object, Any) if isinstance(kind, type) else True


def _may_be_called(hint: object) -> bool:
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and any("__call__" in vars(base) for base in kind.__mro__)


def _shown(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _check_event_arguments(chart: Chart, model: type) -> None:
    events = {event.trigger: event for event in chart.events or ()}  # type: ignore[attr-defined]
    expected: dict[str, tuple[type, ...]] = {}
    states = {state.name: state for state in chart.states}
    for row in chart.rows:
        event = events[row.trigger]
        names = [*row.callbacks]
        for source in chart.sources(row) if row.dest is not None else ():
            names += [*states[source].on_exit, *states[row.leads_to(source) or source].on_enter]
        for name in dict.fromkeys(names):
            if name not in expected:
                expected[name] = _first_argument(inspect.getattr_static(model, name, None))
            wanted = expected[name]
            if wanted and not issubclass(event, wanted):
                shown = " or ".join(kind.__name__ for kind in wanted)
                refuse(
                    chart,
                    f"row <{row}> calls {model.__name__}.{name} with a {event.__name__}, and it takes a {shown}; "
                    "take the row's own event, or a base class of it",
                )


def _first_argument(attribute: object) -> tuple[type, ...]:
    """The classes as which a callback's first argument is annotated; none if that is not known."""
    function = _function(attribute)
    if not isinstance(function, FunctionType) or isinstance(attribute, property | cached_property | partialmethod):
        return ()
    code = function.__code__
    names = code.co_varnames[: code.co_argcount][0 if isinstance(attribute, staticmethod) else 1 :]
    hint = _hints(function).get(names[0]) if names else None
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return kinds if all(isinstance(kind, type) for kind in kinds) else ()
