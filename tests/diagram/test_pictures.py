"""The pictures can be read: nothing covers anything, no text leaves its box, each state and step has its id."""

import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from agentcp_fsm.errors import ChartError, RendererError
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram import graphviz, markdown
from agentcp_fsm.fsm.diagram.colours import PAPERS
from agentcp_fsm.fsm.diagram.dot import dot, edge_id, state_id
from agentcp_fsm.fsm.diagram.formats import FORMATS, Format, Theme
from agentcp_fsm.fsm.diagram.svg import svg
from agentcp_fsm.fsm.diagram.views import happy_path, steps, view_of
from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.lifecycle.chart import CHART, State
from tests.benchmarks.drawing import LARGE
from tests.diagram.layout import Layout
from tests.diagram.strategies import charts
from tests.needs import needs, needs_root

VIEWS = ["overview", "full", *(f"state:{state}" for state in State), "path:OFFLINE..ONLINE", "path:ONLINE..ONLINE"]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_covers_anything(view: str) -> None:
    layout = Layout(CHART, view)
    assert not layout.covered()
    assert not layout.crossed()
    assert not layout.overflowing()


@settings(max_examples=10)
@given(charts())
def test_nor_in_any_other_chart(chart: Chart) -> None:
    layout = Layout(chart, "full")
    assert not layout.covered()
    assert not layout.overflowing()


@pytest.mark.parametrize("view", ["overview", "full"])
def test_the_happy_path_reads_from_left_to_right_and_the_rest_is_below(view: str) -> None:
    boxes = {box.name: box for box in Layout(CHART, view).boxes}
    path = [boxes[state_id(state)] for state in happy_path(CHART)]
    assert [box.left for box in path] == sorted(box.left for box in path)
    lowest = min(box.bottom for box in path)
    for state in CHART.state_names:
        if state not in happy_path(CHART):
            assert boxes[state_id(state)].top < lowest


@pytest.mark.parametrize("view", ["overview", "full", "state:BACKOFF", "path:ONLINE..OFFLINE"])
def test_states_and_steps_have_their_ids(view: str) -> None:
    root = ElementTree.fromstring(svg(CHART, view))
    groups = list(root.iter(f"{SVG}g"))
    shown = view_of(CHART, view)
    roles = {str(state.name): str(state.role) for state in CHART.states}
    nodes = {group.get("id"): group for group in groups if "node" in group.get("class", "").split()}
    assert set(nodes) == {state_id(state) for state in shown.states}
    for state in shown.states:
        node = nodes[state_id(state)]
        assert node.get("class", "").split() == ["node", roles[state]]
        texts = [text.text for text in node.iter(f"{SVG}text")]
        assert texts[:2] == [state, roles[state]], "the colour's meaning is told in words as well"
    edges = [group for group in groups if group.get("class") == "edge"]
    ids = [name for group in edges if (name := group.get("id"))]
    assert len(ids) == len(set(ids))
    drawn = {name for group in edges for name in group.get("data-edges", "").split()}
    # In the overview, what leads back to the state it left is not drawn.
    expected = {step for step in shown.steps if view != "overview" or step[0] != step[1]}
    assert drawn == {edge_id(*step) for step in expected}
    if view != "overview":
        assert set(ids) == drawn


@settings(max_examples=10)
@given(charts())
def test_any_chart_has_its_svg(chart: Chart) -> None:
    root = ElementTree.fromstring(svg(chart, "full"))
    ids = [group.get("id") for group in root.iter(f"{SVG}g") if group.get("id")]
    assert sorted(map(str, ids)) == sorted(
        [*(state_id(state) for state in chart.state_names), *(edge_id(*step) for step in steps(chart))]
    )


def test_guards_stand_in_brackets_and_a_legend_tells_it() -> None:
    texts = [text.text or "" for text in ElementTree.fromstring(svg(CHART)).iter(f"{SVG}text")]
    assert "[attempts_exhausted]" in texts
    assert any(text.startswith("[guard]: ") for text in texts)
    for state in CHART.states:
        assert texts.count(str(state.role)) >= 2, "once at the state, once in the legend"


