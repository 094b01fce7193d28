"""A chart as an SVG that is right on light and dark pages, by itself, in an ``<img>`` or as a part of a page.

Each state is a group ``<g id="state-NAME" class="node ROLE">`` (`state_id`).  The lines and labels of each step from
one state to the next are a group ``<g id="edge-SOURCE-DEST" class="edge">`` (`edge_id`).  In the overview a line may
belong to several steps; its group then has no id.  ``data-edges`` of every edge's group lists the ids of all its steps,
so ``[data-edges~="edge-A-B"]`` finds everything that is drawn for the step from A to B, in any view.  In a difference
the class names the kind of change, and edges that changed have no id.

Colours are the custom properties of `STYLE`, on the root element of class ``chart``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.colours import COLOURS, KINDS, PAPERS, PLAIN, Colours, Paper
from agentcp_fsm.fsm.diagram.diff import Kind
from agentcp_fsm.fsm.diagram.dot import MARK_WIDTH, dot_of, edge_id, state_id
from agentcp_fsm.fsm.diagram.formats import OVERVIEW, Theme
from agentcp_fsm.fsm.diagram.graphviz import draw
from agentcp_fsm.fsm.diagram.picture import Picture, picture
from agentcp_fsm.fsm.diagram.views import Scope, steps
from agentcp_fsm.fsm.printable import printable

PIXELS = 4 / 3
"""In a point."""
LEGEND_SIZE = 10.0
BACKSLASHES = (0x2044, 0x2215, *range(0x2190, 0x2600))
"""Characters, the first ones as wide as a backslash, of which one that no text has stands for it on the way."""
FONTS = "Roboto, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"

STYLE = """
.chart text { font-family: %(fonts)s; fill: var(--ink); }
.chart .page { fill: var(--page); }
.chart .shape { fill: none; stroke: var(--line); }
.chart .head, .chart .initial .shape { fill: var(--line); stroke: var(--line); }
.chart .name { font-weight: bold; }
"""


def svg(chart: Chart, view: str = OVERVIEW, theme: Theme = Theme.AUTO) -> str:
    """A view of a chart as an SVG.

    Raises ChartError for a view that the chart does not have, and RendererError without the extra ``diagram``.
    """
    return svg_of(picture(chart, view), view, theme)


def svg_of(shown: Picture, caption: str, theme: Theme) -> str:
    """A picture as an SVG; raises RendererError without the extra ``diagram``."""
    # Graphviz cuts the end of a text with many backslashes in its JSON, even in the midst of a character.
    texts = dot_of(shown, Theme.LIGHT)
    backslash = next(character for character in map(chr, BACKSLASHES) if character not in texts)
    graph = json.loads(draw(dot_of(shown, Theme.LIGHT, backslash), "json"))
    root = _Drawing(shown.chart, graph, backslash).root(caption, _style(theme, shown.view.scope is Scope.DIFFERENCE))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


class _Drawing:
    def __init__(self, chart: Chart, graph: dict[str, Any], backslash: str) -> None:
        self.chart = chart
        self.backslash = backslash
        self.graph = graph
        left, bottom, right, top = (float(part) for part in graph["bb"].split(","))
        pad = float(graph["pad"]) * 72
        self.left, self.top = left - pad, top + pad
        self.width, self.height = right - left + 2 * pad, top - bottom + 2 * pad

    def root(self, caption: str, style: str) -> Element:
        root = Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "class": "chart",
                "role": "img",
                "aria-label": printable(f"State diagram of {self.chart.name}: {caption}"),
                "viewBox": f"0 0 {_number(self.width)} {_number(self.height)}",
                "width": str(round(self.width * PIXELS)),
                "height": str(round(self.height * PIXELS)),
            },
        )
        SubElement(root, "style").text = style
        SubElement(root, "rect", {"class": "page", "width": "100%", "height": "100%"})
        objects = self.graph.get("objects", [])
        for item in objects:
            if item.get("class") == "frame":
                self._shapes(SubElement(root, "g", {"class": "frame"}), item["_draw_"])
        self._edges(root, [*self.graph.get("edges", []), *objects])
        for item in objects:
            if item.get("class") == "initial":
                self._shapes(SubElement(root, "g", {"class": "initial"}), item["_draw_"])
        self._states(root, objects)
        self._legend(SubElement(root, "g", {"class": "legend"}))
        return root

    def _edges(self, root: Element, items: Iterable[Mapping[str, Any]]) -> None:
        names = {edge_id(*step): printable(" → ".join(step)) for step in steps(self.chart)}
        groups: dict[str, Element] = {}
        for item in items:
            if "comment" in item:
                ids = item["comment"].split()
                _, _, mark = item["class"].partition(" ")
                key = f"{item['comment']} {mark}"
                if key not in groups:
                    attributes = {"class": f"edge {mark}".strip(), "data-edges": item["comment"]}
                    own = {"id": ids[0]} if len(ids) == 1 and not mark else {}
                    groups[key] = SubElement(root, "g", own | attributes)
                    SubElement(groups[key], "title").text = "\n".join(names[name] for name in ids)
                group = groups[key]
            elif item.get("class") == "line":
                group = SubElement(root, "g", {"class": "initial"})
            else:
                continue
            self._shapes(group, item.get("_draw_", ()))
            self._shapes(group, (*item.get("_hdraw_", ()), *item.get("_tdraw_", ())), "head")
            self._texts(group, item.get("_ldraw_", ()))

    def _states(self, root: Element, items: Iterable[Mapping[str, Any]]) -> None:
        states = {state_id(state.name): state for state in self.chart.states}
        for item in items:
            if state := states.get(item.get("id", "")):
                attributes = {"id": item["id"], "class": f"node {item['class']}", "data-state": printable(state.name)}
                group = SubElement(root, "g", attributes)
                if text := " ".join(part for part in (state.meaning, state.owns and f"Owns {state.owns}.") if part):
                    SubElement(group, "title").text = printable(text)
                self._shapes(group, item["_draw_"])
                self._texts(group, item["_ldraw_"])

    def _point(self, point: Iterable[float]) -> str:
        x, y = point
        return f"{_number(x - self.left)},{_number(self.top - y)}"

    def _shapes(self, group: Element, operations: Iterable[Mapping[str, Any]], name: str = "shape") -> None:
        """Lines and areas; their colours come from their classes and the group's."""
        seen: set[str] = set()
        for operation in operations:
            match operation["op"]:
                case "b" | "B":
                    first, *others = map(self._point, operation["points"])
                    path = f"M{first}C{' '.join(others)}"
                case "p" | "P":
                    path = f"M{'L'.join(map(self._point, operation['points']))}Z"
                case "e" | "E":
                    x, y, *radii = operation["rect"]
                    attributes = {"class": name, "cx": _number(x - self.left), "cy": _number(self.top - y)}
                    SubElement(group, "ellipse", attributes | {"rx": _number(radii[0]), "ry": _number(radii[1])})
                    continue
                case _:
                    continue
            if path not in seen:  # a filled area may be followed by its outline
                # Of a final state's two borders one is around its area, the other around the first.
                SubElement(group, "path", {"class": f"{name} outline" if seen else name, "d": path})
                seen.add(path)

    def _texts(self, group: Element, operations: Iterable[Mapping[str, Any]]) -> None:
        size, bold = 0.0, False
        for operation in operations:
            match operation["op"]:
                case "F":
                    size = operation["size"]
                case "t":
                    bold = bool(operation["fontchar"] & 1)
                case "T":
                    self._text(group, operation, size, bold)

    def _text(self, group: Element, operation: Mapping[str, Any], size: float, bold: bool) -> None:
        """A text, exactly as wide as it was laid out for, whatever font there is."""
        x, y = operation["pt"]
        width = operation["width"]
        x -= {"l": 0, "c": width / 2, "r": width}[operation["align"]]
        attributes = {"x": _number(x - self.left), "y": _number(self.top - y), "font-size": _number(size)}
        attributes |= {"textLength": _number(width), "lengthAdjust": "spacingAndGlyphs"}
        if bold:
            attributes["class"] = "name"
        SubElement(group, "text", attributes).text = operation["text"].replace(self.backslash, "\\")

    def _legend(self, group: Element) -> None:
        """Each role's name on its colours, and other texts."""
        shapes: list[Mapping[str, Any]] = []
        for operation in self.graph.get("_ldraw_", ()):
            if operation["op"] == "T":
                entry = SubElement(group, "g", {"class": operation["text"]}) if shapes else group
                self._shapes(entry, shapes)
                self._text(entry, operation, LEGEND_SIZE, bold=False)
                shapes = []
            else:
                shapes += [operation] if operation["op"] in "bB" else []


