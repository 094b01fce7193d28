"""All that is wrong with a chart at once, for a gate of continuous integration; `check` stops at the first fault."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import EVERY, Chart, Row
from agentcp_fsm.fsm.check import check, check_parts
from agentcp_fsm.fsm.paths import answers_for, ways_to_states


class Fault(StrEnum):
    """The kind of a finding."""

    REFUSED = "refused"
    """`check` refuses the chart, for another reason than those below."""
    UNDECIDED = "undecided"
    """No row, or only rows with guards, decides an event in a state, and the chart does not say what becomes of it."""
    UNREACHABLE_STATE = "unreachable state"
    """No walk leads to the state."""
    UNREACHABLE_ROW = "unreachable row"
    """No walk takes the row in any state."""
    SHADOWED_ROW = "shadowed row"
    """The row is taken in some of its states, but never in this one: an earlier row always is."""
    DEAD_END = "dead end"
    """No row leads out of the state, which is not marked final."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of a chart."""

    fault: Fault
    text: str
    """One sentence that names the row or the state."""
    state: str | None = None
    trigger: str | None = None
    row: Row | None = None


def audit(chart: Chart) -> tuple[Finding, ...]:
    """Every finding; none if the chart is sound.  A chart that has none is one that `check` accepts.

    If a part is wrong by itself, such as a row to an unknown state, that is the only finding: others could follow from
    it.  A row counts as reachable if the guards could answer so that it is taken (`agentcp_fsm.fsm.paths`).
    """
    try:
        check_parts(chart)
        reached = ways_to_states(chart).keys()
        findings = (*_undecided(chart), *_states(chart, reached), *_rows(chart, reached))
        if not findings:
            check(chart)
    except ChartError as error:
        return (Finding(Fault.REFUSED, str(error).removeprefix(f"{chart.name}: ")),)
    return findings


def _undecided(chart: Chart) -> Iterator[Finding]:
    if chart.undecided is not None:
        return
    for state in map(str, chart.state_names):
        for trigger in chart.triggers:
            rows = chart.cell(state, trigger)
            if not rows or rows[-1].guards:
                what = "all its rows have guards" if rows else "it has no row"
                text = f"{trigger} is undecided in {state}: {what}; add one without guards"
                yield Finding(Fault.UNDECIDED, text, state, str(trigger))


def _states(chart: Chart, reached: Collection[str]) -> Iterator[Finding]:
    steps = ((str(source), row.leads_to(source)) for row in chart.rows for source in chart.sources(row))
    left = {source for source, dest in steps if dest not in (None, source)}
    for state in chart.states:
        name = str(state.name)
        if name not in reached:
            yield Finding(Fault.UNREACHABLE_STATE, f"no walk leads from {chart.initial} to the state {name}", name)
        if name not in left and not state.final and len(chart.states) > 1:
            text = f"no row leads out of the state {name}; add one, or mark it final"
            yield Finding(Fault.DEAD_END, text, name)


def _rows(chart: Chart, reached: Collection[str]) -> Iterator[Finding]:
    for row in chart.rows:
        sources = [str(source) for source in chart.sources(row)]
        taken = [source for source in sources if answers_for(chart, source, row) is not None]
        if not any(source in reached for source in taken):
            why = "an earlier row always is" if not taken else f"no walk leads to {', '.join(taken)}"
            text = f"row <{row}> is never taken: {why}"
            yield Finding(Fault.UNREACHABLE_ROW, text, None, str(row.trigger), row)
        elif EVERY not in row.source:
            for source in sources:
                if source not in taken:
                    text = f"row <{row}> is never taken in {source}: an earlier row always is"
                    yield Finding(Fault.SHADOWED_ROW, text, source, str(row.trigger), row)
