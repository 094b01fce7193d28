"""An audit finds every fault at once, and nothing in a chart that has none."""

from collections.abc import Iterable

import pytest
from hypothesis import given

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.audit import Fault, audit
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.strategies import charts as any_charts
from tests.fsm.charts import CHARTS
from tests.fsm.loose import loose_charts


def of(states: Iterable[str], *rows: Row, final: str = "") -> Chart:
    return Chart("faulty", "A", tuple(ChartState(name, final=name in final) for name in states), rows)


@pytest.mark.parametrize("chart", [CHART, *CHARTS], ids=lambda chart: chart.name)
def test_sound_charts_are_found_sound(chart: Chart) -> None:
    assert audit(chart) == ()


@given(any_charts() | loose_charts())
def test_a_chart_that_check_refuses_is_never_found_sound(chart: Chart) -> None:
    try:
        chart.check()
    except ChartError:
        assert audit(chart)


@given(loose_charts())
def test_a_sound_chart_has_at_most_rows_that_no_answers_allow(chart: Chart) -> None:
    """`check` looks for earlier rows that always are taken one by one; the audit also looks at them together."""
    rows = {Fault.UNREACHABLE_ROW, Fault.SHADOWED_ROW, Fault.UNREACHABLE_STATE}
    assert {finding.fault for finding in audit(chart)} <= rows


def test_every_fault_is_found_at_once() -> None:
    chart = of(
        "ABC",
        Row("go", "A", "B", conditions="g"),
        Row("go", "A", None, unless="g"),
        Row("go", "A", "C"),
        Row("go", "B", None, conditions="g"),
        Row("rest", ("A", "B", "C"), None),
        Row("rest", "B", "A"),
        final="",
    )
    assert [(finding.fault, finding.state, finding.trigger) for finding in audit(chart)] == [
        (Fault.UNDECIDED, "B", "go"),
        (Fault.UNDECIDED, "C", "go"),
        (Fault.UNREACHABLE_STATE, "C", None),
        (Fault.DEAD_END, "C", None),
        (Fault.UNREACHABLE_ROW, None, "go"),
        (Fault.UNREACHABLE_ROW, None, "rest"),
    ]


def test_a_row_that_is_shadowed_in_one_of_its_states_is_named_with_it() -> None:
    chart = of(
        "AB", Row("go", "A", "B"), Row("go", ("A", "B"), "A"), final=""
    )  # fmt: skip
    (finding,) = audit(chart)
    assert (finding.fault, finding.state) == (Fault.SHADOWED_ROW, "A")
    assert finding.text == "row <go: A, B → A> is never taken in A: an earlier row always is"


def test_a_fallback_shadows_nothing_and_is_not_shadowed() -> None:
    assert audit(of("AB", Row("go", "A", "B"), Row("go", "*", None, ignored=True), Row("back", "*", "A"))) == ()


def test_what_else_check_refuses_is_a_finding() -> None:
    chart = of("AB", Row("go", ("A", "B"), "B"), Row("back", ("A", "B"), "A"), Row("state", ("A", "B"), None))
    (finding,) = audit(chart)
    assert finding.fault == Fault.REFUSED
    assert "reserved name" in finding.text


def test_a_row_to_nowhere_is_what_is_found_and_not_what_follows_from_it() -> None:
    states = (ChartState("a"), ChartState("b"))
    (finding,) = audit(Chart("x", "a", states, (Row("go", "a", "typo"), Row("go", "b", "a"))))
    assert finding.fault is Fault.REFUSED
    assert "typo" in finding.text
