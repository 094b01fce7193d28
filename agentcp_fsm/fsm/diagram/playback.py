"""What happened to a model of a chart, step by step, for the chart's page to play."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart, Row


@dataclass(frozen=True, slots=True)
class PlayedStep:
    """One event, and what came of it."""

    at: float
    """When, in seconds; the page shows times since the first step."""
    trigger: str
    source: str
    """The state before."""
    dest: str
    """The state after."""
    row: Row | None = None
    """The row that was taken; None if it is not known."""
    lines: tuple[str, ...] = ()
    """What else there is to say, each in a line."""


@dataclass(frozen=True, slots=True)
class Playback:
    """A walk that happened."""

    title: str
    steps: tuple[PlayedStep, ...]
    lines: tuple[str, ...] = ()
    """What there is to say about all of it, each in a line."""

    def document(self, chart: Chart) -> dict[str, Any]:
        """The walk as dictionaries, lists, strings and numbers; a row is its number among the chart's rows, or null.

        Raises ChartError for an empty walk, and for a step that the chart cannot have: with a name that it does not
        have, a row of another chart, a time that is no number, or a source that the step before did not lead to.
        """
        if not self.steps:
            raise ChartError(f"{self.title} has no steps: there is nothing to play")
        numbers = {row: number for number, row in enumerate(chart.all_rows)}
        for number, step in enumerate(self.steps, 1):
            if problem := _problem(chart, step, self.steps[number - 2] if number > 1 else None, step.row in numbers):
                raise ChartError(f"step {number} of {self.title} is none of {chart.name}: {problem}")
        begun = self.steps[0].at
        return {
            "title": self.title,
            "lines": list(self.lines),
            "steps": [
                {
                    "at": step.at - begun,
                    "trigger": step.trigger,
                    "source": step.source,
                    "dest": step.dest,
                    "row": None if step.row is None else numbers[step.row],
                    "lines": list(step.lines),
                }
                for step in self.steps
            ],
        }


def _problem(chart: Chart, step: PlayedStep, before: PlayedStep | None, has_row: bool) -> str:
    """What is wrong with a step, if something is."""
    for state in (step.source, step.dest):
        if state not in chart.state_names:
            return f"there is no state {state!r}"
    if step.trigger not in chart.triggers:
        return f"there is no event {step.trigger!r}"
    if not math.isfinite(step.at):
        return f"the time {step.at} is no number"
    if before is not None and before.dest != step.source:
        return f"it begins in {step.source}, and the step before ends in {before.dest}"
    if step.row is None:
        return ""
    if not has_row:
        return f"the chart has no row <{step.row}>"
    if step.row.trigger != step.trigger or step.source not in chart.sources(step.row):
        return f"the row <{step.row}> does not decide {step.trigger} in {step.source}"
    if (step.row.leads_to(step.source) or step.source) != step.dest:
        return f"the row <{step.row}> does not lead to {step.dest}"
    return ""
