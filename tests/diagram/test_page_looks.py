"""Everyone can use the page: in light and dark, on a narrow screen, on paper, with any chart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from playwright.sync_api import Browser, Page, expect

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.page import page
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.browser import node_package
from tests.diagram.reader import NARROW, TO_DEGRADED, Reader, answer, event, fragment, here
from tests.diagram.strategies import hostile_charts


def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate((node_package("axe-core") / "axe.min.js").read_text(encoding="utf-8"))
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found: dict[str, Any] = page.evaluate("options => axe.run(options)", options)
    return [f"{each['id']}: {json.dumps([node['html'] for node in each['nodes']])}" for each in found["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_use_it(reader: Reader, scheme: Any) -> None:
    """Only the contrast of colours depends on the scheme."""
    rules = ["color-contrast"] if scheme == "dark" else None
    reader.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page = reader.open()
    assert page.locator("html").get_attribute("data-theme") == scheme
    assert violations(page, rules) == []
    page.locator("#search").fill("sign_in")
    assert violations(page, rules) == []
    page.keyboard.press("Escape")
    page.locator("#picture [data-state=ONLINE]").click()
    page.locator("#read summary").click()
    assert violations(page, rules) == []
    page = reader.open(TO_DEGRADED)
    event(page, "deadline_passed")
    answer(page, "yes")
    assert violations(page, rules) == []


def test_light_and_dark_can_be_chosen(reader: Reader) -> None:
    reader.page.emulate_media(color_scheme="dark")
    page = reader.open()

    def colours() -> list[str]:
        ink: list[str] = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, "
            "getComputedStyle(document.querySelector('#picture .edge text')).fill]"
        )
        return ink

    dark = colours()
    page.locator("#theme").click()
    light = colours()
    assert not set(light) & set(dark)
    page.keyboard.press("t")
    assert colours() == dark
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert colours() == light


def test_nothing_moves_for_who_does_not_want_it(reader: Reader) -> None:
    latest = "getComputedStyle(document.querySelector('#picture .latest .shape')).animationName"
    assert reader.open(TO_DEGRADED).evaluate(latest) == "along"
    reader.page.emulate_media(reduced_motion="reduce")
    assert reader.page.evaluate(latest) == "none"


def test_a_narrow_page_does_not_scroll_sideways(reader: Reader) -> None:
    reader.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    for part in ("", "state=ONLINE", "event=deadline_passed", TO_DEGRADED, "view=full&arrow=ONLINE,BACKOFF"):
        page = reader.open(part)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], part
    event(page := reader.open(TO_DEGRADED), "deadline_passed")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    box = page.locator(".question").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < NARROW["height"]
    page.locator("#search").fill("sign")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_paper_holds_every_row_and_no_button(reader: Reader) -> None:
    reader.page.emulate_media(media="print", color_scheme="dark")
    page = reader.open("state=ONLINE")
    for hidden in ("#panel", ".search", ".bar", ".tools"):
        assert page.locator(hidden).is_hidden()
    assert page.locator("#picture svg").is_visible()
    text = page.locator("#everything").inner_text()
    for state in CHART.states:
        assert state.meaning in text
    for row in CHART.rows:
        assert row.reason in text
    ink = "getComputedStyle(document.querySelector('#picture .edge text')).fill"
    assert page.evaluate(ink) == "rgb(31, 35, 40)"
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_small_chart_is_not_blown_up_and_what_it_leaves_open_is_told(browser: Browser, tmp_path: Path) -> None:
    open_end = Chart("open", "A", (ChartState("A"), ChartState("B")), (Row("go", "A", "B", conditions="sure"),))
    path = tmp_path / "open.html"
    path.write_text(page(open_end), encoding="utf-8")
    reader = Reader(browser.new_context(offline=True), path)
    shown = reader.open("walk")
    assert shown.locator("#legend").is_hidden()
    size = shown.locator("[data-state=A] text").first.bounding_box()
    assert size is not None
    assert size["height"] < 32
    event(shown, "go")
    answer(shown, "no")
    expect(shown.locator("#notice")).to_contain_text("go is undecided in A")
    event(shown, "go")
    answer(shown, "yes")
    assert here(shown) == "B"
    assert shown.locator("#walk").get_by_text("Nothing leads on from here.").is_visible()
    reader.close()


def test_the_default_of_a_chart_is_told_and_walked(browser: Browser, tmp_path: Path) -> None:
    rows = (Row("go", "A", "B", conditions="sure"), Row("back", "B", "A"))
    chart = Chart("strict", "A", (ChartState("A"), ChartState("B")), rows, undecided="raise")
    path = tmp_path / "strict.html"
    path.write_text(page(chart), encoding="utf-8")
    reader = Reader(browser.new_context(offline=True), path)
    shown = reader.open()
    expect(shown.locator("#read .lead")).to_contain_text("An event that no row decides is an error.")
    shown = reader.open("state=A")
    expect(shown.locator("#read .facts")).to_contain_text("An error hereback")
    reader.close()
    path.write_text(page(replace(chart, undecided="ignore")), encoding="utf-8")
    reader = Reader(browser.new_context(offline=True), path)
    shown = reader.open("walk")
    event(shown, "back")
    assert here(shown) == "A", "it is a row like others that ignore"
    event(shown, "go")
    answer(shown, "no")
    assert here(shown) == "A"
    expect(shown.locator("#walk .reason").first).to_have_text("No row decides it.")
    reader.close()


@given(chart=hostile_charts())
@settings(max_examples=4, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_any_chart_makes_a_page_that_works(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, chart: Chart
) -> None:
    path = tmp_path_factory.mktemp("any") / "chart.html"
    path.write_text(page(chart), encoding="utf-8")
    reader = Reader(browser.new_context(offline=True), path)
    shown = reader.open()
    assert shown.locator("#read .states button .identifier").evaluate_all(
        "all => all.map(each => each.textContent)"
    ) == [*chart.state_names]
    assert shown.evaluate("window.injected") is None
    shown.locator("#read .states button").last.click()
    shown.keyboard.press("w")
    for _ in range(3):
        buttons = shown.locator("#walk .events button, #walk [data-answer=no]")
        if buttons.count() and buttons.first.is_visible():
            buttons.first.click()
    link = fragment(shown)
    reader.open(link)
    assert shown.locator("#notice").is_hidden()
    assert fragment(shown) == link
    shown.keyboard.press("v")
    shown.keyboard.press("/")
    shown.keyboard.type("a")
    reader.close()
