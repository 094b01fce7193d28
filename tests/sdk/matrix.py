"""``python -m tests.sdk.matrix``: the life of an agent of each version of the SDK on our heartbeat client, as a table.

Names given as arguments choose the versions.  Old ones are looked for in the folder that the environment variable
AGENTCP_SDKS names, or in ``.sdks``, each in a folder of its number; ``--write FILE`` puts the table into a page of
Markdown, between the marks that stand there.
"""

import argparse
import sys
from pathlib import Path

from tests.faults.page import parts, show, write
from tests.sdk.lives import STEPS, folders, live

HEADINGS = ("SDK", *STEPS)
NAME = "sdk-versions"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sdk.matrix", description=__doc__)
    parser.add_argument("version", nargs="*", help="the versions to take; all that are at hand without")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this page")
    options = parser.parse_args()
    at_hand = folders()
    if missing := [version for version in options.version if version not in at_hand]:
        parser.error(f"there is no SDK {', '.join(missing)}; there are {', '.join(at_hand)}")
    if options.write:
        parts(options.write, NAME)  # ends the program at once if the table has no place there
    rows = []
    for version in options.version or at_hand:
        came = live(at_hand[version])
        rows.append((version, *(came.get(step, "not tried") for step in STEPS)))
    show(HEADINGS, rows)
    if options.write:
        write(options.write, NAME, HEADINGS, rows)
    return 0 if all(cell == "yes" for row in rows for cell in row[1:]) else 1


if __name__ == "__main__":
    sys.exit(main())
