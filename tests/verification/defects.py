"""Which seeded defect is found by what, as the table of docs/proof.md; not part of the test run.

python -m tests.verification.defects [--only TEXT] [--jobs 2]
"""

from __future__ import annotations

import argparse
from multiprocessing import get_context

from tests.verification.catalogue import DEFECTS


def row(number: int) -> tuple[str, str, str, bool]:
    """The kind, the defect, what the explorer reports of it, and whether random lives find it."""
    defect = DEFECTS[number]
    found = defect.explored().violation
    return defect.kind, defect.what, "" if found is None else f"{found.name} in {len(found.steps)}", defect.falsified()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only defects whose name has this text")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    chosen = [number for number, defect in enumerate(DEFECTS) if arguments.only in defect.what]
    print("| kind | defect | `verify` | Hypothesis |\n| --- | --- | --- | --- |", flush=True)
    explored = random = 0
    with get_context("fork").Pool(arguments.jobs, maxtasksperchild=4) as pool:
        for kind, what, found, falsified in pool.imap(row, chosen):
            explored, random = explored + bool(found), random + falsified
            print(f"| {kind} | {what} | {found or 'missed'} | {'found' if falsified else 'missed'} |", flush=True)
    print(f"\n{len(chosen)} defects: `verify` finds {explored}, Hypothesis {random}.")
    return 0 if explored == len(chosen) else 1


if __name__ == "__main__":
    raise SystemExit(main())
