"""A machine made of any chart takes every row in every state, holds the invariants, and shows how one broke."""

import unittest

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from agentcp_fsm.errors import ChartError, InvariantError
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.testing import chart_machine
from agentcp_fsm.testing.fuzzing import ChartMachine
from tests.fsm.charts import CHARTS

NAMED = {chart.name: chart for chart in (CHART, *CHARTS)}
LIFT = Chart(
    "lift",
    "ground",
    (ChartState("ground"), ChartState("up")),
    (
        Row("call", "ground", "up", conditions="is_called", after="count"),
        Row("call", "ground", None, ignored=True),
        Row("call", "up", "ground", unless="is_full", after="count"),
        Row("call", "up", None, ignored=True),
    ),
)


class Lift:
    """It answers no guard by itself in the way that its rows are reached."""

    def __init__(self) -> None:
        self.trips = 0

    def is_called(self, floor: int = 0) -> bool:
        return floor > 3

    def is_full(self, floor: int = 0) -> bool:
        return self.trips > 1

    def count(self, floor: int = 0) -> None:
        self.trips += 1


def run_both(machine: type[ChartMachine]) -> None:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(machine.TestCase).run(result)
    assert result.testsRun == 2
    for _, trace in result.failures + result.errors:
        raise AssertionError(trace)


@pytest.mark.parametrize("name", NAMED)
def test_each_row_of_each_chart_is_taken_in_each_state(name: str) -> None:
    chart = NAMED[name]
    machine = chart_machine(chart)
    run_state_machine_as_test(machine)
    assert {row for row, _ in machine.taken} == set(chart.rows), "by Hypothesis alone"
    machine.taken.clear()
    machine().take_each()
    assert set(machine.taken) >= {(row, source) for row in chart.rows for source in chart.sources(row)}


def test_the_guards_of_a_model_are_answered_for_it() -> None:
    machine = chart_machine(LIFT, Lift)
    run_both(machine)
    assert {row for row, _ in machine.taken} == set(LIFT.rows)


def test_its_own_guards_decide_if_they_are_to() -> None:
    machine = chart_machine(LIFT, Lift, own_guards="*", arguments={"call": st.tuples(st.integers(0, 9))})
    run_both(machine)
    assert {row for row, _ in machine.taken} == set(LIFT.rows)
    shut = chart_machine(LIFT, Lift, own_guards=["is_called"])
    run_both(shut)
    assert {source for _, source in shut.taken} == {"ground"}


def test_an_invariant_that_breaks_is_named_with_the_state_and_the_event() -> None:
    def at_most_two(lift: Lift) -> bool:
        return lift.trips <= 2

    machine = chart_machine(LIFT, Lift, invariants=[at_most_two])
    with pytest.raises(InvariantError, match=r"at_most_two does not hold in up, after call in ground"):
        run_state_machine_as_test(machine)


def test_a_model_may_take_arguments_and_have_slots() -> None:
    class Heavy:
        __slots__ = ("state", "weight")

        def __init__(self, weight: int) -> None:
            self.weight = weight

        def is_called(self) -> bool:
            raise AssertionError("it is answered")

        is_full = is_called

        def count(self) -> None:
            assert self.weight == 3

    machine = chart_machine(LIFT, Heavy, build=lambda: Heavy(3))
    run_both(machine)
    assert {row for row, _ in machine.taken} == set(LIFT.rows)


def test_a_chart_without_rows_is_refused() -> None:
    with pytest.raises(ChartError, match="still has no rows"):
        chart_machine(Chart("still", "on", (ChartState("on"),), ()))


def test_a_model_that_leads_astray_is_noticed() -> None:
    class Astray(Lift):
        state = "ground"

        def count(self, floor: int = 0) -> None:
            self.state = "ground"

    machine = chart_machine(LIFT, Astray)
    with pytest.raises(InvariantError, match=r"another way than lift: it does not take \[<.*call.*in up"):
        machine().take_each()


def test_hypothesis_can_call_a_machine_by_its_name() -> None:
    named = Chart("a lift: №1", "ground", LIFT.states, LIFT.rows)
    assert chart_machine(named).__name__.isidentifier()
