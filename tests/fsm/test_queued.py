"""Events that callbacks send, run to completion: as `transitions` with ``queued=True`` does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.testing import strategies
from tests.fsm.loose import loose_charts
from tests.fsm.test_differential import Plan, events, model_of, outcome, plans


@given(data=st.data(), chart=strategies.charts() | loose_charts(("ignore",)), plan=plans())
def test_random_charts_run_to_completion_as_in_transitions(data: st.DataObject, chart: Chart, plan: Plan) -> None:
    names = list(plan.kinds)
    plan.nested = {number: trigger for number, trigger in plan.nested.items() if trigger in chart.triggers}

    def fire_compiled(model: Any, trigger: str, args: tuple[Any, ...]) -> object:
        step(model, trigger, *args)
        return True  # transitions knows no more of an event that waits

    def fire_live(model: Any, trigger: str, args: tuple[Any, ...]) -> object:
        return machine.events[trigger].trigger(model, *args)

    compiled = model_of(plan, fire_compiled, names, chart.initial)
    step = chart.compile(type(compiled), plan.arity, queued=True)
    live = model_of(plan, fire_live, names, chart.initial)
    machine = chart.machine(live, queued=True)
    type(live).log.clear()
    type(compiled).log.clear()
    for number, trigger in enumerate(data.draw(events(chart))):
        results = [
            outcome(lambda: fire_compiled(compiled, trigger, (number, "argument"))),  # noqa: B023 - called at once
            outcome(lambda: fire_live(live, trigger, (number, "argument"))),  # noqa: B023 - called at once
        ]
        assert compiled.log == live.log
        assert (compiled.state, results[0]) == (live.state, results[1])


CHAIN = Chart(
    "chain",
    "A",
    (ChartState("A"), ChartState("B"), ChartState("C", final=True)),
    (
        Row("go", "A", "B", before="hurry", after="note"),
        Row("go", ("B", "C"), None, after="note"),
        Row("end", "*", "C"),
    ),
)


class Chained:
    def __init__(self) -> None:
        self.state = "A"
        self.log: list[object] = []
        self.returned: list[object] = []

    def hurry(self, *args: object, **kwargs: object) -> None:
        self.returned.append(STEP(self, "end", 1, key=2))
        self.log.append(("hurry", self.state))

    def note(self, *args: object, **kwargs: object) -> None:
        self.log.append(("note", self.state))


STEP = CHAIN.compile(Chained, queued=True)


def test_an_event_waits_until_the_one_under_way_is_over() -> None:
    """Unqueued, the row under way overwrites the state to which the inner event led."""
    model = Chained()
    assert STEP(model, "go") is CHAIN.rows[0]
    assert model.returned == [None], "its row is not known yet"
    assert model.log == [("hurry", "A"), ("note", "B")]
    assert model.state == "C"


def test_an_unknown_trigger_is_refused_when_it_is_sent() -> None:
    class Wrong(Chained):
        def hurry(self, *args: object, **kwargs: object) -> None:
            STEP(self, "ned")

    model = Wrong()
    with pytest.raises(ChartError, match="unknown trigger 'ned'"):
        STEP(model, "go")
    assert model.state == "A"


def test_what_waits_is_dropped_if_a_callback_raises() -> None:
    class Failing(Chained):
        def note(self, *args: object, **kwargs: object) -> None:
            raise RuntimeError("no")

    model = Failing()
    with pytest.raises(RuntimeError, match="no"):
        STEP(model, "go")
    assert model.state == "B", "the event that waited is dropped"
    STEP(model, "end")
    assert model.state == "C"


def test_each_model_has_a_queue_of_its_own() -> None:
    """In transitions all models of a machine share one."""

    class Pair(Chained):
        other: Pair | None = None

        def hurry(self, *args: object, **kwargs: object) -> None:
            if self.other:
                STEP(self.other, "end")
                assert self.other.state == "C", "it was idle"

    first, second = Pair(), Pair()
    first.other = second
    STEP(first, "go")
    assert first.state == "B"
