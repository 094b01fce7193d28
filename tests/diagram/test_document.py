"""A chart survives being written to a file and read; a file that is no chart is refused."""

import json

import pytest
from hypothesis import given

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.document import chart_of, document
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.strategies import charts


@given(charts())
def test_a_chart_survives_being_a_file(chart: Chart) -> None:
    copy = chart_of(json.loads(json.dumps(document(chart))))
    assert document(copy) == document(chart)
    for state in chart.state_names:
        for trigger in chart.triggers:
            assert [row.guards for row in copy.cell(state, trigger)] == [
                row.guards for row in chart.cell(state, trigger)
            ]


def test_the_connections_chart_survives_and_still_passes_its_check() -> None:
    copy = chart_of(json.loads(json.dumps(document(CHART))))
    copy.check()
    assert document(copy) == document(CHART)


@pytest.mark.parametrize("content", [None, [], {}, {"format": "agentcp-fsm chart", "version": 2}])
def test_what_is_no_chart_is_refused(content: object) -> None:
    with pytest.raises(ChartError, match="--format json"):
        chart_of(content)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", ["name", "initial", "states", "rows", "guards", "actions"])
def test_a_damaged_chart_is_refused(part: str) -> None:
    content = document(CHART)
    del content[part]
    with pytest.raises(ChartError, match="damaged"):
        chart_of(content)
