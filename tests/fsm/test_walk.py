"""A walk by hand runs the chart as it is, and insists on answers to exactly the guards that the chart asks."""

import pytest

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.testing import Walk, WalkError


def test_a_walk_tells_state_row_and_actions() -> None:
    walk = Walk(CHART)
    assert (walk.state, walk.row, walk.actions) == ("OFFLINE", None, [])
    assert walk.send("start") == walk.actions == ["begin_anew", "begin_sign_in"]
    assert walk.send("socket_failed", socket_in_hand=True, attempts_exhausted=False) == [
        "drop_attempt", "doubt_session", "note_failed_attempt", "plan_probe", "back_off"
    ]  # fmt: skip
    assert walk.state == "BACKOFF"
    assert walk.row in CHART.rows
    assert walk.row.reason == "The socket failed; the attempt is over."


def test_a_guard_that_is_not_answered_is_an_error_that_says_how() -> None:
    walk = Walk(CHART)
    walk.send("start")
    with pytest.raises(
        WalkError, match="socket_failed in SIGNING_IN asks 'attempts_exhausted': add attempts_exhausted="
    ):
        walk.send("socket_failed", socket_in_hand=True)
    assert walk.state == "SIGNING_IN"


def test_an_answer_that_is_not_asked_for_is_an_error() -> None:
    with pytest.raises(WalkError, match="did not ask 'timed_out': leave its answer out"):
        Walk(CHART).send("start", timed_out=True)


def test_an_unknown_trigger_is_the_charts_own_error() -> None:
    with pytest.raises(ChartError, match="unknown trigger 'begin'"):
        Walk(CHART).send("begin")


def test_answers_may_change_where_something_is_prepared() -> None:
    states = (ChartState("A", on_exit=("leave",)), ChartState("B", on_enter=("come",)))
    rows = (
        Row("go", "A", None, conditions="sure"),
        Row("go", "A", "B", prepare="think", conditions="sure", before="nod", after="rest"),
        Row("go", "*", None),
        Row("return", "*", "A"),
    )
    chart = Chart("thoughts", "A", states, rows)
    assert Walk(chart).send("go", sure=[False, True]) == ["think", "nod", "leave", "come", "rest"]
    assert Walk(chart).send("go", sure=False) == ["think"]
    with pytest.raises(WalkError, match="did not ask 'sure'"):
        Walk(chart).send("go", sure=[True, True])
    with pytest.raises(WalkError, match="asks 'sure'"):
        Walk(chart).send("go", sure=[False])
