"""A reader reads, walks, searches, and uses the keyboard alone."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.coverage import Coverage
from agentcp_fsm.fsm.diagram.page import page
from agentcp_fsm.lifecycle.chart import CHART, DEGRADED, ONLINE, SIGNING_IN
from tests.diagram.reader import TO_DEGRADED, Reader, answer, event, fragment, here, marked

# Reading --------------------------------------------------------------------------------------------------------------


def test_every_state_is_told_in_one_sentence_beside_the_picture(reader: Reader) -> None:
    page = reader.open()
    told = page.locator("#read .states button").all_inner_texts()
    assert [text.split("\n") for text in told] == [[state.name, state.meaning] for state in CHART.states]
    assert page.locator("#picture [data-state]").count() == len(CHART.states)
    assert page.locator("#legend li").all_inner_texts() == [
        "rest", "working", "healthy", "impaired", "waiting", "leaving"
    ]  # fmt: skip


def test_a_state_that_is_chosen_is_explained(reader: Reader) -> None:
    page = reader.open()
    page.locator("#picture [data-state=DEGRADED]").click()
    read = page.locator("#read")
    expect(read.locator("h2")).to_have_text("DEGRADEDimpaired")
    text = read.inner_text()
    assert "The session stands, but something failed since the last answer." in text
    assert "session, socket; a deadline" in text
    assert fragment(page) == "state=DEGRADED"
    assert marked(page, "selected") == {"DEGRADED"}
    handled = {row.trigger for row in CHART.rows if DEGRADED in CHART.sources(row) and not row.ignored}
    assert set(read.locator(".subject > div .cell h4").all_inner_texts()) == handled
    for row in CHART.rows:
        if DEGRADED in CHART.sources(row) and not row.ignored:
            assert row.reason in text
    assert read.locator(".cell h4", has_text="retry_now").is_hidden()
    read.locator("summary").click()
    assert read.locator(".cell h4", has_text="retry_now").is_visible()
    page.go_back()
    expect(read.locator(".states")).to_be_visible()


def test_guards_and_actions_are_explained_where_they_stand(reader: Reader) -> None:
    page = reader.open("state=ONLINE")
    guard = page.locator("#read .term.guard", has_text="sign_in_too_soon").first
    guard.hover()
    assert CHART.guards
    expect(page.locator("#tip")).to_have_text(CHART.guards["sign_in_too_soon"])
    guard.click()
    expect(page.locator("#read .meaning")).to_have_text(CHART.guards["sign_in_too_soon"])
    asking = [row for row in CHART.rows if "sign_in_too_soon" in row.conditions]
    assert page.locator("#read .row").count() == len(asking)


def test_an_arrow_that_is_chosen_is_explained(reader: Reader) -> None:
    page = reader.open("view=full")
    page.locator("#picture #edge-ONLINE-DEGRADED text").first.click()
    expect(page.locator("#read h2")).to_have_text("ONLINE → DEGRADED")
    rows = [row for row in CHART.rows if ONLINE in row.source and row.dest == DEGRADED]
    assert page.locator("#read .row").count() == len(rows)
    assert marked(page, "hit", "edges") == {"edge-ONLINE-DEGRADED"}


def test_the_picture_can_be_enlarged_and_moved(reader: Reader) -> None:
    page = reader.open()
    picture = page.locator("#picture svg")
    whole = picture.get_attribute("viewBox")
    state = page.locator("#picture [data-state=BACKOFF]")

    def box() -> tuple[float, float, float]:
        found = state.bounding_box()
        assert found is not None
        return found["x"] + found["width"] / 2, found["y"] + found["height"] / 2, found["width"]

    x, y, width = box()
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    expect(picture).to_have_class(re.compile("zoomed"))
    assert box()[2] > 1.3 * width
    assert box()[:2] == pytest.approx((x, y), abs=2)  # what is under the pointer stays there
    page.mouse.down()
    page.mouse.move(x + 40, y + 30, steps=4)
    page.mouse.up()
    assert box()[:2] == pytest.approx((x + 40, y + 30), abs=3)
    assert fragment(page) == ""  # the end of a drag is no click
    page.locator("#zoom-fit").click()
    assert picture.get_attribute("viewBox") == whole
    state.click()
    assert fragment(page) == "state=BACKOFF"


# Walking --------------------------------------------------------------------------------------------------------------


def test_a_walk_asks_what_matters_and_tells_why(reader: Reader) -> None:
    page = reader.open("walk")
    assert here(page) == "OFFLINE"
    event(page, "start")
    assert here(page) == "SIGNING_IN"
    event(page, "beat_answered")
    expect(page.locator(".question .asks")).to_have_text("socket_in_use?")
    answer(page, "yes")
    assert here(page) == "ONLINE"
    text = page.locator("#walk .here").inner_text()
    assert "The server answered a heartbeat: the connection is proven." in text
    assert "did note_answer, come_online" in text
    event(page, "deadline_passed")
    asked = []
    for word in ("yes", "no", "yes", "no", "no", "no"):
        asked.append(page.locator(".question .asks").inner_text())
        answer(page, word)
    assert asked == [
        "deadline_reached?", "beat_was_answered?", "silent?", "attempts_exhausted?", "flapping?", "sign_in_too_soon?"
    ]  # fmt: skip
    assert here(page) == "RECONNECTING"
    assert fragment(page) == "walk=start,beat_answered:y,deadline_passed:ynynnn"
    assert marked(page, "current") == {"RECONNECTING"}
    assert marked(page, "visited") == {"OFFLINE", "SIGNING_IN", "ONLINE", "RECONNECTING"}
    assert {"edge-OFFLINE-SIGNING_IN", "edge-SIGNING_IN-ONLINE"} < marked(page, "walked", "edges")
    assert "edge-ONLINE-RECONNECTING" in marked(page, "latest", "edges")
    assert page.locator("#walk .steps li").count() == 3
    event(page, "malformed")
    assert here(page) == "RECONNECTING"
    assert "Noise is no failure." in page.locator("#walk .here").inner_text()


def test_a_walk_can_be_taken_back(reader: Reader) -> None:
    page = reader.open(TO_DEGRADED)
    assert here(page) == "DEGRADED"
    undo = page.locator("#walk button", has_text="Undo")
    event(page, "deadline_passed")
    answer(page, "yes")
    undo.click()
    expect(page.locator(".question .asks")).to_have_text("deadline_reached?")
    undo.click()
    expect(page.locator(".question")).to_have_count(0)
    undo.click()
    assert here(page) == "ONLINE"
    page.go_back()
    assert here(page) == "DEGRADED"
    page.locator("#walk button", has_text="Go back to here").last.click()
    assert (here(page), fragment(page)) == ("SIGNING_IN", "walk=start")
    page.locator("#walk button", has_text="Restart").click()
    assert (here(page), fragment(page)) == ("OFFLINE", "walk")
    assert marked(page, "walked", "edges") == set()


def test_the_test_that_is_copied_passes_and_can_fail(reader: Reader) -> None:
    page = reader.open(TO_DEGRADED)
    page.locator("#walk button", has_text="Copy test").click()
    expect(page.locator("#notice")).to_have_text("The test is in the clipboard.")
    text = page.evaluate("navigator.clipboard.readText()")
    assert "from agentcp_fsm.lifecycle.chart import CHART\n" in text
    names: dict[str, Any] = {}
    exec(compile(text, "the page's test", "exec"), names)
    names["test_from_offline_to_degraded"]()
    for wrong in (text.replace('"DEGRADED"', '"ONLINE"'), text.replace("socket_in_use=True", "socket_in_use=False")):
        assert wrong != text
        exec(compile(wrong, "the page's test", "exec"), names)
        with pytest.raises(AssertionError):
            names["test_from_offline_to_degraded"]()


def test_a_link_holds_the_walk_and_what_is_shown(reader: Reader) -> None:
    page = reader.open(TO_DEGRADED)
    page.locator("#walk button", has_text="Copy link").click()
    expect(page.locator("#notice")).to_have_text("The link is in the clipboard.")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    page = reader.open(f"{link.partition('#')[2]}&state=BACKOFF&view=full")
    expect(page.locator("#read h2")).to_contain_text("BACKOFF")
    expect(page.locator("#views [aria-pressed=true]")).to_have_text("Full")
    expect(page.locator("#tab-walk")).to_have_text("Walk (3)")
    assert page.locator("#notice").is_hidden()


WRONG_LINKS = {
    "walk=start,gone": "ends after 1 event: in SIGNING_IN",
    "walk=start,beat_answered": "ends after 1 event: in SIGNING_IN",
    "walk=start:y": "asks less of start",
    "state=NOWHERE": "no state NOWHERE",
    "view=none": "no view none; there are overview, full",
    "nonsense": "“nonsense” is nothing",
    "event=%E0%A4": "“event=%E0%A4” is nothing",
    "walk=%E0%A4": "“walk=%E0%A4” is nothing",
    "arrow=ONLINE": "no arrow ONLINE",
}


def test_a_link_that_does_not_fit_the_chart_says_so(reader: Reader) -> None:
    for wrong, told in WRONG_LINKS.items():
        expect(reader.open(wrong).locator("#notice")).to_contain_text(told)


# Searching, keys ------------------------------------------------------------------------------------------------------


def test_a_search_marks_and_leads_to_what_it_finds(reader: Reader) -> None:
    page = reader.open()
    search = page.locator("#search")
    search.fill("patience")
    expect(page.locator("#results")).to_contain_text("Nothing in this chart is called so.")
    search.fill("Backoff")
    expect(page.locator("#results [aria-selected=true]")).to_contain_text("BACKOFF")
    search.fill("tried again")
    kinds = page.locator("#results .kind").all_inner_texts()
    assert set(kinds) == {"reason"}
    assert marked(page, "hit")
    search.press("ArrowDown")
    found = page.locator("#results [aria-selected=true] span").nth(1).inner_text()
    search.press("Enter")
    expect(page.locator("#read .row.found")).to_contain_text(found)
    assert page.locator("#results").is_hidden()
    for words, kind in [
        ("retry_now", "event"),
        ("timed_out", "guard"),
        ("drop_attempt", "action"),
        ("offline", "state"),
    ]:
        search.fill(words)
        assert kind in page.locator("#results .kind").all_inner_texts()
    search.press("Escape")
    assert page.locator("#results").is_hidden()


def test_the_keyboard_suffices(reader: Reader) -> None:
    page = reader.open()
    press = page.keyboard.press
    press("w")
    press("Enter")  # start
    assert here(page) == "SIGNING_IN"
    names = [name for name in CHART.triggers if any(not row.ignored for row in CHART.cell(SIGNING_IN, name))]
    for _ in range(names.index("beat_answered")):
        press("ArrowDown")
    press("Enter")
    press("y")
    assert here(page) == "ONLINE"
    press("u")
    assert here(page) == "SIGNING_IN"
    press("r")
    assert here(page) == "OFFLINE"
    press("/")
    page.keyboard.type("DEGRADED")
    press("Enter")
    expect(page.locator("#read h2")).to_contain_text("DEGRADED")
    press("Escape")
    expect(page.locator("#read .states")).to_be_visible()
    press("d")
    press("ArrowRight")
    press("Enter")
    expect(page.locator("#read h2")).to_contain_text("SIGNING_IN")
    press("v")
    expect(page.locator("#views [aria-pressed=true]")).to_have_text("Full")
    press("0")
    whole = page.locator("#picture svg").get_attribute("viewBox")
    press("+")
    assert page.locator("#picture svg").get_attribute("viewBox") != whole
    press("0")
    assert page.locator("#picture svg").get_attribute("viewBox") == whole
    press("?")
    expect(page.locator("#help")).to_be_visible()
    press("Enter")  # on its button
    expect(page.locator("#help")).to_be_hidden()
    page.locator("#tab-read").focus()
    press("ArrowRight")
    expect(page.locator("#walk")).to_be_visible()


def test_everything_is_reached_by_the_tab_key_and_shows_that_it_is(reader: Reader) -> None:
    page = reader.open(TO_DEGRADED)
    for _ in range(60):
        page.keyboard.press("Tab")
        page.evaluate("(document.activeElement.dataset.reached = 'yes')")
        shown = page.evaluate(
            "[getComputedStyle(document.activeElement).outlineStyle, document.activeElement.matches('.node, body')]"
        )
        assert shown[0] != "none" or shown[1]
    missed = page.evaluate(
        "[...document.querySelectorAll('button, input, summary, pre')].filter(each => each.checkVisibility() && "
        "!each.dataset.reached && !each.closest('[role=tablist]')).map(each => each.outerHTML)"
    )
    assert missed == []


# What tests took ------------------------------------------------------------------------------------------------------


def test_rows_that_no_test_took_are_marked(browser: Browser, tmp_path: Path) -> None:
    chart = Chart(
        "switch", "off", (ChartState("off"), ChartState("on")),
        (Row("press", "off", "on"), Row("press", "on", "off"), Row("wait", ("off", "on"), None)),
    )  # fmt: skip
    coverage = Coverage(chart, Counter({(0, "off"): 3, (2, "on"): 1}))
    path = tmp_path / "switch.html"
    path.write_text(page(chart, coverage=coverage), encoding="utf-8")
    reader = Reader(browser.new_context(offline=True), path)
    shown = reader.open("state=off")
    expect(shown.locator("#summary")).to_contain_text("Tests take 2 of the rows; others are marked.")
    assert shown.locator("#read .mark").all_inner_texts() == ["No test takes it here."]
    assert "untested" in (shown.locator("#read .cell", has_text="wait").locator(".row").get_attribute("class") or "")
    shown = reader.open("event=press")
    assert shown.locator("#read .mark").all_inner_texts() == ["No test takes it."]
    reader.close()


def test_without_tests_nothing_is_marked(reader: Reader) -> None:
    shown = reader.open("state=ONLINE")
    assert shown.locator(".mark").count() == 0
    assert "Tests take" not in shown.locator("#summary").inner_text()
