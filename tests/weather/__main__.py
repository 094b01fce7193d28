"""``python -m tests.weather``: measure a connection in bad weather and print each row beside its target.

A row is measured on virtual agents, in virtual time; ``--real`` measures the rows of seconds on real sockets as well,
which takes about ten minutes and needs root.  Names given as arguments choose the rows that have them as part of
theirs.  ``--write FILE`` puts the tables into a page of Markdown, between the marks that stand there.
"""

import argparse
import sys
import time
from pathlib import Path

from tests.faults.page import parts, show, write
from tests.weather.former import FORMER, FORMER_REAL, REPORTED
from tests.weather.row import FULL, SMALL, Measured, Row, Size
from tests.weather.rows import ROWS

HEADINGS = ("weather", "former law, as reported", "former law", "measured", "must be", "")
REAL_HEADINGS = ("weather", "former law", "measured", "must be", "")
NOTE_HEADINGS = ("weather", "how it is measured", "more of what was measured")


def _mark(row: Row, measured: Measured) -> str:
    return "reached" if row.reached(measured.figures) else "**missed**"


def _weather(row: Row, size: Size) -> str:
    return row.weather.format(agents=f"{size.agents:,}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.weather", description=__doc__)
    parser.add_argument("name", nargs="*", help="part of the names of the rows to measure")
    parser.add_argument("--small", action="store_true", help="as the tests do: fewer, shorter, in seconds")
    parser.add_argument("--real", action="store_true", help="the rows of seconds on real sockets, too")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this page")
    options = parser.parse_args()
    chosen = [row for row in ROWS if not options.name or any(part in row.name for part in options.name)]
    if not chosen:
        parser.error(f"no row has {' or '.join(map(repr, options.name))} in its name")
    if options.write:  # before anything takes minutes
        for name in ("weather", "weather-notes") + ("weather-real",) * options.real:
            parts(options.write, name)
    size = SMALL if options.small else FULL

    rows, notes, missed = [], [], []
    for row in chosen:
        begun = time.monotonic()
        measured = row.measure(size)
        print(f"{row.name}: {measured.text} ({time.monotonic() - begun:.1f} s)", file=sys.stderr)
        mark = _mark(row, measured)
        reported, former = REPORTED.get(row.name, ""), FORMER.get(row.name, "")
        rows.append((_weather(row, size), reported, former, measured.text, row.target, mark))
        notes.append((_weather(row, size), row.meaning, measured.note))
        if not row.reached(measured.figures):
            missed.append(row.name)
    real_rows = measure_really(chosen, missed) if options.real else []

    show(HEADINGS, rows)
    show(NOTE_HEADINGS, notes)
    if real_rows:
        show(REAL_HEADINGS, real_rows)
    if options.write:
        write(options.write, "weather", HEADINGS, rows)
        write(options.write, "weather-notes", NOTE_HEADINGS, notes)
        if real_rows:
            write(options.write, "weather-real", REAL_HEADINGS, real_rows)
    if missed:
        raise SystemExit(f"not reached: {', '.join(missed)}")


def measure_really(chosen: list[Row], missed: list[str]) -> list[tuple[str, ...]]:
    """The table of real sockets; the names of rows that are not reached are added to `missed`."""
    from tests.weather.real import MEASURES

    table: list[tuple[str, ...]] = []
    for row in chosen:
        if row.name not in MEASURES:
            continue
        begun = time.monotonic()
        measured = MEASURES[row.name]()
        print(f"{row.name}, really: {measured.text} ({time.monotonic() - begun:.1f} s)", file=sys.stderr)
        table.append((row.weather, FORMER_REAL.get(row.name, ""), measured.text, row.target, _mark(row, measured)))
        if not row.reached(measured.figures):
            missed.append(f"{row.name} (real)")
    return table


if __name__ == "__main__":
    main()