MEASURE = """() => {
  const box = element => element.getBoundingClientRect();
  const inside = (one, other) => one.left >= other.left && one.right <= other.right
    && one.top >= other.top && one.bottom <= other.bottom;
  const apart = (one, other) => one.right <= other.left || other.right <= one.left
    || one.bottom <= other.top || other.bottom <= one.top;
  const wrong = [];
  const nodes = [...document.querySelectorAll('.node, .legend > g')];
  for (const node of nodes)
    for (const text of node.querySelectorAll('text'))
      if (!inside(box(text), box(node.querySelector('.shape')))) wrong.push(['leaves its box', text.textContent]);
  const labels = [...document.querySelectorAll('.edge text')];
  for (const label of labels)
    for (const node of nodes)
      if (!apart(box(label), box(node))) wrong.push(['covers a state', label.textContent]);
  const page = box(document.querySelector('.page'));
  for (const text of document.querySelectorAll('text'))
    if (!inside(box(text), page)) wrong.push(['leaves the page', text.textContent]);
  return [labels.length, wrong];
}"""
PAGE_COLOUR = "() => getComputedStyle(document.querySelector('.page')).fill"


def test_texts_fit_in_a_browser_whatever_font_it_has(offline_page: Page) -> None:
    for font in ("inherit", "DejaVu Sans", "Liberation Serif"):
        for view in ("overview", "full", "state:DEGRADED"):
            offline_page.set_content(f"{svg(CHART, view)}<style>svg.chart text {{ font-family: {font} }}</style>")
            labels, wrong = offline_page.evaluate(MEASURE)
            assert labels
            assert not wrong


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[index : index + 2], 16)) for index in (1, 3, 5))})"


def test_one_svg_is_right_on_light_and_dark_pages(offline_page: Page) -> None:
    for text, light, dark in (
        (svg(CHART), Theme.LIGHT, Theme.DARK),
        (svg(CHART, theme=Theme.LIGHT), Theme.LIGHT, Theme.LIGHT),
        (svg(CHART, theme=Theme.DARK), Theme.DARK, Theme.DARK),
    ):
        offline_page.set_content(text)
        offline_page.emulate_media(color_scheme="light")
        assert offline_page.evaluate(PAGE_COLOUR) == rgb(PAPERS[light].page)
        offline_page.emulate_media(color_scheme="dark")
        assert offline_page.evaluate(PAGE_COLOUR) == rgb(PAPERS[dark].page)


def test_an_img_follows_the_page_too(offline_page: Page, tmp_path: Path) -> None:
    (tmp_path / "chart.svg").write_text(svg(CHART, "path:OFFLINE..ONLINE"), encoding="utf-8")
    page = tmp_path / "page.html"
    page.write_text('<meta name="color-scheme" content="light dark"><img src="chart.svg">', encoding="utf-8")
    pictures = {}
    for scheme in (Theme.LIGHT, Theme.DARK):
        offline_page.emulate_media(color_scheme="light" if scheme == Theme.LIGHT else "dark")
        offline_page.goto(page.as_uri())
        offline_page.set_content(
            f'<img src="data:image/png;base64,{_base64(offline_page.locator("img").screenshot())}">'
        )
        pictures[scheme] = offline_page.evaluate(CORNER)
    assert pictures == {scheme: rgb(PAPERS[scheme].page) for scheme in (Theme.LIGHT, Theme.DARK)}


CORNER = """async () => {
  const image = document.querySelector('img');
  await image.decode();
  const canvas = document.createElement('canvas').getContext('2d');
  canvas.drawImage(image, 0, 0);
  return `rgb(${[...canvas.getImageData(5, 5, 1, 1).data].slice(0, 3).join(', ')})`;
}"""


def _base64(content: bytes) -> str:
    import base64

    return base64.b64encode(content).decode()


