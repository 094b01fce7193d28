"""The interactive page: the picture, what each state, event and row means, and a walk through the machine.

The page is one file that needs no network and loads nothing; its ``Content-Security-Policy`` forbids more.  The page
holds the chart as `agentcp_fsm.fsm.diagram.document` exports it and interprets its rows; it knows no rule of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from html import escape, unescape
from importlib.resources import files
from string import Template
from typing import Any

from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.coverage import Coverage
from agentcp_fsm.fsm.diagram.colours import COLOURS, Colours
from agentcp_fsm.fsm.diagram.document import document, rows_data
from agentcp_fsm.fsm.diagram.dot import edge_id
from agentcp_fsm.fsm.diagram.playback import Playback
from agentcp_fsm.fsm.diagram.views import steps

ASSETS = files("agentcp_fsm.fsm.diagram") / "assets"
VIEWS = ("overview", "full")
"""The views of the picture; the first is shown first."""
UNKNOWN = "the_module_of:CHART"
"""Where the chart is imported from, for the reader to fill in."""
SCRIPTS = (
    "interpreter.js",
    "snippet.js",
    "elements.js",
    "reading.js",
    "walking.js",
    "playing.js",
    "picture.js",
    "searching.js",
    "page.js",
)
"""In this order: each uses names that earlier ones define."""


def page(
    chart: Chart,
    imported_from: str = UNKNOWN,
    coverage: Coverage | None = None,
    playback: Playback | None = None,
) -> str:
    """The page of a chart, as HTML.

    The page writes tests, which import the chart from `imported_from`, ``module:name``.  With `coverage`, it marks the
    rows that no test took; with `playback`, it plays a walk that happened.  Raises RendererError without the extra
    ``diagram``, and ChartError for a walk that the chart cannot have.
    """
    from agentcp_fsm.fsm.diagram.svg import svg

    played = None if playback is None else playback.document(chart)
    return page_with(chart, {view: svg(chart, view) for view in VIEWS}, imported_from, coverage, played)


def page_with(
    chart: Chart,
    pictures: Mapping[str, str],
    imported_from: str = UNKNOWN,
    coverage: Coverage | None = None,
    played: Mapping[str, Any] | None = None,
) -> str:
    """The page of a chart with these pictures, SVG by the name of the view; `page` makes them itself.

    The pictures mark their states and arrows as `agentcp_fsm.fsm.diagram.svg` does; `played` is a `Playback.document`.
    """
    drawings = {view: _inline(picture) for view, picture in pictures.items()}
    content = walkable(chart) | {
        "imported_from": imported_from,
        "views": list(drawings),
        "taken": None if coverage is None else [list(pair) for pair in sorted(coverage.taken)],
        "arrows": {edge_id(*step): step for step in steps(chart)},
        "played": played,
    }
    style = _asset("page.css") + _role_styles()
    scripts = [_asset(name) for name in SCRIPTS]
    styles = re.findall(r"<style>(.*?)</style>", "".join(drawings.values()), re.DOTALL)
    first, *others = drawings.values()
    return Template(_asset("page.html")).substitute(
        name=escape(chart.name),
        policy=_policy(scripts, [style, *map(unescape, styles)]),
        style=style,
        picture=first,
        pictures="".join(others),
        chart=_json(content),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def walkable(chart: Chart) -> dict[str, Any]:
    """The chart's document as the page walks it: with the rows of its default, and a sentence on it."""
    return document(chart) | {"rows": rows_data(chart, chart.all_rows), "otherwise": chart.otherwise}


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _inline(picture: str) -> str:
    """An SVG file as a part of a page; it follows the page's choice of light or dark."""
    picture = picture[picture.index("<svg") :]
    return picture.replace("@media (prefers-color-scheme: dark)", ":root[data-theme=dark]")


def _role_styles() -> str:
    return "".join(
        f".swatch.{role} {{ --fill: {colours.fill}; --stroke: {colours.stroke}; --border: {_border(colours)}; }}\n"
        for role, colours in COLOURS.items()
    )


def _border(colours: Colours) -> str:
    return "2px solid" if colours.border == "bold" else f"1px {colours.border}"


def _json(content: object) -> str:
    """JSON without any character that could end the element it stands in."""
    text = json.dumps(content, separators=(",", ":"))  # in ASCII
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """The policy that allows exactly these scripts and styles."""

    def hashes(texts: Iterable[str]) -> str:
        digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
        return " ".join(dict.fromkeys(f"'sha256-{digest}'" for digest in digests))

    allowed = f"script-src {hashes(scripts)}; style-src {hashes(styles)}"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
