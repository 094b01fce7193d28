"""``python -m tests.faults``: carry out the cases of the fault bench and print what must hold and what was measured.

Names given as arguments choose the cases that have them as part of theirs.  ``--slow`` takes those along that take a
minute, ``--write FILE`` puts the table into a page of Markdown, between the marks that stand there.
"""

import argparse
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tests.faults.bench import Outcome, run
from tests.faults.catalogue import CASES
from tests.server_process import ServerProcess

HEADINGS = (
    "what happens", "must be", "within", "measured", "lost", "unanswered", "sign-ins", "processor", "stop", "left",
)  # fmt: skip
BEGIN, END = "<!-- faults:begin -->", "<!-- faults:end -->"


def row_of(outcome: Outcome) -> tuple[str, ...]:
    """The outcome as cells of the table."""
    case, left = outcome.case, outcome.left
    return (
        case.name,
        case.ends if not outcome.broken else f"**not {case.ends}**",
        f"{case.within:g} s",
        _seconds(outcome.seconds),
        f"{outcome.losses}",
        f"{outcome.unanswered}",
        f"{outcome.sign_ins} of {case.sign_ins}",
        f"{outcome.processor * 1000:.0f} of {case.processor * 1000:.0f} ms",
        _seconds(outcome.stopping),
        "" if left is None else f"{left.threads} / {left.descriptors} / {left.sockets}",
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f} s"


def as_markdown(rows: list[tuple[str, ...]]) -> str:
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(page: Path, text: str) -> None:
    """Put the text between the marks of the page."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page} has no lines {BEGIN} and {END} to put the table between")
    page.write_text(f"{before}{begin}\n{text}{end}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("name", nargs="*", help="part of the names of the cases to carry out")
    parser.add_argument("--slow", action="store_true", help="those too that take long")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this page")
    options = parser.parse_args()
    chosen = [
        case
        for case in CASES
        if (options.slow or not case.slow) and (not options.name or any(part in case.name for part in options.name))
    ]
    if not chosen:
        parser.error(f"no case has {' or '.join(map(repr, options.name))} in its name")
    outcomes = []
    with ServerProcess() as server:
        for number, case in enumerate(chosen, 1):
            print(f"{number} of {len(chosen)}: {case.name}", file=sys.stderr)
            try:
                outcomes.append(run(case, server))
            except pytest.skip.Exception as skipped:
                print(f"left out: {skipped}", file=sys.stderr)
    rows = [row_of(outcome) for outcome in outcomes]
    if options.write:
        write(options.write, as_markdown(rows))
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    broken = [outcome for outcome in outcomes if outcome.broken]
    for outcome in broken:
        print(f"{outcome.case.name}:", *outcome.broken, sep="\n  ")
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
