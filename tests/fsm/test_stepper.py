"""The stepper is generated source: no name in a chart may matter to it."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Row
from agentcp_fsm.fsm.step import Step

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
    assert any(line == "model.fail(*args, **kwargs)" for line in lines)
