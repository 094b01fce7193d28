"""Whether an event would have an effect now: the chart's rows are read and its guards asked, and nothing is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentcp_fsm.fsm.chart import Chart, name_of
from agentcp_fsm.fsm.step import unknown_event


def may(chart: Chart, model: Any, trigger: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bool:
    """Whether the row that this event would take now is one that does not ignore it.

    Guards are asked as the stepper asks them, with the event's arguments.  No ``prepare`` runs: a guard that needs one
    answers as it would without.  Raises ChartError for a trigger or a state that the chart does not have, and whatever
    a guard raises.
    """
    present: Any = getattr(model, "state", None)
    state = name_of(present)
    if trigger not in chart.triggers or state not in chart.state_names:
        raise unknown_event(chart, model, trigger)

    def answers(name: str, wanted: bool) -> bool:
        value = getattr(model, name)
        return bool((value(*args, **kwargs) if callable(value) else value) == wanted)

    for row in chart.cell(state, trigger):
        if all(answers(name, True) for name in row.conditions) and all(answers(name, False) for name in row.unless):
            return not row.ignored
    return False
