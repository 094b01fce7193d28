"""The diagrams of a chart that documents show, made by one command: ``agentcp-fsm diagram docs``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentcp_fsm.fsm.diagram.files import DiagramFile
from agentcp_fsm.fsm.diagram.formats import format_named

FILES = (
    ("overview.svg", "svg", "overview"),
    ("full.svg", "svg", "full"),
    ("table.md", "markdown", None),
    ("page.html", "html", None),
)
"""The name of each file, its format and, of a picture, its view."""


def files(folder: Path, imported_from: str) -> Iterator[DiagramFile]:
    """The files of a folder of diagrams; the chart is imported from `imported_from`, ``module:name``."""
    for name, format, view in FILES:
        yield DiagramFile(folder / name, format_named(format), view, imported_from=imported_from)
