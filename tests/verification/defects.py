"""Which seeded defect is found by what: the table of docs/proof.md; not part of the test run.

python -m tests.verification.defects [--only TEXT] [--every N] [--jobs 2] [--write docs/proof.md]

``--every 4`` takes each fourth of the catalogue.  Needs the programs spin and gcc.
"""

from __future__ import annotations

import argparse
from multiprocessing import get_context
from pathlib import Path

from tests.faults import page
from tests.verification.catalogue import DEFECTS

HEADINGS = ("kind", "defect", "`verify`", "Hypothesis", "spin")
MISSED = "missed"


def row(number: int) -> tuple[str, ...]:
    """The kind, the defect, what the explorer reports of it, and whether random lives and spin find it."""
    defect = DEFECTS[number]
    found, verdict = defect.explored().violation, defect.checked_by_spin()
    return (
        defect.kind,
        defect.what,
        MISSED if found is None else f"{found.name} in {len(found.steps)}",
        "found" if defect.falsified() else MISSED,
        "–" if verdict is None else MISSED if verdict.broken is None else "found",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only defects whose name has this text")
    parser.add_argument("--every", type=int, default=1, help="only each Nth of them")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page of Markdown")
    arguments = parser.parse_args()
    chosen = [number for number, defect in enumerate(DEFECTS) if arguments.only in defect.what][:: arguments.every]
    if arguments.write:
        page.parts(arguments.write, "defects")
    rows = []
    with get_context("fork").Pool(arguments.jobs, maxtasksperchild=4) as pool:
        for found in pool.imap(row, chosen):
            print(f"| {' | '.join(found)} |", flush=True)
            rows.append(found)
    if arguments.write:
        page.write(arguments.write, "defects", HEADINGS, rows)
    explored, random, model = (sum(each[column] not in (MISSED, "–") for each in rows) for column in (2, 3, 4))
    reach = sum(each[4] != "–" for each in rows)
    print(
        f"\n{len(rows)} defects: `verify` finds {explored}, Hypothesis {random}, spin {model} of {reach} in its reach."
    )
    return 0 if explored == len(chosen) else 1


if __name__ == "__main__":
    raise SystemExit(main())
