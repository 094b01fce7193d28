"""Mermaid itself draws every view, in a real browser, on a light and on a dark page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from agentcp_fsm.fsm.chart import Chart, ChartState, Role, Row
from agentcp_fsm.fsm.diagram.diff import difference
from agentcp_fsm.fsm.diagram.diff_picture import mermaid as diff_mermaid
from agentcp_fsm.fsm.diagram.mermaid import mermaid
from agentcp_fsm.fsm.diagram.views import view_of
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.browser import node_package

RENDER = """async ([text, dark]) => {
  document.body.innerHTML = '<main style="width: 900px"></main>';
  mermaid.initialize({startOnLoad: false, securityLevel: 'strict', theme: dark ? 'dark' : 'default'});
  const {svg} = await mermaid.render('picture', text);
  document.querySelector('main').innerHTML = svg;
  const box = element => {
    const {left, top, right, bottom} = element.getBoundingClientRect();
    return [left, top, right, bottom];
  };
  return [...document.querySelectorAll('.node')]
    .filter(node => node.textContent.trim())
    .map(node => [node.querySelector('b')?.textContent ?? '', node.textContent, box(node)]);
}"""
VIEWS = ["overview", "full", "state:DEGRADED", "path:OFFLINE..ONLINE", "path:ONLINE..OFFLINE"]

Rendered = list[tuple[str, str, list[float]]]
"""Of each node: its state's name or nothing, its text, and its box: left, top, right, bottom."""


@pytest.fixture
def mermaid_page(offline_page: Page) -> Page:
    offline_page.set_default_timeout(120_000)
    offline_page.add_script_tag(path=node_package("mermaid") / "dist" / "mermaid.min.js")
    return offline_page


def overlap(one: list[float], other: list[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_every_view_is_drawn_with_its_states(mermaid_page: Page) -> None:
    errors: list[str] = []
    mermaid_page.on("pageerror", lambda error: errors.append(str(error)))
    mermaid_page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    for view in VIEWS:
        for dark in (False, True):
            nodes: Rendered = mermaid_page.evaluate(RENDER, [mermaid(CHART, view), dark])
            assert {name for name, _, _ in nodes if name} == set(view_of(CHART, view).states)
            for index, (_, text, box) in enumerate(nodes):
                for _, other_text, other_box in nodes[:index]:
                    assert not overlap(box, other_box), f"{view}: {text} and {other_text}"
    assert not errors


COLUMN = """async ([text, width]) => {
  document.body.innerHTML = `<main style="width: ${width}px"></main>`;
  mermaid.initialize({startOnLoad: false, securityLevel: 'strict'});
  document.querySelector('main').innerHTML = (await mermaid.render('picture', text)).svg;
  const svg = document.querySelector('main svg');
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  return [...document.querySelectorAll('main foreignObject *')]
    .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
    .map(each => parseFloat(getComputedStyle(each).fontSize) * scale);
}"""


def test_the_letters_of_the_readme_are_legible_in_its_column(mermaid_page: Page) -> None:
    text = Path("README.md").read_text(encoding="utf-8")
    assert mermaid(CHART) in text
    sizes = mermaid_page.evaluate(COLUMN, [mermaid(CHART), 830])
    assert sizes
    assert min(sizes) >= 10


def test_no_name_is_broken_at_its_spaces(mermaid_page: Page) -> None:
    trigger = "the time for the answer to arrive is over"
    chart = Chart("any", "a", (ChartState("a"), ChartState("b")), (Row(trigger, "a", "b", conditions="so it is"),))
    for view in ("overview", "full", "state:a", "path:a..b"):
        mermaid_page.evaluate(RENDER, [mermaid(chart, view), False])
        shown = mermaid_page.inner_text("main").replace("\u00a0", " ")
        assert f"{trigger}\n[so it is]" in shown
        assert mermaid_page.evaluate(LINES) == 2


LINES = """() => {
  const label = [...document.querySelectorAll('.edgeLabel')].find(each => each.textContent.trim());
  const walker = document.createTreeWalker(label, NodeFilter.SHOW_TEXT);
  const lines = new Set();
  while (walker.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const box of range.getClientRects()) if (box.width) lines.add(Math.round(box.bottom));
  }
  return lines.size;
}"""


def test_names_of_any_kind_are_drawn_as_they_are(mermaid_page: Page) -> None:
    names = ["end", "a b", "ÄÖ", 'qu"ote', "<i>x</i>", "class", "x;y", "#35;", "`tick`", "100%", "a --> b", "漢字"]
    names += ["$$x$$", "fa:fa-car", "1. x", "- x", "_i_", "__x__", "www.example.com", "C:\\new", "[x](y)", "**b**"]
    states = tuple(ChartState(name, role=role) for name, role in zip(names, [*Role] * 4, strict=False))
    rows = tuple(Row(f"on {name}", names[index - 1], name, conditions=name) for index, name in enumerate(names))
    nodes: Rendered = mermaid_page.evaluate(RENDER, [mermaid(Chart("any", names[0], states, rows), "full"), False])
    assert sorted(name for name, _, _ in nodes if name) == sorted(names)
    assert not mermaid_page.query_selector("i")
    labels = re.sub(r"\s+", " ", mermaid_page.inner_text("main"))
    for name in names:
        assert f"on {name} [{name}]" in labels


def test_a_difference_is_drawn_with_what_changed(mermaid_page: Page) -> None:
    def chart(*rows: Row) -> Chart:
        return Chart("any", "<i>x</i>", tuple(map(ChartState, ("<i>x</i>", "end", "a --> b", "as before"))), rows)

    old = chart(Row("go", "<i>x</i>", "end", reason="old"), Row("`stop`", "end", "a --> b"), Row("go", "end", None))
    new = chart(Row("go", "<i>x</i>", "end"), Row("go", "a --> b", "end", conditions="100%"))
    found: Rendered = mermaid_page.evaluate(RENDER, [diff_mermaid(difference(old, new)), False])
    assert sorted(text for _, text, _ in found) == ["<i>x</i>", "a --> b", "end- go"]
    labels = re.sub(r"\s+", " ", mermaid_page.inner_text("main"))
    for text in ("~ go: reason", "- `stop`", "+ go [100%]"):
        assert text in labels
