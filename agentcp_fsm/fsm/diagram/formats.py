"""The formats in which a chart can be exported, by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING

from agentcp_fsm.errors import ChartError

if TYPE_CHECKING:
    from agentcp_fsm.fsm.chart import Chart
    from agentcp_fsm.fsm.coverage import Coverage

OVERVIEW = "overview"
VIEWS = "overview, full, state:NAME or path:FROM..TO"
"""How a view is written."""
PATH_FORMATS = ("text", "json", "pytest")
"""How walks through a chart are written down."""


class Theme(StrEnum):
    """The page for which a picture is made; AUTO follows the reader's own choice, if the format can."""

    LIGHT = "light"
    DARK = "dark"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a chart down."""

    name: str
    module: str
    """Of `agentcp_fsm.fsm.diagram`; imported when it is used."""
    function: str
    """Of the module.  It takes the chart, and ``view``, ``theme``, ``imported_from`` or ``coverage`` if the format has
    them, and returns a text or bytes."""
    description: str
    suffixes: tuple[str, ...]
    """How files of this format end, the usual way first."""
    binary: bool = False
    has_views: bool = False
    themes: tuple[Theme, ...] = ()
    """The themes it has, the default first; none if there is nothing to choose."""

    is_page: bool = False
    """Whether its files say where the chart is imported from, and may mark what tests took."""

    def export(
        self,
        chart: Chart,
        view: str | None = None,
        theme: Theme | None = None,
        imported_from: str | None = None,
        coverage: Coverage | None = None,
    ) -> bytes:
        """The chart, which is imported from `imported_from` (``module:name``), in this format; a text is UTF-8.

        With `coverage`, rows that no test took are marked.  Raises ChartError for a view, a theme or marks that this
        format does not have, and whatever the format raises.
        """
        options: dict[str, object] = {}
        if view is not None:
            if not self.has_views:
                raise ChartError(f"the format {self.name} always holds the whole chart: leave the view {view!r} out")
            options["view"] = view
        if theme is not None:
            check_theme(theme, self.name, self.themes)
            options["theme"] = theme
        if self.is_page and imported_from is not None:
            options["imported_from"] = imported_from
        if coverage is not None:
            if not self.is_page:
                raise ChartError(f"the format {self.name} marks no rows that tests took: choose html")
            options["coverage"] = coverage
        content = getattr(import_module(f"agentcp_fsm.fsm.diagram.{self.module}"), self.function)(chart, **options)
        return content if isinstance(content, bytes) else content.encode()


FORMATS = {
    format.name: format
    for format in (
        Format("mermaid", "mermaid", "mermaid", "a Mermaid flowchart, as Markdown pages show it", (".mmd", ".mermaid"),
               has_views=True),
        Format("dot", "dot", "dot", "a Graphviz graph", (".dot", ".gv"),
               has_views=True, themes=(Theme.LIGHT, Theme.DARK)),
        Format("svg", "svg", "svg", "a picture, right on light and dark pages", (".svg",),
               has_views=True, themes=(Theme.AUTO, Theme.LIGHT, Theme.DARK)),
        Format("png", "graphviz", "png", "a picture", (".png",),
               binary=True, has_views=True, themes=(Theme.LIGHT, Theme.DARK)),
        Format("pdf", "graphviz", "pdf", "a picture", (".pdf",),
               binary=True, has_views=True, themes=(Theme.LIGHT, Theme.DARK)),
        Format("html", "page", "page", "an interactive page: explains every row, and walks", (".html", ".htm"),
               is_page=True),
        Format("plantuml", "plantuml", "plantuml", "a PlantUML state diagram", (".puml", ".plantuml"),
               has_views=True),
        Format("scxml", "scxml", "scxml", "SCXML, which other interpreters run", (".scxml",)),
        Format("xstate", "xstate", "xstate", "the JSON of an XState machine", (".xstate",)),
        Format("markdown", "markdown", "markdown", "the reviewer's tables", (".md",)),
        Format("json", "document", "json", "the whole chart as data", (".json",)),
    )
}  # fmt: skip

DIFF_FORMATS = {
    "text": (".txt",),
    "markdown": (".md",),
    "json": (".json",),
    "svg": (".svg",),
    "png": (".png",),
    "pdf": (".pdf",),
    "dot": (".dot", ".gv"),
    "mermaid": (".mmd", ".mermaid"),
}
"""The formats of a difference of two charts, and the suffixes of their files."""


def check_theme(theme: Theme, format_name: str, themes: tuple[Theme, ...]) -> None:
    """Raise ChartError unless the theme is one of those that the format has."""
    if theme not in themes:
        known = f"it has {', '.join(themes)}" if themes else "it has none to choose from"
        raise ChartError(f"the format {format_name} has no theme {str(theme)!r}: {known}")


def format_named(name: str) -> Format:
    """The format of this name; raises ChartError, which lists the formats, for any other."""
    try:
        return FORMATS[name]
    except KeyError:
        raise ChartError(f"there is no format {name!r}: choose one of {', '.join(FORMATS)}") from None
