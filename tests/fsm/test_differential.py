"""The compiled stepper beside the live `transitions.Machine`: the same states, the same callbacks, the same results."""

import logging
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache, partial, partialmethod, wraps
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Row
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.testing import strategies
from tests.fsm.loose import loose_charts

logging.getLogger("transitions").setLevel(logging.CRITICAL)


class Truthy:
    """Equal to nothing, yet true."""

    def __bool__(self) -> bool:
        return True


class EqualsTrue:
    """Equal to True, and says so in a way of its own."""

    def __eq__(self, other: object) -> Any:
        return "yes" if other is True else ""

    def __ne__(self, other: object) -> Any:
        return "always"

    __hash__ = None  # type: ignore[assignment]


VALUES: list[Any] = [True, False, None, 0, 1, 2, 1.0, 0.0, "", "yes", [], [1], float("nan"), Truthy(), EqualsTrue()]
KINDS = ["method", "static", "class", "property", "property of a function", "attribute", "wrapped", "cached", "partial"]


class BoomError(Exception):
    pass


class Plan:
    """What the callbacks of a model do: how each is defined, what it returns, triggers and raises at its n-th call."""

    def __init__(
        self,
        kinds: dict[str, str],
        values: dict[str, list[Any]],
        nested: dict[int, str],
        boom: int | None,
        arity: int | None = None,
    ) -> None:
        self.kinds, self.values, self.nested, self.boom, self.arity = kinds, values, nested, boom, arity

    def __repr__(self) -> str:
        return f"Plan({self.kinds!r}, {self.values!r}, {self.nested!r}, {self.boom!r}, {self.arity!r})"


def model_of(plan: Plan, fire: Callable[[Any, str, Any], object], names: list[str], start: str) -> Any:
    """An instance of a new class whose callbacks follow the plan; `log` holds the calls, each with its state."""

    class Model:
        state = start
        log: list[Any] = []  # noqa: RUF012 - one list for static methods too; the class is made anew for each model

    holder: list[Any] = []

    def body(name: str, args: tuple[Any, ...]) -> Any:
        instance = holder[0]
        number = len(Model.log)
        Model.log.append((name, instance.state, args))
        if number == plan.boom:
            raise BoomError(name)
        if number in plan.nested:
            Model.log.append(
                ("nested", plan.nested[number], bool(fire(instance, plan.nested[number], ("nested", number))))
            )
        values = plan.values.get(name, [None])
        return values[number % len(values)]

    def read(name: str, _: object) -> Any:
        return body(name, ())

    def get(function: object, _: object) -> object:
        return function

    for name in names:
        kind = plan.kinds.get(name, "method")

        def method(self: Any, *args: Any, name: str = name) -> Any:
            return body(name, args)

        def function(*args: Any, name: str = name) -> Any:
            return body(name, args)

        @wraps(method)
        def wrapped(*args: Any, inner: Callable[..., Any] = method) -> Any:
            return inner(*args)

        attribute: Any = {
            "method": method,
            "static": staticmethod(function),
            "class": classmethod(method),
            "property": property(partial(read, name)),
            "property of a function": property(partial(get, function)),
            "attribute": plan.values.get(name, [None])[0],
            "wrapped": wrapped,
            "cached": lru_cache(maxsize=0)(method),
            "partial": partialmethod(method),
        }[kind]
        setattr(Model, name, attribute)
    model = Model()
    holder.append(model)
    return model


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    names = [*strategies.GUARD_NAMES, *strategies.ACTION_NAMES]
    values = st.lists(st.sampled_from(VALUES), min_size=1, max_size=3)
    implicit = [f"on_{kind}_{state}" for kind in ("enter", "exit") for state in "ABCD"]
    kinds = {name: draw(st.sampled_from(KINDS)) for name in names}
    # Reading a property as an implicit callback is a question of its own: see below.
    kinds |= {name: draw(st.sampled_from(["method", "class", "static", "cached", "wrapped", "attribute", "partial"]))
              for name in draw(st.lists(st.sampled_from(implicit), unique=True))}  # fmt: skip
    nested = draw(st.dictionaries(st.integers(0, 12), st.sampled_from(["t0", "t1", "t2"]), max_size=2))
    return Plan(
        kinds,
        {name: draw(values) for name in names},
        nested,
        draw(st.none() | st.integers(0, 20)),
        draw(st.sampled_from([None, 2])),
    )


