"""The table says what the chart says."""

from hypothesis import given

from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.table import table
from tests.diagram.strategies import charts


@given(charts())
def test_the_table_has_every_row_in_each_of_its_states_in_order(chart: Chart) -> None:
    rows = table(chart)
    assert len(rows) == sum(len(chart.sources(row)) for row in chart.all_rows)
    for state in chart.state_names:
        for trigger in chart.triggers:
            cell = [(row.guards, row.reason) for row in rows if (*row.source, row.trigger) == (state, trigger)]
            assert cell == [(row.guards, row.reason) for row in chart.cell(state, trigger)]
    assert all(row.dest is None or row.dest in chart.state_names for row in rows)
