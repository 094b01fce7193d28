"""The check before a chart runs: it has no contradiction and no gap, and its model has every callback."""

from __future__ import annotations

from agentcp_fsm.fsm.callbacks import check_callbacks, named_callbacks, place_of, refuse
from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, Row

RESERVED = ("state", "trigger")
"""Names that `transitions` or the model itself needs."""


def check(chart: Chart, model: type | None = None) -> None:
    """Refuse a chart that contradicts itself or leaves something open, and a model that lacks what the chart names.

    Raises ChartError for the first of: a name that is empty or has another meaning; a state named twice or unknown; a
    callback that the glossary does not have (or that nothing uses); an event class without a row, or a row without one;
    an ignoring row that changes the state; a callback that the model does not have, or that can never work; a duplicate
    row; a row that can never be taken because an earlier one always is; an undecided (state, trigger) pair, unless the
    chart says what becomes of them; an unreachable state; a state without exit that is not final, or a final one with
    an exit.
    """
    check_parts(chart)
    if model is not None:
        check_callbacks(chart, model)
    for state in chart.state_names:
        for trigger in chart.triggers:
            _check_cell(chart, state, trigger)
    _check_paths(chart)


def check_parts(chart: Chart) -> None:
    """The first of those checks: all that concern a state, a row or a word by itself.  Raises ChartError."""
    _check_names(chart)
    _check_rows(chart)
    _check_glossary(chart)
    _check_events(chart)


def _check_names(chart: Chart) -> None:
    seen = set()
    for name in chart.state_names:
        if not name:
            refuse(chart, "a state has no name; give it one")
        if name in (EVERY, SAME):
            refuse(chart, f"a state is named {name!r}, which has a meaning of its own in rows; rename it")
        if name in seen:
            refuse(chart, f"the state {name!r} is defined twice; remove one")
        seen.add(name)
    if chart.initial not in seen:
        refuse(chart, f"the initial state {chart.initial!r} is unknown; {_states(chart)}")
    for whole, _, name in named_callbacks(chart):
        if not name:
            refuse(chart, f"{place_of(whole)} names a callback without a name; remove it")
        if name == "state":
            refuse(chart, f"{place_of(whole)} names the callback 'state', which is the model's state itself; rename it")


def _check_rows(chart: Chart) -> None:
    known = frozenset(chart.state_names)
    reserved = {*RESERVED, *(name for _, _, name in named_callbacks(chart))}
    seen: set[Row] = set()
    for row in chart.rows:
        unknown = [name for name in row.source if name != EVERY and name not in known]
        unknown += [] if row.dest is None or row.dest == SAME or row.dest in known else [row.dest]
        if unknown:
            refuse(chart, f"row <{row}> names the unknown state {unknown[0]!r}; {_states(chart)}")
        if not row.source:
            refuse(chart, f"row <{row}> has no source; name a state, or {EVERY!r} for all")
        if not row.trigger:
            refuse(chart, f"row <{row}> has no trigger; name it")
        if row.trigger in reserved:
            refuse(
                chart,
                f"row <{row}>: the trigger {row.trigger!r} is also a callback or a reserved name "
                f"({', '.join(RESERVED)}); rename one",
            )
        if row.ignored and row.dest is not None:
            refuse(chart, f"row <{row}> ignores its event and changes the state; do one of the two")
        if contradictory := set(row.conditions) & set(row.unless):
            refuse(chart, f"row <{row}> can never be taken: it asks for {min(contradictory)!r} and its opposite")
        if row in seen:
            refuse(chart, f"row <{row}> stands twice; remove one")
        seen.add(row)
        if not chart.sources(row):
            refuse(chart, f"row <{row}> can never be taken: earlier rows decide {row.trigger} in every state")


def _states(chart: Chart) -> str:
    return f"the chart has {', '.join(chart.state_names)}"


