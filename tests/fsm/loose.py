"""Charts that leave something to a fallback or to their declared default."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from hypothesis import assume
from hypothesis import strategies as st

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, Row
from agentcp_fsm.testing import strategies

DEFAULTS: tuple[Literal["ignore", "raise"], ...] = ("ignore", "raise")


@st.composite
def loose_charts(draw: st.DrawFn, undecided: tuple[Literal["ignore", "raise"], ...] = DEFAULTS) -> Chart:
    """Charts that `Chart.check` accepts, some rows of which are left out, with fallbacks and a default."""
    chart = draw(strategies.charts())
    rows = [row for row in chart.rows if row.trigger == "t0" or draw(st.booleans())]
    for trigger in chart.triggers:
        if draw(st.booleans()):
            dest = draw(st.sampled_from([None, None, SAME, *chart.state_names]))
            after = draw(st.sampled_from([(), ("a0",)]))
            rows.append(Row(trigger, EVERY, dest, after=after, ignored=dest is None and draw(st.booleans())))
    loose = replace(chart, rows=tuple(rows), undecided=draw(st.sampled_from(undecided)))
    try:
        loose.check()
    except ChartError:
        assume(False)
    return loose