def _style(theme: Theme, difference: bool) -> str:
    lines = [STYLE % {"fonts": FONTS}]
    lines += [_look_style(str(look), colours) for look, colours in [*COLOURS.items(), ("plain", PLAIN)]]
    if difference:
        lines += [_look_style(f"legend .{kind}", colours) for kind, colours in KINDS.items()]
        lines += [_mark_style(kind, colours) for kind, colours in KINDS.items()]
    lines.append(".chart .shape.outline { fill: none; }")
    if theme == Theme.AUTO:
        lines.append(_paper_style(PAPERS[Theme.LIGHT], difference))
        lines.append(f"@media (prefers-color-scheme: dark) {{ {_paper_style(PAPERS[Theme.DARK], difference)} }}")
    else:
        lines.append(_paper_style(PAPERS[theme], difference))
    return "\n".join(line.strip("\n") for line in lines)


def _paper_style(paper: Paper, difference: bool) -> str:
    marks = "".join(f" --{kind}: {colour};" for kind, colour in paper.marks.items() if difference)
    return f".chart {{ --page: {paper.page}; --ink: {paper.ink}; --line: {paper.line};{marks} }}"


def _look_style(look: str, colours: Colours) -> str:
    return (
        f".chart .{look} .shape {{ fill: {colours.fill}; stroke: {colours.stroke}; "
        f"stroke-width: {colours.width};{_dashes(colours)} }}\n"
        f".chart .{look} text {{ fill: {colours.text}; }}"
    )


def _mark_style(kind: Kind, colours: Colours) -> str:
    return (
        f".chart .node.{kind} .shape {{ stroke: var(--{kind}); stroke-width: {MARK_WIDTH};"
        f"{_dashes(colours) or ' stroke-dasharray: none;'} }}\n"
        f".chart .edge.{kind} .shape {{ fill: none; stroke: var(--{kind}); stroke-width: 2;{_dashes(colours)} }}\n"
        f".chart .edge.{kind} .head {{ fill: var(--{kind}); stroke: var(--{kind}); }}\n"
        f".chart .edge.{kind} text {{ fill: var(--{kind}); }}"
    )


def _dashes(colours: Colours) -> str:
    return {"dashed": " stroke-dasharray: 5 3;", "dotted": " stroke-dasharray: 1.5 2.5;"}.get(colours.border, "")


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