def test_png_and_pdf_are_whole_and_differ_by_theme() -> None:
    light, dark = (graphviz.png(CHART, theme=theme) for theme in (Theme.LIGHT, Theme.DARK))
    for content in (light, dark):
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert content.endswith(b"IEND\xaeB`\x82")
    assert light != dark
    width, height = struct.unpack(">II", light[16:24])
    root = ElementTree.fromstring(svg(CHART))
    points = [float(part) for part in root.get("viewBox", "").split()[2:]]
    for pixels, length in zip((width, height), points, strict=True):
        assert pixels == pytest.approx(length * graphviz.RESOLUTION / 72, abs=3)
    document = graphviz.pdf(CHART)
    assert document.startswith(b"%PDF-")
    assert b"/Count 1" in document
    assert b"Roboto" in document


DRAW = """
import sys
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.fsm.diagram.graphviz import png
from agentcp_fsm.fsm.diagram import markdown
from agentcp_fsm.fsm.diagram.svg import svg
sys.stdout.buffer.write(svg(CHART).encode() + png(CHART))
"""


def test_a_machine_without_fonts_draws_the_same_bytes(tmp_path: Path) -> None:
    needs_root()
    needs(shutil.which("unshare"), "unshare", "apt-get install util-linux")
    hidden = f"mount -t tmpfs none /usr/share/fonts && exec {sys.executable} -c '{DRAW}'"
    environment = os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    bare = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hidden], capture_output=True, check=True, env=environment, timeout=120
    )
    assert not bare.stderr
    assert bare.stdout == svg(CHART).encode() + graphviz.png(CHART)


def test_a_missing_renderer_is_told_with_the_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphviz, "find_spec", lambda name: None)
    with pytest.raises(RendererError, match=r"pip install 'agentcp-fsm\[diagram\]'"):
        svg(CHART)
    assert dot(CHART).startswith("digraph")


def test_what_graphviz_cannot_draw_is_one_error() -> None:
    with pytest.raises(RendererError, match="syntax error"):
        graphviz.draw("digraph {", "json")


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_every_format_refuses_what_it_does_not_have(format: Format) -> None:
    if not format.has_views:
        with pytest.raises(ChartError, match="always holds the whole chart"):
            format.export(CHART, view="full")
    else:
        with pytest.raises(ChartError, match="choose overview"):
            format.export(CHART, view="fullest")
    for theme in set(Theme) - set(format.themes):
        with pytest.raises(ChartError, match=f"no theme '{theme}'"):
            format.export(CHART, theme=theme)
    assert format.export(CHART)


def test_a_final_state_has_two_borders_and_the_legend_tells_only_what_is_used() -> None:
    bare = Chart("x", "a", (ChartState("a"), ChartState("b", final=True)), (Row("go", "a", "b"),))
    root = ElementTree.fromstring(svg(bare))
    (final,) = [group for group in root.iter(f"{SVG}g") if group.get("id") == "state-b"]
    assert [path.get("class") for path in final.iter(f"{SVG}path")] == ["shape", "shape outline"]
    (legend,) = [group for group in root.iter(f"{SVG}g") if group.get("class") == "legend"]
    assert [text.text for text in legend.iter(f"{SVG}text")] == ["two borders: final"]
    plain = Chart("x", "a", (ChartState("a"), ChartState("b")), (Row("go", "a", "b"),))
    (legend,) = [
        group for group in ElementTree.fromstring(svg(plain)).iter(f"{SVG}g") if group.get("class") == "legend"
    ]
    assert not list(legend)


@given(st.floats(1, 5000), st.floats(0.01, 1))
def test_a_png_is_whole_pixels_lest_its_edge_be_transparent(length: float, least: float) -> None:
    pad = graphviz.whole_pad(length, least)
    pixels = (length / 72 + 2 * pad) * graphviz.RESOLUTION
    assert pad >= least - 1e-9
    assert pixels == pytest.approx(round(pixels), abs=1e-6)


