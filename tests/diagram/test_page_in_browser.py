"""The page as a reader uses it: in a real browser, from a file, without a network."""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, BrowserContext, Page, expect

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.document import document
from agentcp_fsm.fsm.diagram.page import page
from agentcp_fsm.lifecycle.chart import CHART, DEGRADED, ONLINE, SIGNING_IN
from agentcp_fsm.testing import strategies
from tests.diagram.browser import node_package
from tests.diagram.strategies import hostile_charts

TO_DEGRADED = "walk=start,beat_answered:y,send_failed:yn"
NARROW = {"width": 360, "height": 740}


class Reader:
    """Someone with a browser, the network unplugged; the page may neither complain nor ask for anything."""

    def __init__(self, context: BrowserContext, file: Path) -> None:
        self.context = context
        self.file = file
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, fragment: str = "") -> Page:
        self.page.goto("about:blank")
        self.requests.clear()
        self.page.goto(f"{self.file.as_uri()}#{fragment}")
        return self.page

    def close(self) -> None:
        asked = [url.split("#")[0] for url in self.requests]
        self.context.close()
        assert self.complaints == []
        assert set(asked) <= {self.file.as_uri()}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "connection.html"
    path.write_text(page(CHART, "agentcp_fsm.lifecycle.chart:CHART"), encoding="utf-8")
    return path


@pytest.fixture
def reader(browser: Browser, file: Path) -> Iterator[Reader]:
    context = browser.new_context(offline=True, viewport={"width": 1366, "height": 768})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    someone = Reader(context, file)
    yield someone
    someone.close()


@pytest.fixture(scope="module")
def interpreter(browser: Browser, file: Path) -> Iterator[Page]:
    """A page whose interpreter is asked directly."""
    context = browser.new_context(offline=True)
    opened = context.new_page()
    opened.goto(file.as_uri())
    yield opened
    context.close()


def event(page: Page, trigger: str) -> None:
    button = page.locator(f"#walk [data-trigger={trigger}]")
    if not button.is_visible():
        page.locator("#walk details.ignored summary").click()
    button.click()


def here(page: Page) -> str:
    return page.locator("#walk .here h2").inner_text()


def answer(page: Page, word: str) -> None:
    page.locator(f"[data-answer={word}]").click()


def fragment(page: Page) -> str:
    return page.url.partition("#")[2]


def marked(page: Page, name: str, attribute: str = "state") -> set[str]:
    """The states that have a class on the picture, or with "edges" the arrows."""
    found: list[str] = page.evaluate(
        "([name, attribute]) => [...document.querySelectorAll(`#picture .${name}[data-${attribute}]`)]"
        ".flatMap(each => each.dataset[attribute].split(' '))",
        [name, attribute],
    )
    return set(found)


# The same as the engine -----------------------------------------------------------------------------------------------


