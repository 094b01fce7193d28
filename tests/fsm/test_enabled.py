"""Whether an event would have an effect now, without any."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import ChartError, UndecidedError
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.testing import strategies
from tests.fsm.loose import loose_charts

DOOR = Chart(
    "door",
    "shut",
    (ChartState("shut"), ChartState("open")),
    (
        Row("push", "shut", "open", prepare="creak", conditions="fits", unless="barred"),
        Row("push", "*", None, ignored=True),
        Row("pull", "open", "shut"),
        Row("knock", "*", None, after="creak"),
    ),
    undecided="raise",
)


class Door:
    def __init__(self) -> None:
        self.state = "shut"
        self.barred = False
        self.creaks = 0

    def fits(self, key: str = "", *, hand: str = "right") -> bool:
        return key == "brass" and hand == "right"

    def creak(self, *args: object, **kwargs: object) -> None:
        self.creaks += 1


def test_it_asks_the_guards_with_the_arguments_and_does_nothing() -> None:
    door = Door()
    assert not DOOR.may(door, "push")
    assert DOOR.may(door, "push", "brass")
    assert not DOOR.may(door, "push", "brass", hand="left")
    door.barred = True
    assert not DOOR.may(door, "push", "brass")
    assert not DOOR.may(door, "pull"), "it would be an error"
    assert DOOR.may(door, "knock"), "it stays, and does something"
    assert DOOR.enabled(door, "brass") == ("knock",)
    door.barred = False
    assert DOOR.enabled(door, "brass") == ("push", "knock")
    assert DOOR.enabled(door) == ("knock",)
    assert (door.state, door.creaks) == ("shut", 0)


def test_what_the_chart_does_not_have() -> None:
    door = Door()
    with pytest.raises(ChartError, match="door: unknown trigger 'kick'; the chart has push, pull, knock"):
        DOOR.may(door, "kick")
    door.state = "ajar"
    with pytest.raises(ChartError, match="door: unknown state 'ajar'; the chart has shut, open"):
        DOOR.enabled(door)


@given(chart=strategies.charts() | loose_charts(), data=st.data())
def test_what_may_happen_happens(chart: Chart, data: st.DataObject) -> None:
    """As long as what is prepared changes no guard's answer."""
    answers = {name: data.draw(st.booleans()) for name in strategies.GUARD_NAMES}
    body: dict[str, Any] = {name: lambda self, *args: self.log.append(1) for name in strategies.ACTION_NAMES}
    model: Any = type("Model", (), body | answers)()
    for state in chart.state_names:
        model.state, model.log = state, []
        enabled = chart.enabled(model)
        assert (model.state, model.log) == (state, [])
        for trigger in chart.triggers:
            model.state = state
            try:
                taken = not chart.compile(type(model))(model, trigger).ignored
            except UndecidedError:
                taken = False
            assert (trigger in enabled) == taken