def outcome(call: Callable[[], object]) -> object:
    try:
        return bool(call())
    except BoomError as error:
        return str(error)


def both(chart: Chart, plan: Plan, start: str) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """(compiled model, its fire) and (live model, its fire)."""
    names = list(plan.kinds)

    def fire_compiled(model: Any, trigger: str, args: tuple[Any, ...]) -> object:
        return step(model, trigger, *args)

    def fire_live(model: Any, trigger: str, args: tuple[Any, ...]) -> object:
        return machine.events[trigger].trigger(model, *args)

    compiled = model_of(plan, fire_compiled, names, start)
    step = chart.compile(type(compiled), plan.arity)
    live = model_of(plan, fire_live, names, start)
    machine = chart.machine(live)
    type(live).log.clear()  # what transitions looked at while it was made
    type(compiled).log.clear()
    return (compiled, fire_compiled), (live, fire_live)


def events(chart: Chart) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(chart.triggers), min_size=1, max_size=8)


def agree(chart: Chart, plan: Plan, triggers: list[str]) -> None:
    plan.nested = {number: trigger for number, trigger in plan.nested.items() if trigger in chart.triggers}
    (compiled, fire_compiled), (live, fire_live) = both(chart, plan, chart.initial)
    for number, trigger in enumerate(triggers):
        results = [
            outcome(lambda: fire_compiled(compiled, trigger, (number, "argument"))),  # noqa: B023 - called at once
            outcome(lambda: fire_live(live, trigger, (number, "argument"))),  # noqa: B023 - called at once
        ]
        assert compiled.log == live.log
        assert compiled.state == live.state
        assert results[0] == results[1]


@given(data=st.data(), chart=strategies.charts(), plan=plans())
def test_random_charts(data: st.DataObject, chart: Chart, plan: Plan) -> None:
    agree(chart, plan, data.draw(events(chart)))


@given(data=st.data(), chart=loose_charts(("ignore",)), plan=plans())
def test_charts_with_fallbacks_and_a_default(data: st.DataObject, chart: Chart, plan: Plan) -> None:
    agree(chart, plan, data.draw(events(chart)))


@given(data=st.data())
def test_our_chart_with_callbacks_of_any_kind(data: st.DataObject) -> None:
    names = [*(CHART.guards or ()), *(CHART.actions or ())]
    values = st.lists(st.sampled_from(VALUES), min_size=1, max_size=3)
    plan = Plan(
        {name: data.draw(st.sampled_from(KINDS)) for name in names}, {name: data.draw(values) for name in names}, {},
        data.draw(st.none() | st.integers(0, 40)),
    )  # fmt: skip
    start = data.draw(st.sampled_from(CHART.state_names))
    (compiled, fire_compiled), (live, fire_live) = both(CHART, plan, start)
    for trigger in data.draw(events(CHART)):
        results = [
            outcome(lambda: fire_compiled(compiled, trigger, (1, 2))),  # noqa: B023 - called at once
            outcome(lambda: fire_live(live, trigger, (1, 2))),  # noqa: B023 - called at once
        ]
        assert compiled.log == live.log
        assert (compiled.state, results[0]) == (live.state, results[1])


# Corners, by name -----------------------------------------------------------------------------------------------------

ROUND = (Row("t0", "A", "B"), Row("t0", "B", "A"))


def chart_of(*rows: Row, states: str = "AB") -> Chart:
    return Chart("corner", "A", tuple(ChartState(state) for state in states), rows)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__ + repr(value)[:5])
