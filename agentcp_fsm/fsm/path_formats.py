"""Walks through a chart, written down: for a reader, for programs, and as tests of pytest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from keyword import iskeyword
from typing import Any

from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.paths import Answers, Event, Path
from agentcp_fsm.fsm.walk import Walk

LINE_LENGTH = 100
"""Characters in a line of the tests, where nothing forbids a break."""


def as_text(path: Path) -> str:
    """One line: ``turn_key [key_fits] in locked → closed: turn_key [key_fits]; turn_key [key_fits]``."""
    events = "; ".join(map(event_text, path.events)) or "it begins there"
    if path.row is None:
        return f"→ {path.end}: {events}"
    return f"{path.row.trigger}{_listed(path.row.guards)} in {path.source} → {path.end}: {events}"


def event_text(event: Event) -> str:
    """An event and the answers to its guards: ``turn_key [key_fits, not stuck]``."""
    shown = []
    for name, its in event.answers.items():
        if isinstance(its, list):
            shown.append(f"{name}: {', then '.join('yes' if answer else 'no' for answer in its)}")
        else:
            shown.append(name if its else f"not {name}")
    return f"{event.trigger}{_listed(shown)}"


def as_data(chart: Chart, found: Iterable[Path]) -> list[dict[str, Any]]:
    """For JSON: ``[{"end", "row", "source", "events": [{"trigger", "answers"}]}]``.

    ``row`` is the row's number in the chart, from 0; it and ``source`` are null for a walk to a state.
    """
    numbers = {row: number for number, row in enumerate(chart.rows)}
    return [
        {
            "end": path.end,
            "row": None if path.row is None else numbers[path.row],
            "source": path.source,
            "events": [{"trigger": event.trigger, "answers": dict(event.answers)} for event in path.events],
        }
        for path in found
    ]


def pytest_source(chart: Chart, found: Sequence[Path], imported_from: str) -> str:
    """A module of pytest with a test for each walk; it imports the chart from `imported_from`, ``module:name``.

    Each test expects the state in which the walk ends now, and the actions of its last event.
    """
    module, _, name = imported_from.partition(":")
    first = name.partition(".")[0]
    lines = [
        f'"""Walks through {first}."""',
        "",
        "from agentcp_fsm.testing import Walk",
        f"from {module} import {first}",
    ]
    taken: set[str] = set()
    for path in found:
        lines += ["", "", *_test(chart, path, name, taken)]
    return "\n".join(lines) + "\n"


def _test(chart: Chart, path: Path, name: str, taken: set[str]) -> Iterator[str]:
    words = f"reach_{path.end}" if path.row is None else f"{path.row.trigger}_in_{path.source}"
    yield f"def {_unlike(_word(words), taken)}() -> None:"
    if path.row is not None and path.row.reason:
        yield f"    # {' '.join(path.row.reason.split())}"
    yield f"    walk = Walk({name})"
    walk = Walk(chart)
    for event in path.events:
        walk.send(event.trigger, **event.answers)
        before = "actions = walk.send(" if event is path.events[-1] else "walk.send("
        yield from _lines(before, [_literal(event.trigger), *_arguments(event.answers)], ")")
    if path.events:
        yield from _lines("assert actions == [", list(map(_literal, walk.actions)), "]")
    yield f"    assert walk.state == {_literal(path.end)}"


def _lines(before: str, items: Sequence[str], after: str) -> list[str]:
    """A bracketed list, in one line if it fits, else with a line for each item."""
    line = f"    {before}{', '.join(items)}{after}"
    if len(line) <= LINE_LENGTH:
        return [line]
    return [f"    {before}", *(f"        {item}," for item in items), f"    {after}"]


def _literal(text: str) -> str:
    """A text as Python writes it, in double quotes where they need no escape."""
    literal = repr(text)
    return literal if '"' in literal or "\\'" in literal else f'"{literal[1:-1]}"'


def _arguments(answers: Answers) -> list[str]:
    named = {name: its for name, its in answers.items() if name.isidentifier() and not iskeyword(name)}
    others = {name: its for name, its in answers.items() if name not in named}
    return [*(f"{name}={its!r}" for name, its in named.items()), *([f"**{others!r}"] if others else [])]


def _word(text: str) -> str:
    return "test_" + re.sub(r"[\W_]+", "_", text.lower()).strip("_")


def _unlike(name: str, taken: set[str]) -> str:
    number, unlike = 1, name
    while unlike in taken:
        number += 1
        unlike = f"{name}_{number}"
    taken.add(unlike)
    return unlike


def _listed(guards: Iterable[str]) -> str:
    text = ", ".join(guards)
    return f" [{text}]" if text else ""