class Compiled:
    """A compiled chart, whose guards answer from a tape and keep to their answer until something is done."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        guards = {name for row in chart.rows for name in row.conditions + row.unless}
        actions = {name for row in chart.rows for name in row.prepare + row.before + row.after}
        actions |= {name for state in chart.states for name in state.on_enter + state.on_exit}
        callbacks = {name: self.act(name) for name in actions} | {name: self.ask(name) for name in guards}
        self.model: Any = type("Model", (), callbacks)()
        self.step = chart.compile(type(self.model), arity=0)
        self.rows = {id(row): number for number, row in enumerate(chart.rows)}
        self.tape: Callable[[], bool] = bool

    def act(self, name: str) -> Callable[[Any], None]:
        def note(model: Any) -> None:
            self.known.clear()
            self.actions.append(name)

        return note

    def ask(self, name: str) -> Callable[[Any], bool]:
        def reply(model: Any) -> bool:
            if name not in self.known:
                self.known[name] = self.tape()
                self.answers.append(self.known[name])
            self.asked.append([name, self.known[name]])
            return self.known[name]

        return reply

    def walk(self, triggers: list[str], tape: Callable[[], bool]) -> tuple[list[Any], list[Any]]:
        """The events, with the answers that they asked for, and what they came to."""
        self.model.state, self.tape = self.chart.initial, tape
        sent, came = [], []
        for trigger in triggers:
            source = self.model.state
            self.known: dict[str, bool] = {}
            self.answers: list[bool] = []
            self.asked: list[Any] = []
            self.actions: list[str] = []
            row = self.step(self.model, trigger)
            sent.append({"trigger": trigger, "answers": self.answers})
            came.append(
                {
                    "source": str(source),
                    "dest": str(self.model.state),
                    "row": self.rows[id(row)],
                    "actions": self.actions,
                    "asked": self.asked,
                }
            )
        return sent, came


def mostly(chance: float, source: random.Random) -> Callable[[], bool]:
    return lambda: source.random() < chance


WALKS = """([chart, walks]) => walks.map((events) => walk(chart, events).map((step) => ({
    source: step.source, dest: step.dest, row: chart.rows.indexOf(step.row), actions: step.actions,
    asked: step.asked.map(({guard, answer}) => [guard, answer]),
})))"""


def test_the_page_walks_our_chart_as_the_engine_does(interpreter: Page) -> None:
    source = random.Random(7)
    compiled = Compiled(CHART)
    pairs = [
        compiled.walk(source.choices(CHART.triggers, k=40), mostly(chance, source))
        for chance in [0.2, 0.5, 0.8, 0.95] * 25
    ]
    assert interpreter.evaluate(WALKS, [document(CHART), [sent for sent, _ in pairs]]) == [came for _, came in pairs]
    taken = {(step["source"], step["row"]) for _, came in pairs for step in came}
    assert len(taken) > 150  # of the rows in their states


@given(chart=strategies.charts(), data=st.data())
@settings(max_examples=50, phases=[phase for phase in Phase if phase != Phase.explain])
def test_the_page_walks_any_chart_as_the_engine_does(interpreter: Page, chart: Chart, data: st.DataObject) -> None:
    source = data.draw(st.randoms(use_true_random=False))
    compiled = Compiled(chart)
    pairs = [compiled.walk(source.choices(chart.triggers, k=12), mostly(0.5, source)) for _ in range(4)]
    assert interpreter.evaluate(WALKS, [document(chart), [sent for sent, _ in pairs]]) == [came for _, came in pairs]
    run_as_tests(interpreter, chart, [sent for sent, _ in pairs])


def run_as_tests(interpreter: Page, chart: Chart, walks: list[Any]) -> None:
    """Runs the tests that the page writes for some walks, each through the compiled chart."""
    texts = interpreter.evaluate(
        "([chart, walks]) => walks.map((events) => snippet('charts_of_tests', 'CHART', chart, walk(chart, events)))",
        [document(chart), walks],
    )
    for text in texts:
        run_test(text, chart)


def run_test(text: str, chart: Chart) -> None:
    module = ModuleType("charts_of_tests")
    module.__dict__["CHART"] = chart
    sys.modules[module.__name__] = module
    try:
        names: dict[str, Any] = {}
        exec(compile(text, "the page's test", "exec"), names)
        tests = [value for name, value in names.items() if name.startswith("test_")]
        assert len(tests) == 1
        tests[0]()
    finally:
        del sys.modules[module.__name__]


def test_a_test_with_names_that_are_no_names_runs(interpreter: Page) -> None:
    rows = (
        Row('a "b"\\', "first one", "é\n2", conditions="is it?", unless=("class", "self", "trigger"), after="#'''",
            reason="One\nline.\r\u2028Two."),
        Row('a "b"\\', "*", "first one"),
    )  # fmt: skip
    chart = Chart("odd", "first one", (ChartState("first one"), ChartState("é\n2")), rows)
    walks = [Compiled(chart).walk(['a "b"\\'] * 3, tape)[0] for tape in (lambda: True, lambda: False)]
    walks.append([{"trigger": 'a "b"\\', "answers": [True, False, False, False]}])
    run_as_tests(interpreter, chart, walks)


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
    for word in ("yes", "no", "yes", "no"):
        asked.append(page.locator(".question .asks").inner_text())
        answer(page, word)
    assert asked == ["deadline_reached?", "beat_was_answered?", "timed_out?", "sign_in_too_soon?"]
    assert here(page) == "RECONNECTING"
    assert fragment(page) == "walk=start,beat_answered:y,deadline_passed:ynyn"
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


# Looks ----------------------------------------------------------------------------------------------------------------


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


# Any chart ------------------------------------------------------------------------------------------------------------


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
