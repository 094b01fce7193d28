"""``python -m tests.faults``: carry out the cases of the fault bench and print what must hold and what was measured.

Arguments choose the cases whose names contain one of them.  ``--slow`` adds the cases that take a minute, and
``--write FILE`` puts the table into a page of Markdown, between the marks in it.
"""

import argparse
import sys
from pathlib import Path

import pytest

from tests.faults.bench import run
from tests.faults.case import Outcome
from tests.faults.catalogue import CASES
from tests.faults.page import parts, show, write
from tests.server_process import ServerProcess

HEADINGS = (
    "what happens", "must be", "within", "measured", "lost", "unanswered", "sign-ins", "processor", "memory",
    "stop", "left", "sessions",
)  # fmt: skip


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
        f"{outcome.sign_ins} of {outcome.sign_ins_due}",
        f"{outcome.processor * 1000:.0f} of {case.processor * 1000:.0f} ms",
        f"{outcome.memory:.1f} MB",
        _seconds(outcome.stopping),
        "no process" if left is None else f"{left.threads} / {left.descriptors} / {left.sockets}",
        "" if outcome.sessions is None else f"{outcome.sessions}",
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f} s"


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
    if options.write:
        parts(options.write, "faults")  # before anything takes minutes
    outcomes = []
    with ServerProcess() as server:
        for number, case in enumerate(chosen, 1):
            print(f"{number} of {len(chosen)}: {case.name}", file=sys.stderr)
            try:
                outcomes.append(run(case, server))
            except pytest.skip.Exception as skipped:
                print(f"left out: {skipped}", file=sys.stderr)
    rows = [row_of(outcome) for outcome in outcomes]
    show(HEADINGS, rows)
    if options.write:
        write(options.write, "faults", HEADINGS, rows)
    broken = [outcome for outcome in outcomes if outcome.broken]
    for outcome in broken:
        print(f"{outcome.case.name}:", *outcome.broken, sep="\n  ")
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
