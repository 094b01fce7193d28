"""The check before a chart runs: it has no contradiction and no gap, and its model has every callback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import EVERY, SAME, Chart


def check(chart: Chart, model: type | None = None) -> None:
    """Refuse a chart that contradicts itself or leaves something open, and a model that lacks what the chart names.

    Raises ChartError for the first of: a state named twice or unknown, a callback that the glossary or the model does
    not have (or that nothing uses), an ignoring row that changes the state, a duplicate row, a row that can never be
    taken because an earlier one always is, an undecided (state, trigger) pair, an unreachable state, a state without
    exit that is not final.
    """
    _check_names(chart)
    _check_glossary(chart)
    if model is not None:
        for place, _, name in _callbacks(chart):
            if not hasattr(model, name):
                _refuse(chart, f"{place} names the callback {name!r}, which {model.__name__} does not have")
    for state in chart.state_names:
        for trigger in chart.triggers:
            _check_cell(chart, state, trigger)
    _check_paths(chart)


def _refuse(chart: Chart, problem: str) -> NoReturn:
    raise ChartError(f"{chart.name}: {problem}")


def _callbacks(chart: Chart) -> Iterator[tuple[str, str, str]]:
    """Each callback that the chart names: by which row or state, whether as a guard or an action, and its name."""
    for row in chart.rows:
        for kind, names in (
            ("action", row.prepare),
            ("guard", row.conditions + row.unless),
            ("action", row.before + row.after),
        ):
            yield from ((f"row <{row}>", kind, name) for name in names)
    for state in chart.states:
        yield from ((f"state {state.name}", "action", name) for name in state.on_enter + state.on_exit)


def _check_names(chart: Chart) -> None:
    known = chart.state_names
    known_text = f"; the chart has {', '.join(known)}"
    for name in known:
        if known.count(name) > 1:
            _refuse(chart, f"the state {name!r} is defined twice; remove one")
    if chart.initial not in known:
        _refuse(chart, f"the initial state {chart.initial!r} is unknown{known_text}")
    reserved = {"state", "trigger", *(name for _, _, name in _callbacks(chart))}
    for row in chart.rows:
        unknown = [name for name in row.source if name not in (EVERY, *known)]
        unknown += [] if row.dest is None or row.dest in (SAME, *known) else [row.dest]
        if unknown:
            _refuse(chart, f"row <{row}> names the unknown state {unknown[0]!r}{known_text}")
        if not row.source:
            _refuse(chart, f"row <{row}> has no source; name a state, or {EVERY!r} for all")
        if row.trigger in reserved:
            _refuse(
                chart,
                f"row <{row}>: the trigger {row.trigger!r} is also a callback or a reserved name (state, trigger); "
                "rename one",
            )
        if row.ignored and row.dest is not None:
            _refuse(chart, f"row <{row}> ignores its event and changes the state; do one of the two")
        if contradictory := set(row.conditions) & set(row.unless):
            _refuse(chart, f"row <{row}> can never be taken: it asks for {contradictory.pop()!r} and its opposite")


def _check_glossary(chart: Chart) -> None:
    for kind, glossary in (("guard", chart.guards), ("action", chart.actions)):
        if glossary is None:
            continue
        named = [(place, name) for place, used_as, name in _callbacks(chart) if used_as == kind]
        for place, name in named:
            if name not in glossary:
                _refuse(chart, f"{place} names the unknown {kind} {name!r}; the glossary has {', '.join(glossary)}")
        for name in glossary:
            if all(name != used for _, used in named):
                _refuse(chart, f"no row uses the {kind} {name!r}; remove it from the glossary")


def _check_cell(chart: Chart, state: str, trigger: str) -> None:
    rows = chart.cell(state, trigger)
    for index, row in enumerate(rows):
        for earlier in rows[:index]:
            same_guards = (set(earlier.conditions), set(earlier.unless)) == (set(row.conditions), set(row.unless))
            # A callback of `prepare` may change what a guard answers.  So only a row that prepares nothing is certain
            # to be refused when its guards include those for which an earlier row was refused.
            if same_guards and earlier.dest == row.dest and not row.prepare:
                _refuse(chart, f"row <{row}> stands twice for {state}; remove one")
            implied = set(earlier.conditions) <= set(row.conditions) and set(earlier.unless) <= set(row.unless)
            if not earlier.guards or (implied and not row.prepare):
                _refuse(
                    chart,
                    f"row <{row}> can never be taken in {state}: the earlier row <{earlier}> is, "
                    "whenever it could be; reorder them or remove one",
                )
    if not rows or rows[-1].guards:
        what = "no row" if not rows else f"only guarded rows, the last of them <{rows[-1]}>"
        _refuse(
            chart,
            f"({state}, {trigger}) is undecided: it has {what}; add a row without guards, "
            "one with ignored=True if nothing is to happen",
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
        rows = ", ".join(f"<{row}>" for row in chart.rows if state.name in row.source) or "no row of its own"
        if state.name not in reached:
            _refuse(chart, f"no path leads from {chart.initial} to the state {state.name}, the source of {rows}")
        if not exits[state.name] and not state.final and len(chart.states) > 1:
            _refuse(chart, f"no row leads out of the state {state.name} ({rows}); add one, or mark it final")
