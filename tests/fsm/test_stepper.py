"""The stepper is generated source: no name in a chart may matter to it."""

from __future__ import annotations

import copy
import gc
import linecache
import pickle
import threading
import traceback
from dataclasses import replace
from types import MappingProxyType
from typing import Any, assert_type

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Row
from agentcp_fsm.fsm.protocols import QueuedStep, Step

names = st.text(min_size=1).filter(lambda name: name not in (EVERY, SAME))
callback_names = names.filter(lambda name: not name.startswith(("__", "on")))


@given(
    states=st.lists(names, min_size=2, max_size=2, unique=True),
    triggers=st.lists(names.map(lambda name: f"on {name}"), min_size=2, max_size=2, unique=True),
    callbacks=st.lists(callback_names.map(lambda name: f"{name}_"), min_size=3, max_size=3, unique=True),
    arguments=st.lists(st.integers(), max_size=3),
    known=st.booleans(),
)
@example(["class", "model"], ["on step", "on cells"], ["unknown_", "argument0_", "args_"], [1], True)
@example(["1", "\n'"], ["on {}", 'on "'], ["naïve_", "naive_", "ﬁ_"], [], False)
def test_names_do_not_matter(
    states: list[str], triggers: list[str], callbacks: list[str], arguments: list[int], known: bool
) -> None:
    calls: list[tuple[str, str, tuple[int, ...]]] = []

    def method(name: str, answer: bool) -> Any:
        def call(self: Any, *args: int) -> bool:
            calls.append((name, self.state, args))
            return answer

        return call

    guard, before, after = callbacks
    model = type("Model", (), {guard: method(guard, False), before: method(before, True), after: method(after, True)})
    there = Row(triggers[0], states[0], states[1], unless=guard, before=before, after=after)
    back = Row(triggers[1], states[1], states[0], conditions=guard)
    stay = Row(triggers[1], states, None, after=after)
    chart = Chart(
        "names",
        states[0],
        tuple(map(ChartState, states)),
        (
            there,
            Row(triggers[0], states[0], None),
            Row(triggers[0], states[1], SAME),
            back,
            stay,
        ),
    )
    step: Step[Any] = chart.compile(model, len(arguments) if known else None)
    instance: Any = model()
    instance.state = states[0]
    sent = tuple(arguments)
    assert step(instance, triggers[0], *sent) is there
    assert step(instance, triggers[1], *sent) is stay
    assert instance.state == states[1]
    assert calls == [
        (guard, states[0], sent),
        (before, states[0], sent),
        (after, states[1], sent),
        (guard, states[1], sent),
        (after, states[1], sent),
    ]


class Failing:
    state = "here"

    def fail(self) -> None:
        raise RuntimeError("no")


def test_traceback_shows_the_cell() -> None:
    """What a callback raises passes through, and its traceback shows the stepper's source."""
    step = Chart("failing", "here", (ChartState("here"),), (Row("go", "here", None, after="fail"),)).compile(Failing)
    with pytest.raises(RuntimeError, match="no") as caught:
        step(Failing(), "go")
    lines = [frame.line or "" for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert any(line == "model.fail(*args)" for line in lines)


def test_two_steppers_never_share_a_source() -> None:
    """Of two charts of one name, the traceback of the first showed the source of the second."""

    class Quiet(Failing):
        def before(self) -> None:
            pass

    Quiet.__qualname__ = Failing.__qualname__
    states = (ChartState("here"),)
    first = Chart("failing", "here", states, (Row("go", "here", None, after="fail"),)).compile(Failing)
    Chart("failing", "here", states, (Row("go", "here", None, before=["before"] * 3),)).compile(Quiet)
    with pytest.raises(RuntimeError, match="no") as caught:
        first(Failing(), "go")
    assert "model.fail(*args)" in [frame.line for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_a_source_is_forgotten_with_its_stepper() -> None:
    def names() -> set[str]:
        return {name for name in linecache.cache if name.startswith("<forgotten for Failing")}

    chart = Chart("forgotten", "here", (ChartState("here"),), (Row("go", "here", None, after="fail"),))
    step = chart.compile(Failing)
    assert len(names()) == 1
    del step
    gc.collect()
    assert names() == set()


def test_models_are_stepped_in_many_threads_at_once() -> None:
    """A stepper holds nothing of a model, so models in different threads do not meet, queued or not."""

    class Counter:
        __slots__ = ("count", "state")

        def __init__(self) -> None:
            self.state, self.count = "A", 0

        def add(self) -> None:
            self.count += 1

    rows = (Row("go", "A", "B", before="add"), Row("go", "B", "A", before="add"))
    chart = Chart("threads", "A", (ChartState("A"), ChartState("B")), rows)
    for step in (chart.compile(Counter), chart.compile(Counter, queued=True)):
        models = [Counter() for _ in range(8)]

        def run(model: Counter, step: Any = step) -> None:
            for _ in range(2001):
                step(model, "go")

        threads = [threading.Thread(target=run, args=(model,)) for model in models]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [(model.state, model.count) for model in models] == [("B", 2001)] * 8


class Forgetful:
    def __init__(self) -> None:
        pass


def test_a_model_without_a_state_is_told_which_to_set() -> None:
    step = Chart("c", "here", (ChartState("here"),), (Row("go", "here", None),)).compile(Forgetful)
    with pytest.raises(ChartError, match=r"c: this Forgetful has no state; set it to 'here' in Forgetful\.__init__"):
        step(Forgetful(), "go")


def test_the_mistake_of_a_property_is_its_own() -> None:
    class Computed:
        @property
        def state(self) -> str:
            raise AttributeError("nothing here yet")

    step = Chart("c", "here", (ChartState("here"),), (Row("go", "here", None),)).compile(Computed)
    with pytest.raises(AttributeError, match="nothing here yet"):
        step(Computed(), "go")


def test_the_types_of_steps() -> None:
    """The type checker reads these lines, and needs the comment on the last."""
    chart = Chart("c", "here", (ChartState("here"),), (Row("go", "here", None),))
    step, queued = chart.compile(Failing), chart.compile(Failing, queued=True)
    assert_type(step, Step[Failing])
    assert_type(queued, QueuedStep[Failing])
    assert_type(step(Failing(), "go"), Row)
    assert_type(queued(Failing(), "go"), Row | None)
    with pytest.raises(ChartError):
        step(Forgetful(), "go")  # type: ignore[arg-type]


@pytest.mark.parametrize("undecided", [None, "ignore"])
def test_a_chart_with_a_glossary_is_hashed_copied_and_pickled(undecided: Any) -> None:
    """Its glossary made the hash impossible, and a proxy of one the pickle."""
    meanings = {"act": "do it"}
    chart = Chart(
        "c", "here", (ChartState("here"),), (Row("go", "here", None, after="act"),), {}, MappingProxyType(meanings),
        undecided,
    )  # fmt: skip
    meanings.clear()
    assert chart.actions == {"act": "do it"}, "it keeps its own"
    for again in (copy.copy(chart), copy.deepcopy(chart), pickle.loads(pickle.dumps(chart)), replace(chart)):
        assert (again, hash(again)) == (chart, hash(chart))
        assert again.cell("here", "go") == chart.cell("here", "go")
        again.check()
    assert chart != replace(chart, undecided="raise")
