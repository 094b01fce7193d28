"""Tables of what was measured: on the terminal, or in a page of Markdown between marks with the table's name."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

Rows = Sequence[Sequence[str]]


def show(headings: Sequence[str], rows: Rows) -> None:
    """Print the table."""
    table = Table(*headings)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def write(page: Path, name: str, headings: Sequence[str], rows: Rows) -> None:
    """Put the table into a page, between ``<!-- name:begin -->`` and ``<!-- name:end -->``."""
    before, after = parts(page, name)
    lines = (headings, ("---",) * len(headings), *rows)
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    page.write_text(f"{before}{text}{after}")


def parts(page: Path, name: str) -> tuple[str, str]:
    """The page up to and from where the table stands; ends the program if there is no such page or place."""
    marks = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        before, begin, rest = page.read_text().partition(marks[0])
    except OSError as error:
        raise SystemExit(f"{page} cannot be read ({error.strerror}): give a page with {' and '.join(marks)}") from None
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise SystemExit(f"{page} has no lines {' and '.join(marks)} to put the table between")
    return f"{before}{begin}\n", f"{end}{after}"
