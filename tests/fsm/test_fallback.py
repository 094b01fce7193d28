"""What holds where nothing else does: rows for every state, and a chart's declared default."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transitions import MachineError

from agentcp_fsm.errors import ChartError, UndecidedError
from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.document import chart_of, document
from agentcp_fsm.testing import Walk
from tests.fsm.loose import loose_charts

STATES = (ChartState("A"), ChartState("B"), ChartState("C"))
AROUND = (Row("next", "A", "B"), Row("next", "B", "C"), Row("next", "C", "A"))
GO = Row("go", "A", "B")
MAYBE = Row("go", "B", "C", conditions="sure")


class Model:
    state = "A"
    sure = False


def test_a_row_for_every_state_after_others_means_otherwise() -> None:
    otherwise = Row("go", EVERY, None, ignored=True)
    chart = Chart("fallback", "A", STATES, (*AROUND, GO, MAYBE, otherwise))
    chart.check(Model)
    assert chart.sources(otherwise) == ("B", "C")
    assert chart.cell("A", "go") == (GO,)
    assert chart.cell("B", "go") == (MAYBE, otherwise)
    step, model = chart.compile(Model), Model()
    assert step(model, "go") is GO
    assert step(model, "go") is otherwise
    assert model.state == "B"
    live = Model()
    chart.machine(live)
    assert live.go()  # type: ignore[attr-defined]
    assert live.go()  # type: ignore[attr-defined]
    assert live.state == "B"


def test_a_fallback_may_do_anything() -> None:
    chart = Chart("fallback", "A", STATES, (*AROUND, GO, Row("go", EVERY, SAME, after="note")))
    walk = Walk(chart)
    assert walk.send("go") == []
    assert walk.send("go") == ["note"]
    assert walk.state == "B"


def test_a_row_for_every_state_before_others_leaves_them_nothing() -> None:
    rows = (*AROUND, Row("go", EVERY, None), GO)
    with pytest.raises(ChartError, match=r"row <go: A → B> can never be taken in A: the earlier row <go: \* → no"):
        Chart("fallback", "A", STATES, rows).check()


def test_a_guarded_row_for_every_state_goes_before_those_that_it_may_leave_an_event_to() -> None:
    rows = (*AROUND, Row("go", EVERY, "C", conditions="sure"), GO, Row("go", EVERY, None))
    chart = Chart("fallback", "A", STATES, rows)
    chart.check()
    assert chart.cell("A", "go") == (rows[3], GO)
    assert chart.cell("B", "go") == (rows[3], rows[5])


def test_a_chart_may_ignore_what_it_does_not_decide() -> None:
    chart = Chart("lenient", "A", STATES, (*AROUND, GO, MAYBE), undecided="ignore")
    chart.check(Model)
    (default,) = chart.all_rows[len(chart.rows) :]
    assert default == Row("go", ("B", "C"), None, reason="No row decides it.", ignored=True)
    assert chart.cell("B", "go") == (MAYBE, default)
    assert chart.cell("C", "go") == (default,)
    step, model = chart.compile(Model), Model()
    assert [step(model, "go") for _ in range(2)] == [GO, default]
    assert model.state == "B"


def test_a_chart_may_refuse_what_it_does_not_decide() -> None:
    chart = Chart("strict", "A", STATES, (*AROUND, GO, MAYBE), undecided="raise")
    chart.check(Model)
    assert chart.all_rows == chart.rows
    step, model = chart.compile(Model), Model()
    step(model, "go")
    with pytest.raises(UndecidedError, match="strict: no row decides go in B; the chart makes this an error"):
        step(model, "go")
    step(model, "next")
    with pytest.raises(UndecidedError, match="strict: no row decides go in C; the chart makes this an error"):
        step(model, "go")
    assert model.state == "C"
    live = Model()
    live.state = "C"
    chart.machine(live)
    with pytest.raises(MachineError):
        live.go()  # type: ignore[attr-defined]
    live.state = "B"
    assert not live.go()  # type: ignore[attr-defined]


@given(chart=loose_charts(), data=st.data())
def test_the_default_decides_exactly_what_the_rows_leave(chart: Chart, data: st.DataObject) -> None:
    for state in chart.state_names:
        for trigger in chart.triggers:
            cell = chart.cell(state, trigger)
            left = not cell or bool(cell[-1].guards)
            assert not left or chart.undecided == "raise"
            defaults = [row for row in cell if row not in chart.rows]
            assert len(defaults) <= 1
            assert defaults == [] or (chart.undecided == "ignore" and cell[-1] is defaults[0])
    again = chart_of(document(chart))
    assert again.undecided == chart.undecided
    for state in chart.state_names:
        for trigger in chart.triggers:
            assert len(again.cell(state, trigger)) == len(chart.cell(state, trigger))
    assert pickle.loads(pickle.dumps(chart)) == chart


def test_an_unknown_trigger_or_state_is_no_undecided_event() -> None:
    for undecided in ("ignore", "raise"):
        step = Chart("c", "A", STATES, (*AROUND, GO), undecided=undecided).compile(Model)
        model = Model()
        with pytest.raises(ChartError, match="unknown trigger 'og'") as caught:
            step(model, "og")
        assert type(caught.value) is ChartError
        model.state = "Z"
        with pytest.raises(ChartError, match="unknown state 'Z'") as caught:
            step(model, "go")
        assert type(caught.value) is ChartError
