"""The layout of a picture, as Graphviz computed it, measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.dot import dot
from agentcp_fsm.fsm.diagram.graphviz import draw

POINTS = 72
"""In an inch."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A node, or what its text takes; points, from the left and from below."""

    name: str
    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def holds(self, point: Point) -> bool:
        return self.left < point[0] < self.right and self.bottom < point[1] < self.top


@dataclass(frozen=True)
class Line:
    """A line between two nodes, as points on it."""

    ends: tuple[str, str]
    points: tuple[Point, ...]


class Layout:
    """A view of a chart as it is laid out."""

    def __init__(self, chart: Chart, view: str) -> None:
        self.graph: dict[str, Any] = json.loads(draw(dot(chart, view), "json"))
        nodes = [item for item in self.graph["objects"] if "pos" in item]
        self.boxes = [_box(item) for item in nodes]
        self.texts = [text for item in nodes for text in _texts(item)]
        names = {item["_gvid"]: item["name"] for item in nodes}
        self.lines = [
            Line((names[item["tail"]], names[item["head"]]), tuple(_curve(item)))
            for item in self.graph.get("edges", ())
        ]

    def covered(self) -> list[tuple[str, str]]:
        """Pairs of nodes that overlap."""
        return [(one.name, other.name) for one, other in combinations(self.boxes, 2) if one.overlaps(other)]

    def overflowing(self) -> list[tuple[str, str]]:
        """Nodes with a text that is not inside."""
        by_name = {box.name: box for box in self.boxes}
        return [
            (name, text)
            for name, text, left, right, baseline in self.texts
            if not (by_name[name].holds((left, baseline)) and by_name[name].holds((right, baseline)))
        ]

    def crossed(self) -> list[tuple[str, str]]:
        """Lines, by their first end, that cross a node they do not belong to."""
        return [
            (line.ends[0], box.name)
            for line in self.lines
            for box in self.boxes
            if box.name not in line.ends and any(map(box.holds, line.points))
        ]


def _box(item: dict[str, Any]) -> Box:
    x, y = (float(part) for part in item["pos"].split(","))
    width, height = (float(item[name]) * POINTS / 2 for name in ("width", "height"))
    return Box(item["name"], x - width, y - height, x + width, y + height)


def _texts(item: dict[str, Any]) -> Iterator[tuple[str, str, float, float, float]]:
    """The node's name, the text, its left and right ends and its baseline."""
    for operation in item.get("_ldraw_", ()):
        if operation["op"] == "T":
            x, y = operation["pt"]
            left = x - {"l": 0, "c": operation["width"] / 2}[operation["align"]]
            yield item["name"], operation["text"], left, left + operation["width"], y


def _curve(item: dict[str, Any]) -> Iterator[Point]:
    for operation in item["_draw_"]:
        if operation["op"] == "b":
            points = operation["points"]
            for start in range(0, len(points) - 3, 3):
                yield from (_bezier(points[start : start + 4], step / 20) for step in range(21))


def _bezier(points: list[list[float]], at: float) -> Point:
    weights = ((1 - at) ** 3, 3 * (1 - at) ** 2 * at, 3 * (1 - at) * at**2, at**3)
    x, y = (sum(weight * point[axis] for weight, point in zip(weights, points, strict=True)) for axis in (0, 1))
    return x, y