def _check_glossary(chart: Chart) -> None:
    for kind, glossary in (("guard", chart.guards), ("action", chart.actions)):
        if glossary is None:
            continue
        named = [(whole, name) for whole, use, name in named_callbacks(chart) if use == kind]
        for whole, name in named:
            if name not in glossary:
                known = ", ".join(glossary)
                refuse(chart, f"{place_of(whole)} names the unknown {kind} {name!r}; the glossary has {known}")
        used = {name for _, name in named}
        for name in glossary:
            if name not in used:
                refuse(chart, f"no row uses the {kind} {name!r}; remove it from the glossary")


def _check_events(chart: Chart) -> None:
    """Each event class has a row, each row an event class, and no trigger two."""
    if chart.events is None:
        return
    names: dict[str, str] = {}
    for event in chart.events:
        trigger: str = event.trigger  # type: ignore[attr-defined]
        if trigger in names:
            refuse(chart, f"the events {names[trigger]} and {event.__name__} have the same trigger {trigger!r}")
        names[trigger] = event.__name__
        if trigger not in chart.triggers:
            refuse(
                chart,
                f"no row has the trigger {trigger!r} of the event {event.__name__}; "
                f"the chart has {', '.join(chart.triggers)}",
            )
    for row in chart.rows:
        if row.trigger not in names:
            refuse(chart, f"row <{row}>: no event has the trigger {row.trigger!r}; they have {', '.join(names)}")


def _check_cell(chart: Chart, state: str, trigger: str) -> None:
    rows = chart.cell(state, trigger)
    for index, row in enumerate(rows):
        for earlier in rows[:index]:
            same_guards = (set(earlier.conditions), set(earlier.unless)) == (set(row.conditions), set(row.unless))
            # A callback of `prepare` may change what a guard answers.  So only a row that prepares nothing is certain
            # to be refused when its guards include those for which an earlier row was refused.
            if same_guards and earlier.dest == row.dest and not row.prepare:
                refuse(chart, f"row <{row}> stands twice for {state}; remove one")
            implied = set(earlier.conditions) <= set(row.conditions) and set(earlier.unless) <= set(row.unless)
            if not earlier.guards or (implied and not row.prepare):
                refuse(
                    chart,
                    f"row <{row}> can never be taken in {state}: the earlier row <{earlier}> is, "
                    "whenever it could be; reorder them or remove one",
                )
    if chart.undecided is None and (not rows or rows[-1].guards):
        what = "no row" if not rows else f"only guarded rows, the last of them <{rows[-1]}>"
        refuse(
            chart,
            f"({state}, {trigger}) is undecided: it has {what}; add a row without guards, one with ignored=True if "
            f"nothing is to happen, one with the source {EVERY!r} for all other states, or undecided='ignore' to the "
            "chart",
        )


def _check_paths(chart: Chart) -> None:
    exits: dict[str, set[str]] = {name: set() for name in chart.state_names}
    for row in chart.rows:
        for source in chart.sources(row):
            exits[source] |= {row.dest} - {SAME, source} if row.dest is not None else set()
    reached, frontier = {chart.initial}, [chart.initial]
    while frontier:
        found = exits[frontier.pop()] - reached
        reached |= found
        frontier += found
    for state in chart.states:
        name, its = state.name, _rows_of(chart, state.name)
        if name not in reached:
            refuse(chart, f"no path leads from {chart.initial} to the state {name}, the source of {its}")
        if not exits[name] and not state.final and len(chart.states) > 1:
            refuse(chart, f"no row leads out of the state {name} ({its}); add one, or mark it final")
        if exits[name] and state.final:
            leaving = next(row for row in chart.rows if name in chart.sources(row) and row.dest in exits[name])
            refuse(chart, f"the state {name} is final, and row <{leaving}> leads out of it; do one of the two")


def _rows_of(chart: Chart, state: str) -> str:
    return ", ".join(f"<{row}>" for row in chart.rows if state in row.source) or "no row of its own"