def test_a_pdf_has_no_white_around_a_dark_page() -> None:
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", graphviz.pdf(CHART, theme=Theme.DARK))
    assert box is not None
    points = [float(part) for part in ElementTree.fromstring(svg(CHART)).get("viewBox", "").split()[2:]]
    assert [float(part) for part in box.groups()] == pytest.approx(points, abs=1.5)


def test_the_legend_explains_only_what_is_drawn() -> None:
    rows = (Row("turn", "closed", "open", conditions="fits"), Row("push", "open", "closed"))
    door = Chart("door", "closed", (ChartState("closed"), ChartState("open")), rows)
    assert "[guard]: if it holds<" in dot(door)
    assert "[else]" not in dot(door)
    assert "[else]: if no other does" in dot(CHART)


def test_a_label_may_begin_with_an_empty_line() -> None:
    """Graphviz 14 crashes on such a label in a graph with a legend."""
    rows = (Row("\n\nx", "A", "B", conditions="g"), Row("\n", "B", "A", conditions="g"))
    chart = Chart("empty lines", "A", (ChartState("A"), ChartState("B")), rows)
    for view in ("overview", "full", "state:A"):
        assert "x [g]" in [text.text for text in ElementTree.fromstring(svg(chart, view)).iter(f"{SVG}text")]


def test_a_large_chart_is_a_grid_in_the_charts_order() -> None:
    layout = Layout(LARGE, "full")
    assert not layout.covered()
    assert not layout.overflowing()
    boxes = {box.name: box for box in layout.boxes}
    placed = [boxes[state_id(name)] for name in LARGE.state_names]
    rows = [box for box, before in zip(placed[1:], placed, strict=False) if box.left < before.left]
    assert 2 <= len(rows) < len(placed) / 2
    assert sorted(placed, key=lambda box: (-round(box.top, -2), box.left))[0] in placed[:2]
    drawn = svg(LARGE, "full")
    ids = set(re.findall(r'id="(edge-[^"]*)"', drawn))
    assert ids == {edge_id(*step) for step in steps(LARGE)}
    assert "[guard]" not in drawn


def test_an_arrow_begins_with_a_dot_and_ends_with_a_head() -> None:
    chart = Chart("two", "A", (ChartState("A"), ChartState("B")), (Row("go", "A", "B"), Row("back", "B", "A")))
    root = ElementTree.fromstring(svg(chart))
    for edge in ("edge-A-B", "edge-B-A"):
        (group,) = [group for group in root.iter(f"{SVG}g") if group.get("id") == edge]
        assert [part.tag for part in group if part.get("class") == "head"] == [f"{SVG}ellipse", f"{SVG}path"]


BREAKS = ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\t", "a\x1eb"]


@pytest.mark.parametrize("name", BREAKS)
def test_a_name_of_breaks_is_shown_escaped(name: str) -> None:
    """Python breaks lines at ten characters: of a name that was one of them nothing was left; drawing it failed."""
    chart = Chart("x", name, (ChartState(name), ChartState("b")), (Row(name, name, "b"), Row("go", "b", name)))
    shown = printable(name.replace("\r\n", "\n"))
    assert shown in "".join(ElementTree.fromstring(svg(chart, "full")).itertext())
    assert markdown.text(name).replace("\\\\", "\\") == shown


@pytest.mark.parametrize(
    "name", ["C:\\new\\x", "\\\\\\\\abcdefgh", "ø¹±Ý)\\\\\\\\\U00017261", "\x01" * 6 + "abcdefgh", "⁄\\\\\\\\\\\\x"]
)
def test_a_text_with_backslashes_is_drawn_to_its_end(name: str) -> None:
    """Graphviz counted its characters without the backslashes that it doubles: the last ones were missing."""
    states = (ChartState("A"), ChartState(name))
    drawn = ElementTree.fromstring(svg(Chart("x", "A", states, (Row(name, "A", name),))))
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count(printable(name)) == 2
