"""A malformed chart, or a model that does not fit, ends in a ChartError that names the place, and in nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Role, Row
from agentcp_fsm.testing import Walk


class Colour(Enum):
    RED = 1
    GREEN = "A"


class Model:
    state: Any = "A"
    flag = True

    def g(self) -> bool:
        return True

    def a(self) -> None:
        pass


words = st.sampled_from(
    ["A", "B", "go", "g", "a", "", "state", "trigger", EVERY, SAME, "on_enter_B", "__class__", "é\n"]
)
junk: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        words,
        st.sampled_from(
            [None, 0, 1, True, False, float("nan"), b"A", print, Model, Model(), Colour.RED, Role.REST, ...]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(words, inner, max_size=2)
    ),
    max_leaves=4,
)


PARTS = (
    "chart", "initial", "states", "rows", "guards", "actions", "undecided", "events", "model", "state", "meaning",
    "owns", "on_enter", "on_exit", "final", "role", "trigger", "source", "dest", "prepare", "conditions", "unless",
    "before", "after", "reason", "ignored",
)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[Callable[[], Chart], Any]:
    """How to make a chart of which up to two parts may be anything, and a model for it."""
    spoilt = draw(st.sets(st.sampled_from(PARTS), max_size=2))

    def part(name: str, *right: Any) -> Any:
        return draw(st.sampled_from(right) | junk if name in spoilt else st.sampled_from(right))

    def callbacks(name: str) -> Any:
        return part(name, (), "a", ["flag", "a"])

    states = [
        [part("state", name), part("meaning", ""), part("owns", ""), callbacks("on_enter"), callbacks("on_exit"),
         part("final", False), part("role", None, "rest")]
        for name in "AB"
    ]  # fmt: skip
    rows = [
        {"trigger": part("trigger", "go"), "source": part("source", name, EVERY), "dest": part("dest", "A", "B"),
         "reason": part("reason", ""), "ignored": part("ignored", False)}
        | {name: callbacks(name) for name in ("prepare", "before", "after")}
        | {"conditions": part("conditions", (), "g"), "unless": part("unless", (), "flag")}
        for name in "ABAB"[: draw(st.integers(1, 4))]
    ]  # fmt: skip
    name, initial = part("chart", "any"), part("initial", "A")
    others = {part_name: part(part_name, None) for part_name in ("guards", "actions", "events")}
    others["undecided"] = part("undecided", None, "ignore", "raise")
    wholes = {"states": part("states", None), "rows": part("rows", None)}

    def make() -> Chart:
        made = {"states": [ChartState(*each) for each in states], "rows": [Row(**each) for each in rows]}
        made |= {whole: value for whole, value in wholes.items() if value is not None}
        return Chart(name, initial, **made, **others)  # type: ignore[arg-type]

    return make, part("model", Model)


@settings(max_examples=500)
@given(spoilt())
def test_whatever_is_given_to_the_check_it_ends_in_a_chart_error_or_passes(given: tuple[Any, Any]) -> None:
    make, model = given
    try:
        chart = make()
        chart.check(model)
    except ChartError:
        return
    if model is not None:
        chart.compile(model)


OPEN, SHUT = ChartState("open"), ChartState("shut")
ROWS = (Row("push", "open", "shut"), Row("push", "shut", "open"))


def with_row(**parts: Any) -> Chart:
    return Chart("door", "open", (OPEN, SHUT), (Row("push", "open", "shut", **parts), ROWS[1]))


def with_state(*args: Any, **parts: Any) -> Chart:
    return Chart("door", "open", (OPEN, ChartState(*args, **parts)), ROWS)


REFUSED: dict[str, tuple[Callable[[], Chart], str]] = {
    "a function": (
        lambda: with_row(after=print),
        "door: row <push: open → shut>: its after is <built-in function print>, not a name, or a tuple of names; "
        "name it, and give the model a method of that name",
    ),
    "a function in a list": (
        lambda: with_row(conditions=["g", len]),
        "door: row <push: open → shut [g, <built-in function len>]>: its conditions is <built-in function len>, not a",
    ),
    "no name": (lambda: with_row(after=""), "door: row <push: open → shut> names a callback without a name; remove it"),
    "a callback named as the state": (
        lambda: with_row(before="state"),
        "door: row <push: open → shut> names the callback 'state', which is the model's state itself; rename it",
    ),
    "a state's callback named as the state": (
        lambda: with_state("shut", on_exit="state"), "door: state shut names the callback 'state', which is",
    ),
    "an unknown role": (
        lambda: with_state("shut", role="happy"),
        "door: state shut has the unknown role 'happy'; there are rest, working, healthy, impaired, waiting, leaving",
    ),
    "a final that is no boolean": (
        lambda: with_state("shut", final="yes"), "door: state shut: its final is 'yes', not True or False",
    ),
    "a state named as every state": (
        lambda: Chart("door", "*", (ChartState("*"),), ()),
        "door: a state is named '*', which has a meaning of its own in rows; rename it",
    ),
    "a state named as the same state": (
        lambda: Chart("door", "=", (ChartState("="),), ()),
        "door: a state is named '=', which has a meaning of its own in rows; rename it",
    ),
    "a state without a name": (
        lambda: Chart("door", "", (ChartState(""),), ()), "door: a state has no name; give it one",
    ),
    "a name for a state": (
        lambda: Chart("door", "open", ("open", "shut"), ROWS),  # type: ignore[arg-type]
        "door: its states hold 'open', which is no ChartState; write ChartState(…)",
    ),
    "a tuple for a row": (
        lambda: Chart("door", "open", (OPEN, SHUT), [("push", "open", "shut")]),  # type: ignore[list-item]
        "door: its rows hold ('push', 'open', 'shut'), which is no Row; write Row(…)",
    ),
    "one state for several": (
        lambda: Chart("door", "open", OPEN, ROWS), "door: its states are ChartState(name='open'",  # type: ignore[arg-type]
    ),
    "a glossary that is none": (
        lambda: Chart("door", "open", (OPEN, SHUT), ROWS, ["g"]),  # type: ignore[arg-type]
        "door: its guards are ['g']; give a dictionary of names and meanings",
    ),
    "another default": (
        lambda: Chart("door", "open", (OPEN, SHUT), ROWS, undecided="warn"),  # type: ignore[arg-type]
        "door: undecided is 'warn'; it may be 'ignore', 'raise' or None",
    ),
    "a row without a trigger": (
        lambda: Chart("door", "open", (OPEN, SHUT), (*ROWS, Row("", "open", None))),
        "door: row <: open → no change> has no trigger; name it",
    ),
    "a final state with an exit": (
        lambda: with_state("shut", final=True),
        "door: the state shut is final, and row <push: shut → open> leads out of it; do one of the two",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    chart, text = REFUSED[name]
    with pytest.raises(ChartError) as caught:
        chart().check()
    assert str(caught.value).startswith(text)


# Accepted, as it is plain what is meant -------------------------------------------------------------------------------


def test_a_name_alone_and_lists_do_for_tuples() -> None:
    """A string as on_enter, and any list, ended in a TypeError."""
    states = [ChartState("A", on_exit=["leave"]), ChartState("B", on_enter="click")]
    chart = Chart("lists", "A", states, [Row("go", ["A"], "B"), Row("go", "B", "A")])
    assert chart == Chart(
        "lists",
        "A",
        (ChartState("A", on_exit=("leave",)), ChartState("B", on_enter=("click",))),
        (Row("go", "A", "B"), Row("go", "B", "A")),
    )
    assert hash(chart) == hash(chart)
    assert Walk(chart).send("go") == ["leave", "click"]


def test_a_role_may_be_written_as_its_word() -> None:
    assert ChartState("A", role="healthy").role is Role.HEALTHY


class Light(Enum):
    RED = 1
    GREEN = 2


class Letter(str, Enum):  # noqa: UP042 - not the same: see name_of
    FIRST = "a"
    SECOND = "b"


@pytest.mark.parametrize(("one", "other"), [(Light.RED, Light.GREEN), (Letter.FIRST, Letter.SECOND)])
def test_members_of_any_enumeration_are_states(one: Any, other: Any) -> None:
    rows = (Row("go", one, other), Row("go", other, one), Row("stay", (one, other), None))
    assert Row("stay", Light, None).source == ("RED", "GREEN"), "an enumeration is all its members"
    chart = Chart("lamp", one, (ChartState(one), ChartState(other, on_enter="note")), rows)

    class Lamp:
        def __init__(self) -> None:
            self.state = one
            self.notes = 0

        def note(self) -> None:
            self.notes += 1

    step = chart.compile(Lamp)
    compiled, live = Lamp(), Lamp()
    chart.machine(live)
    for expected in (other, one, other):
        step(compiled, "go")
        live.go()  # type: ignore[attr-defined]
        assert compiled.state is live.state is expected
        assert chart.enabled(compiled) == ("go", "stay")
    assert compiled.notes == live.notes == 2
    names = ("RED", "GREEN") if one is Light.RED else ("a", "b")
    assert chart.state_names == names
    walk = Walk(chart)
    walk.send("go")
    assert walk.state == names[1]
    chart.check(Lamp)


def test_a_state_that_is_replaced_keeps_its_member() -> None:
    assert replace(ChartState(Light.RED), meaning="stop").value is Light.RED
    assert replace(ChartState(Light.RED), name="blue").value == "blue"
