"""A view shows what its name says; a name that is no view is refused with the list of views."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import SAME, Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.views import happy_path, steps, view_of
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.strategies import charts


def walks(chart: Chart, source: str, dest: str) -> set[tuple[str, ...]]:
    """All the shortest, by trying every one step by step."""
    follows = {(name, after) for name in chart.state_names for row in chart.rows for after in _after(chart, row, name)}
    found: set[tuple[str, ...]] = {(source,)}
    for _ in chart.states:
        found = {(*walk, after) for walk in found for before, after in follows if before == walk[-1]}
        arrived = {walk for walk in found if walk[-1] == dest}
        if arrived:
            return arrived
    return set()


def _after(chart: Chart, row: Row, state: str) -> Sequence[str]:
    if row.dest is None or state not in chart.sources(row):
        return ()
    return (state if row.dest == SAME else row.dest,)


def _splits(path: str) -> list[tuple[str, str]]:
    return [(path[:at], path[at + 2 :]) for at in range(len(path) - 1) if path[at : at + 2] == ".."]


@given(charts(), st.data())
def test_a_path_is_all_the_shortest_ways_and_nothing_else(chart: Chart, data: st.DataObject) -> None:
    source, dest = (data.draw(st.sampled_from(chart.state_names)) for _ in range(2))
    path = f"{source}..{dest}"
    assume([ends for ends in _splits(path) if {*ends} <= {*chart.state_names}] == [(source, dest)])
    expected = walks(chart, source, dest)
    if not expected:
        with pytest.raises(ChartError, match="no path leads"):
            view_of(chart, f"path:{path}")
        return
    view = view_of(chart, f"path:{path}")
    assert set(view.steps) == {step for walk in expected for step in pairwise(walk)}
    assert view.states[0] == source
    assert set(view.states) == {name for walk in expected for name in walk}


@given(charts(), st.data())
def test_a_state_is_shown_with_all_that_leads_to_it_and_from_it(chart: Chart, data: st.DataObject) -> None:
    state = data.draw(st.sampled_from(chart.state_names))
    view = view_of(chart, f"state:{state}")
    assert set(view.steps) == {step for step in steps(chart) if state in step}
    assert set(view.states) == {state, *(name for step in view.steps for name in step)}


def test_the_happy_path_is_the_shortest_way_to_health() -> None:
    assert happy_path(CHART) == ("OFFLINE", "SIGNING_IN", "ONLINE")
    assert happy_path(Chart("dull", "a", (ChartState("a"),), ())) == ("a",)


def test_names_may_be_in_any_case_and_hold_points() -> None:
    assert view_of(CHART, "state:degraded").named == ("DEGRADED",)
    assert view_of(CHART, "path:offline..online").named == ("OFFLINE", "ONLINE")
    chart = Chart("x", "a..b", (ChartState("a..b"), ChartState("c")), (Row("go", "a..b", "c"),))
    assert view_of(chart, "path:a..b..c").steps == (("a..b", "c"),)


@pytest.mark.parametrize(("source", "dest"), [(".", "."), ("a.", "b"), ("a", ".b"), ("..", "..."), ("a..", "..")])
def test_names_may_begin_and_end_with_points(source: str, dest: str) -> None:
    names = dict.fromkeys((source, dest))
    chart = Chart("x", source, tuple(ChartState(name) for name in names), (Row("go", source, dest),))
    assert view_of(chart, f"path:{source}..{dest}").named == (source, dest)


@pytest.mark.parametrize("text", ["", "fullest", "state:", "path:OFFLINE", "overview:OFFLINE", "state"])
def test_no_view_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ChartError, match=r"overview, full, state:NAME or path:FROM\.\.TO"):
        view_of(CHART, text)


@pytest.mark.parametrize("text", ["state:AWAY", "path:AWAY..ONLINE", "path:ONLINE..AWAY"])
def test_no_state_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ChartError, match="'AWAY' is no state of the chart connection; there are OFFLINE, SIGNING_IN"):
        view_of(CHART, text)


def test_a_row_to_nowhere_is_refused() -> None:
    with pytest.raises(ChartError, match="unknown state 'away'"):
        view_of(Chart("x", "a", (ChartState("a"),), (Row("go", "a", "away"),)), "full")
