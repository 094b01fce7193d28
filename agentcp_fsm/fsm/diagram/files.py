"""Diagrams in files: whole files, or the part of a Markdown page between two lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentcp_fsm.errors import ChartError, DiagramFileError
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.coverage import Coverage
from agentcp_fsm.fsm.diagram.formats import FORMATS, Format, Theme

BEGIN = "<!-- diagram:begin -->"
END = "<!-- diagram:end -->"
"""The lines of a Markdown page between which a diagram is kept up to date."""

PAGE_SUFFIX = ".md"
TABLES = re.compile(r"# .*\n\nIt begins in \*\*")
"""The beginning of a page that is a diagram as a whole: the reviewer's tables."""


@dataclass(frozen=True, slots=True)
class DiagramFile:
    """A file for a diagram."""

    path: Path
    format: Format
    view: str | None = None
    theme: Theme | None = None
    imported_from: str | None = None
    """Where the chart is imported from, ``module:name``."""
    coverage: Coverage | None = None
    """What tests took, to mark the rows that none took."""

    def write(self, chart: Chart) -> None:
        """Write the present diagram; in a Markdown page with the two lines, only the part between them.

        Raises DiagramFileError before anything is drawn if the file cannot be written, and as `Format.export` does.
        """
        self._page()
        write_file(self.path, lambda: self.fresh(chart))

    def is_stale(self, chart: Chart) -> bool:
        """Whether the file is missing, or holds something else than the present diagram.

        Raises DiagramFileError for a file that cannot be read, and for a format whose files differ from one drawing to
        the next, and as `Format.export` does.
        """
        if self.format.binary:
            raise DiagramFileError(
                f"{self.path}: a {self.format.name} may differ from one machine to the next and still be right: "
                "check the same picture as svg or dot"
            )
        try:
            return self.path.read_bytes() != self.fresh(chart)
        except FileNotFoundError:
            return True
        except OSError as error:
            raise DiagramFileError(f"cannot read {self.path}: {error.strerror}") from error

    def fresh(self, chart: Chart) -> bytes:
        """The content that the file should have."""
        page = self._page()
        content = self.format.export(chart, self.view, self.theme, self.imported_from, self.coverage)
        if page is None:
            return content
        before, after = page
        text = content.decode()
        if self.format.name == "mermaid":
            text = f"```mermaid\n{text}```\n"
        return f"{before}{BEGIN}\n{text}{END}{after}".encode()

    def _page(self) -> tuple[str, str] | None:
        """The text before and after the diagram, if the file is a page that holds more than the diagram."""
        if self.path.suffix != PAGE_SUFFIX or self.format.name not in ("mermaid", "markdown"):
            return None
        parts = _parts(self.path)
        if parts is None:
            if self.format.name == "markdown":
                return None
            raise DiagramFileError(f"{self.path} has no lines {BEGIN} and {END}: put them where the diagram belongs")
        before, _, after = parts
        return before, after


def check_page(path: Path) -> None:
    """Raise DiagramFileError for a Markdown page that holds something else than a diagram, and no place for one."""
    if path.suffix != PAGE_SUFFIX or _parts(path) is not None or not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    one = BEGIN in text or END in text
    if one or (text.strip() and not TABLES.match(text)):
        raise DiagramFileError(
            f"{path} has {'only one of the' if one else 'no'} lines {BEGIN} and {END}: put them, in this order, where "
            "the diagram belongs, or name a new file"
        )


def write_file(path: Path, make: Callable[[], bytes]) -> None:
    """Write the result of `make` to a file; raises DiagramFileError, before `make` is called, if that is impossible."""
    is_new = not path.exists()
    try:
        with path.open("ab"):
            pass
        if is_new:
            path.unlink()
        path.write_bytes(make())
    except OSError as error:
        raise DiagramFileError(f"cannot write {path} ({error.strerror}): choose another file") from error


def format_of(path: Path) -> Format:
    """The format that a file's name implies, or a Markdown page's content; raises ChartError if neither does."""
    if path.suffix == PAGE_SUFFIX:
        parts = _parts(path)
        is_table = parts is None or (parts[1].strip() and not parts[1].strip().startswith("```mermaid"))
        return FORMATS["markdown" if is_table else "mermaid"]
    for format in FORMATS.values():
        if path.suffix in format.suffixes:
            return format
    raise ChartError(f"the name {path} says no format: choose one of {', '.join(FORMATS)} with --format")


def _parts(path: Path) -> tuple[str, str, str] | None:
    """The text before, between and after the two lines of a page; None without the lines or the page."""
    try:
        text = path.read_bytes().decode()  # not read_text, which would change the ends of lines
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DiagramFileError(f"cannot read {path}: {error}") from error
    before, begin, rest = text.partition(BEGIN)
    between, end, after = rest.partition(END)
    return (before, between, after) if begin and end else None