@pytest.mark.parametrize("part", ["conditions", "unless"])
def test_a_guard_is_compared_with_true_or_false(part: str, value: Any) -> None:
    row = Row("t0", "A", "B", **{part: "g0"})  # type: ignore[arg-type]
    chart = chart_of(row, Row("t0", "A", SAME), Row("t0", "B", "A"))
    for kind in KINDS:
        agree(chart, Plan({"g0": kind}, {"g0": [value]}, {}, None), ["t0", "t0"])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "property" not in kind])
@pytest.mark.parametrize("part", ["on_enter", "on_exit"])
@pytest.mark.parametrize("dest", ["B", SAME, None])
def test_implicit_callbacks_of_states(kind: str, part: str, dest: str | None) -> None:
    """A cached method is a method, too; a static one is none."""
    chart = chart_of(Row("t0", "A", dest), Row("t0", "B", "A"), Row("t1", "A", "B"), Row("t1", "B", "A"))
    agree(chart, Plan({f"{part}_A": kind, f"{part}_B": kind}, {}, {}, None), ["t0", "t1", "t0", "t1"])


def test_implicit_callbacks_come_after_the_listed_ones_and_once() -> None:
    states = (ChartState("A", on_exit=("a0",)), ChartState("B", on_enter=("on_enter_B", "a0")))
    chart = Chart("corner", "A", states, ROUND)
    plan = Plan({"a0": "method", "on_enter_B": "method", "on_exit_A": "method"}, {}, {}, None)
    agree(chart, plan, ["t0", "t0"])


def test_a_trigger_inside_of_every_callback() -> None:
    """The row goes on where it was, whatever state the nested event led to."""
    states = (ChartState("A", on_enter=("a1",), on_exit=("a2",)), ChartState("B", on_enter=("a1",), on_exit=("a2",)))
    rows = (
        Row("t0", "A", "B", prepare="a0", conditions="g0", before="a0", after="a0"),
        Row("t0", EVERY, SAME, before="a3"),
        Row("t1", "A", "B"), Row("t1", "B", "A"),
    )  # fmt: skip
    names = ["a0", "a1", "a2", "a3", "g0"]
    for number in range(12):
        for value in (True, False):
            plan = Plan(dict.fromkeys(names, "method"), {"g0": [value]}, {number: "t1"}, None)
            agree(Chart("corner", "A", states, rows), plan, ["t0", "t0", "t1"])


def test_an_exception_leaves_the_state_where_it_was() -> None:
    states = (ChartState("A", on_exit=("a2",)), ChartState("B", on_enter=("a1",)))
    rows = (Row("t0", "A", "B", prepare="a0", conditions="g0", before="a0", after="a3"), Row("t0", "A", None), ROUND[1])
    names = ["a0", "a1", "a2", "a3", "g0"]
    for number in range(7):
        plan = Plan(dict.fromkeys(names, "method"), {"g0": [True]}, {}, number)
        agree(Chart("corner", "A", states, rows), plan, ["t0", "t0"])


class Light(StrEnum):
    RED = "red light"
    GREEN = "green light"


class Lamp:
    state: str = Light.RED

    def __init__(self) -> None:
        self.log: list[str] = []

    def on_enter_GREEN(self) -> None:  # noqa: N802 - as transitions spells it
        self.log.append("GREEN")


def test_states_of_an_enumeration_are_called_by_its_names() -> None:
    """transitions names a state by the member's name; the stepper used to take its value."""
    rows = (Row("t0", Light.RED, Light.GREEN), Row("t0", Light.GREEN, Light.RED))
    chart = Chart("lamp", Light.RED, (ChartState(Light.RED), ChartState(Light.GREEN)), rows)
    compiled, live = Lamp(), Lamp()
    step, machine = chart.compile(Lamp), chart.machine(live)
    for _ in range(3):
        assert step(compiled, "t0")
        assert machine.events["t0"].trigger(live)
        assert (compiled.state, compiled.log) == (live.state, live.log)
        assert isinstance(compiled.state, Light)
        assert isinstance(live.state, Light)
    assert compiled.log == ["GREEN", "GREEN"]
