"""Times of drawing large charts: ``python -m tests.benchmarks.drawing --write docs/diagrams.md``.

Each chart has 16 events in each state, of which 12 lead to other states and 4 are ignored.  Each time is that of one
process with one core, from the chart to the bytes of the file; modules are imported before.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.formats import FORMATS
from tests.faults.page import show, write

STATES = (50, 100, 200)
TRIGGERS = 16
FIRST = ("svg", "png", "pdf", "html")
"""The formats that lay a picture out, which take the longest; the others follow."""


def chart_of(size: int) -> Chart:
    """A chart of so many states: three quarters of its events lead on, to the first state, or anywhere."""
    names = [f"S{number}" for number in range(size)]
    rows = []
    for number, name in enumerate(names):
        for trigger in range(TRIGGERS):
            dest = [names[(number + 1) % size], names[0], names[(number * 7 + trigger) % size], None][trigger % 4]
            rows.append(Row(f"event{trigger}", name, dest, after="act", ignored=dest is None, reason="It is so."))
    return Chart(f"{size} states", names[0], tuple(map(ChartState, names)), tuple(rows))


LARGE = chart_of(STATES[0])
"""One of them, for the command."""


def measure(size: int, format: str, view: str | None) -> str:
    """Seconds, in words; of a format that refuses the chart, that it does."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    chart = chart_of(size)
    FORMATS[format].export(chart_of(2), view)  # imports
    begun = time.perf_counter()
    try:
        content = FORMATS[format].export(chart, view)
    except ChartError:
        return "refused"
    return f"{time.perf_counter() - begun:.2f} s, {len(content) / 1e6:.2f} MB"


def main() -> None:
    """Measure, show, and write the table into a page if one is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    page: Path | None = parser.parse_args().write
    rows = []
    for format in [*FIRST, *(name for name in FORMATS if name not in FIRST)]:
        for view in ("overview", "full") if FORMATS[format].has_views else (None,):
            cells = []
            for size in STATES:
                with ProcessPoolExecutor(1) as pool:  # a fresh process each time
                    cells.append(pool.submit(measure, size, format, view).result())
            rows.append([f"`{format}`", view or "", *cells])
    headings = ("format", "view", *(f"{size} states, {size * TRIGGERS:,} rows" for size in STATES))
    show(headings, rows)
    if page is not None:
        write(page, "drawing", headings, rows)


if __name__ == "__main__":
    main()
