"""A chart as a picture, drawn by Graphviz, which comes with pygraphviz."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from agentcp_fsm.errors import RendererError
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.dot import dot
from agentcp_fsm.fsm.diagram.formats import OVERVIEW, Theme

_DRAW = """\
import sys
import pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
format, *attributes = sys.argv[1:]
graph.graph_attr.update(attribute.split("=", 1) for attribute in attributes)
sys.stdout.buffer.write(graph.draw(format=format, prog=graph.graph_attr.get("layout") or "dot"))
"""
_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>{folder}</dir>
  <dir>/usr/share/fonts</dir>
  <dir>/usr/local/share/fonts</dir>
  <dir prefix="xdg">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <match target="font">
    <edit name="hinting"><bool>false</bool></edit>
    <edit name="hintstyle"><const>hintnone</const></edit>
  </match>
</fontconfig>
"""


RESOLUTION = 144
"""Of a PNG, in dots an inch."""


def png(chart: Chart, view: str = OVERVIEW, theme: Theme = Theme.LIGHT) -> bytes:
    """A view of a chart as a PNG; raises as `svg` does."""
    return draw_png(dot(chart, view, theme))


def pdf(chart: Chart, view: str = OVERVIEW, theme: Theme = Theme.LIGHT) -> bytes:
    """A view of a chart as a PDF of one page; raises as `svg` does."""
    return draw_pdf(dot(chart, view, theme))


def draw_png(graph: str) -> bytes:
    """A graph as a PNG, with a border that makes its size whole pixels: Graphviz leaves a part of one transparent."""
    layout = json.loads(draw(graph, "json0"))
    left, bottom, right, top = (float(part) for part in layout["bb"].split(","))
    pads = (whole_pad(length, float(layout["pad"])) for length in (right - left, top - bottom))
    return draw(graph, "png:cairo:cairo", dpi=str(RESOLUTION), pad=",".join(f"{pad:.6f}" for pad in pads))


def whole_pad(length: float, least: float) -> float:
    """The least border, in inches, that makes a length in points and the border on both sides whole pixels."""
    inches = length / 72
    return (math.ceil((inches + 2 * least) * RESOLUTION) / RESOLUTION - inches) / 2


def draw_pdf(graph: str) -> bytes:
    """A graph as a PDF of one page, which it fills."""
    return draw(graph, "pdf", margin="0")


def draw(graph: str, format: str, **attributes: str) -> bytes:
    """A graph, with these attributes as well, as Graphviz draws it.

    Graphviz runs in a process of its own: it knows one configuration of fonts, and writes warnings to standard error.
    """
    missing = [name for name in ("pygraphviz", "font_roboto") if find_spec(name) is None]
    if missing:
        raise RendererError(f"pictures need {missing[0]}: run pip install 'agentcp-fsm[diagram]'")
    import font_roboto

    with TemporaryDirectory() as folder:
        fonts = Path(folder) / "fonts.conf"
        fonts.write_text(_FONTS.format(folder=font_roboto.font_directory), encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - a program of ours
            [sys.executable, "-P", "-c", _DRAW, format, *(f"{name}={value}" for name, value in attributes.items())],
            input=graph.encode(),
            capture_output=True,
            check=False,
            env=os.environ | {"FONTCONFIG_FILE": str(fonts)},
        )
    if done.returncode < 0:
        raise RendererError(f"Graphviz crashed on it (signal {-done.returncode}): another view may do")
    if done.returncode:
        text, _, _ = done.stderr.decode(errors="replace").partition("Traceback")
        lines = [line for line in text.splitlines() if not line.startswith("Fontconfig warning")]
        raise RendererError(f"Graphviz cannot draw it: {' '.join(lines)}")
    return done.stdout
