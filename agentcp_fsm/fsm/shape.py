"""What a chart is made of: parts of the wrong type are refused when it is made, before anything looks at them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, NoReturn

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import OTHERWISE, ChartState, Role, Row

TEXT, NAMES, FLAG = "a text", "a name, or a tuple of names", "True or False"
STATE_PARTS = {
    "name": TEXT, "meaning": TEXT, "owns": TEXT, "on_enter": NAMES, "on_exit": NAMES, "final": FLAG,
}  # fmt: skip
ROW_PARTS = {
    "trigger": TEXT, "source": NAMES, "prepare": NAMES, "conditions": NAMES, "unless": NAMES, "before": NAMES,
    "after": NAMES, "reason": TEXT, "ignored": FLAG,
}  # fmt: skip


def checked_parts(
    name: object, initial: object, states: object, rows: object, guards: object, actions: object, undecided: object,
    events: object,
) -> dict[str, Any]:  # fmt: skip
    """The parts of a chart, by name: lists become tuples, glossaries dictionaries of its own.

    Raises ChartError, which names the state or the row, for a part of another type than it should be.
    """
    if not isinstance(name, str):
        _refuse("a chart", f"the name {name!r} is no text")
    if not isinstance(initial, str):
        _refuse(name, f"the initial state {initial!r} is no text")
    states = _listed(name, "states", states, ChartState)
    rows = _listed(name, "rows", rows, Row)
    for state in states:
        place = f"state {state.name}"
        _check_parts(name, place, state, STATE_PARTS)
        if not (state.role is None or isinstance(state.role, Role)):
            _refuse(name, f"{place} has the unknown role {state.role!r}; there are {', '.join(Role)}")
    for row in rows:
        _check_parts(name, f"row <{row}>", row, ROW_PARTS)
        if not (row.dest is None or isinstance(row.dest, str)):
            _refuse(name, f"row <{row}>: its dest is {row.dest!r}, not {TEXT} or None")
    if not (undecided is None or (isinstance(undecided, str) and undecided in OTHERWISE)):
        _refuse(name, f"undecided is {undecided!r}; it may be 'ignore', 'raise' or None")
    return {
        "name": name,
        "initial": initial,
        "states": states,
        "rows": rows,
        "guards": _glossary(name, "guards", guards),
        "actions": _glossary(name, "actions", actions),
        "undecided": undecided,
        "events": None if events is None else tuple(_events(name, events)),
    }


def with_implicit_callbacks(states: tuple[ChartState, ...], rows: tuple[Row, ...]) -> tuple[ChartState, ...]:
    """The states, with each callback that some row or state names ``on_enter_STATE`` or ``on_exit_STATE``.

    A model that has such a method has it called by `transitions` and by the stepper; so whoever reads the chart shall
    find it with its state.
    """
    named = {name for row in rows for name in row.callbacks}
    named.update(name for state in states for name in state.on_enter + state.on_exit)
    if not any(name.startswith(("on_enter_", "on_exit_")) for name in named):
        return states

    def listed(state: ChartState, kind: str) -> tuple[str, ...]:
        names: tuple[str, ...] = getattr(state, kind)
        implicit = implicit_name(state, kind)
        return (*names, implicit) if implicit in named and implicit not in names else names

    return tuple(
        replace(state, on_enter=listed(state, "on_enter"), on_exit=listed(state, "on_exit")) for state in states
    )


def implicit_name(state: ChartState, kind: str) -> str:
    """The name of the method that is a state's callback of this kind even if no chart lists it."""
    return f"{kind}_{state.value.name if isinstance(state.value, Enum) else state.name}"


def _listed(chart: str, what: str, value: object, kind: type) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        _refuse(chart, f"its {what} are {value!r}; give a tuple of {kind.__name__}")
    found = tuple(value)
    for each in found:
        if not isinstance(each, kind):
            _refuse(chart, f"its {what} hold {each!r}, which is no {kind.__name__}; write {kind.__name__}(…)")
    return found


def _check_parts(chart: str, place: str, whole: object, parts: Mapping[str, str]) -> None:
    for part, wanted in parts.items():
        value = getattr(whole, part)
        if wanted is FLAG:
            right = isinstance(value, bool)
        elif wanted is TEXT:
            right = isinstance(value, str)
        else:
            value = next((name for name in value if not isinstance(name, str)), "")
            right = isinstance(value, str)
        if not right:
            remedy = "; name it, and give the model a method of that name" if callable(value) else ""
            _refuse(chart, f"{place}: its {part} is {value!r}, not {wanted}{remedy}")


def _glossary(chart: str, what: str, value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        _refuse(chart, f"its {what} are {value!r}; give a dictionary of names and meanings")
    for name, meaning in value.items():
        if not (isinstance(name, str) and isinstance(meaning, str)):
            _refuse(chart, f"its {what} say {meaning!r} of {name!r}; a name and its meaning are texts")
    return dict(value)


def _events(chart: str, value: object) -> Iterator[type]:
    if not isinstance(value, Iterable):
        _refuse(chart, f"its events are {value!r}; give a tuple of classes")
    for event in value:
        if not (isinstance(event, type) and isinstance(getattr(event, "trigger", None), str)):
            _refuse(chart, f"its events hold {event!r}, which is no class with a trigger, such as trigger = 'go'")
        yield event


def _refuse(chart: str, problem: str) -> NoReturn:
    raise ChartError(f"{chart}: {problem}")
