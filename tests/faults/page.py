"""Tables of what was measured: on the terminal, and in a page of Markdown between marks that have the table's name."""

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


def as_markdown(headings: Sequence[str], rows: Rows) -> str:
    """The table as it stands in a page."""
    lines = (headings, ("---",) * len(headings), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def parts(page: Path, mark: str) -> tuple[str, str]:
    """The page up to and from where the table of that mark stands; ends the program if it has no such place."""
    marks = f"<!-- {mark}:begin -->", f"<!-- {mark}:end -->"
    try:
        before, begin, rest = page.read_text().partition(marks[0])
    except OSError as error:
        raise SystemExit(
            f"{page} cannot be read ({error.strerror}): give a page that has {' and '.join(marks)}"
        ) from None
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise SystemExit(f"{page} has no lines {' and '.join(marks)} to put the table between")
    return f"{before}{begin}\n", f"{end}{after}"


def write(page: Path, mark: str, text: str) -> None:
    """Put the text between the marks of the page."""
    before, after = parts(page, mark)
    page.write_text(f"{before}{text}{after}")
