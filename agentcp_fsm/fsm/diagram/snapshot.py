"""A program of its own: prints the chart of a folder of files, of whatever age, as a document.

``python -P snapshot.py FOLDER MODULE:CHART [--inside]``.  It imports nothing of this package, because the folder may
hold another version of it: hence `document` is written here a second time.  ``--inside`` refuses a module that lies
elsewhere.  An error is one line on standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any


def with_sources(chart: Any, names: list[str]) -> Iterator[tuple[Any, list[str]]]:
    """Each row with the states in which it holds: one for every state, in those that no row before it decides."""
    decided: set[tuple[str, str]] = set()
    fallbacks: list[tuple[Any, list[str]]] = []
    for row in chart.rows:
        sources = [str(name) for name in row.source]
        if "*" in sources:
            still_open = [name for name in names if (name, str(row.trigger)) not in decided]
            sources = next((its for other, its in fallbacks if other == row), still_open)
            fallbacks.append((row, sources))
        if not getattr(row, "conditions", ()) and not getattr(row, "unless", ()):
            decided.update((name, str(row.trigger)) for name in sources)
        yield row, sources


def document(chart: Any) -> dict[str, Any]:
    """As `agentcp_fsm.fsm.diagram.document.document`, from a chart of any age: what it lacks is empty."""

    def texts(names: Any) -> list[str]:
        return [str(name) for name in names]

    names = texts(state.name for state in chart.states)
    return {
        "format": "agentcp-fsm chart",
        "version": 1,
        "name": chart.name,
        "initial": str(chart.initial),
        "states": [
            {
                "name": str(state.name),
                "meaning": getattr(state, "meaning", ""),
                "owns": getattr(state, "owns", ""),
                "role": None if getattr(state, "role", None) is None else str(state.role),
                "final": getattr(state, "final", False),
                "on_enter": texts(getattr(state, "on_enter", ())),
                "on_exit": texts(getattr(state, "on_exit", ())),
            }
            for state in chart.states
        ],
        "rows": [
            {
                "trigger": str(row.trigger),
                "source": sources,
                "dest": None if row.dest is None else str(row.dest),
                **{
                    part: texts(getattr(row, part, ()))
                    for part in ("prepare", "conditions", "unless", "before", "after")
                },
                "reason": getattr(row, "reason", ""),
                "ignored": getattr(row, "ignored", False),
            }
            for row, sources in with_sources(chart, names)
        ],
        "undecided": getattr(chart, "undecided", None),
        **{
            glossary: None if getattr(chart, glossary, None) is None else dict(getattr(chart, glossary))
            for glossary in ("guards", "actions")
        },
    }


def main(folder: str, name: str, *options: str) -> None:
    """Print the chart."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the modules may print: that is no part of the answer
    sys.path[:0] = [str(Path(folder, "src")), folder]
    module_name, _, attribute = name.partition(":")
    try:
        module = import_module(module_name)
    except Exception as error:  # noqa: BLE001 - an import may do anything
        sys.exit(f"{module_name} cannot be imported: {type(error).__name__}: {error}")
    file = getattr(module, "__file__", None)
    if "--inside" in options and (file is None or not Path(file).resolve().is_relative_to(Path(folder).resolve())):
        sys.exit(f"there is no {module_name} in it; only one that is installed, or Python's own")
    if not hasattr(module, attribute):
        sys.exit(f"{module_name} has no {attribute!r}")
    try:
        content = json.dumps(document(getattr(module, attribute)))
    except (AttributeError, TypeError) as error:
        sys.exit(f"{name} is no chart: {error}")
    answers.write(content)
    answers.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
