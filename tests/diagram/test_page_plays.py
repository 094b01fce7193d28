"""The page plays what happened: step by step, by itself, by the keyboard alone; a trace's texts are only text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page, expect

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Row
from agentcp_fsm.fsm.diagram.page import page
from agentcp_fsm.fsm.diagram.playback import Playback, PlayedStep
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import BeatAnswered, BeatSent, SignedIn, SignInFailed, SocketOpened, Start, Stop
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.traces import Trace, played, record
from tests.diagram.reader import Reader, fragment, marked
from tests.diagram.test_page_looks import violations

HOSTILE = '</script><img src=x onerror="document.title = 1">'
STATES = ["SIGNING_IN", "BACKOFF", "STOPPING"]
"""Those that the trace comes to, in order; others of its steps change no state."""


@pytest.fixture(scope="module")
def trace() -> Trace:
    """An agent whose sign-in is slow, and then fails with a text that would do harm."""
    recorder = record(Lifecycle(Config(), Random(1)), HOSTILE)
    session = Session("192.0.2.1", 5000, 1, "token")
    for now, event in enumerate(
        (
            Start(),
            BeatSent(9),
            SignInFailed(1, HOSTILE),
            BeatAnswered(7, 5),
            SignedIn(7, session),
            SocketOpened(5),
            Stop(),
        )
    ):
        recorder.handle(event, now / 2)
    return recorder.trace(wall=0.0)


@pytest.fixture
def player(browser: Browser, tmp_path: Path, trace: Trace) -> Iterator[Reader]:
    file = tmp_path / "trace.html"
    file.write_text(page(CHART, playback=played(trace)), encoding="utf-8")
    someone = Reader(browser.new_context(offline=True, viewport={"width": 1366, "height": 900}), file)
    yield someone
    someone.close()


def state(page: Page) -> str:
    return page.locator("#play-here h2").inner_text()


def changes(trace: Trace) -> list[int]:
    """The numbers of the steps that change the state."""
    before = [trace.start.state, *(step.state for step in trace.steps)]
    return [number for number, step in enumerate(trace.steps, 1) if step.state != before[number - 1]]


def test_the_page_shows_each_step(player: Reader, trace: Trace) -> None:
    page = player.open()
    assert state(page) == "OFFLINE"
    expect(page.locator("#play-place")).to_have_text(f"Before the first of {len(trace.steps)} steps")
    for number, (step, shown) in enumerate(zip(trace.steps, played(trace).steps, strict=True), 1):
        page.locator("#play-forward").click()
        expect(page.locator("#play-place")).to_have_text(f"Step {number} of {len(trace.steps)}, +{step.at:.3f} s")
        assert fragment(page) == f"step={number}"
        assert state(page) == step.state
        assert marked(page, "current") == {step.state}
        assert shown.row is not None
        assert page.locator("#play-here .reason").inner_text() == shown.row.reason
        assert page.locator("#play-here .lines li").all_text_contents() == list(shown.lines)
        expect(page.locator("#play-steps [aria-current=step]")).to_contain_text(step.event.trigger)
    assert marked(page, "visited") == {"OFFLINE", *STATES}
    assert {"edge-OFFLINE-SIGNING_IN", "edge-SIGNING_IN-BACKOFF"} <= marked(page, "walked", "edges")
    assert page.title() == f"{CHART.name}: states and events"  # no text has become more than text
    assert HOSTILE in page.locator("#play").inner_text()
    assert page.locator("#play img").count() == 0


def test_the_keyboard_plays_too(player: Reader, trace: Trace) -> None:
    page = player.open()
    press = page.keyboard.press
    reached = []
    for _ in STATES:
        press(">")
        reached.append((state(page), fragment(page)))
    assert reached == list(zip(STATES, [f"step={number}" for number in changes(trace)], strict=True))
    press("<")
    assert state(page) == "BACKOFF"
    press("<")
    press(",")
    assert (state(page), fragment(page)) == ("OFFLINE", "step=0")
    press(",")
    assert fragment(page) == "step=0"
    press(".")
    expect(page.locator("#announcement")).to_have_text(
        f"Step 1 of {len(trace.steps)}, +0.000 s: start leads to SIGNING_IN"
    )
    page.locator("#play-slider").focus()
    press("End")
    assert fragment(page) == f"step={len(trace.steps)}"
    press("ArrowLeft")
    assert fragment(page) == f"step={len(trace.steps) - 1}"
    page.locator("#tab-play").focus()
    press("ArrowLeft")
    expect(page.locator("#walk")).to_be_visible()
    press("s")
    assert fragment(page) == "states"


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_it_plays_by_itself_and_can_be_paused(player: Reader, trace: Trace, motion: str) -> None:
    """By the page's clock, which the test moves.  Nothing moves between two steps if the reader wants it so."""
    player.page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
    player.page.clock.install(time=datetime(2026, 1, 1, tzinfo=UTC))
    page = player.open()
    page.clock.pause_at(datetime(2026, 1, 2, tzinfo=UTC))
    toggle = page.locator("#play-toggle")
    page.clock.run_for(60_000)
    assert fragment(page) == ""  # it waits to be asked
    toggle.click()
    expect(toggle).to_have_text("Pause")
    assert fragment(page) == "step=1"
    page.clock.run_for(999)
    assert fragment(page) == "step=1"
    moving = page.evaluate("getComputedStyle(document.querySelector('.edge.latest .shape')).animationName")
    assert moving == ("none" if motion == "reduce" else "along")
    page.clock.run_for(1)  # a change of the state is shown for a second
    assert fragment(page) == "step=2"
    page.clock.run_for(250)
    assert fragment(page) == "step=3"
    page.keyboard.press("p")
    expect(toggle).to_have_text("Play")
    page.clock.run_for(60_000)
    assert fragment(page) == "step=3"
    page.keyboard.press("p")
    page.clock.run_for(60_000)
    assert fragment(page) == f"step={len(trace.steps)}"
    expect(toggle).to_have_text("Play")
    toggle.click()  # from the beginning
    assert fragment(page) == "step=1"
    page.locator("#tab-read").click()
    page.clock.run_for(60_000)
    assert fragment(page) == "states"


def test_everyone_can_play(player: Reader) -> None:
    player.page.emulate_media(reduced_motion="reduce")
    assert violations(player.open("step=3")) == []
    player.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert violations(player.open("step=3"), ["color-contrast"]) == []


def test_a_link_to_a_step(player: Reader, reader: Reader, trace: Trace) -> None:
    page = player.open(f"step={changes(trace)[1]}&view=full")
    assert state(page) == "BACKOFF"
    page = player.open("step=99")
    expect(page.locator("#notice")).to_contain_text(f"there is no step 99; there are 0 to {len(trace.steps)}")
    page = reader.open("step=1")
    expect(page.locator("#notice")).to_contain_text("this page has nothing to play")
    assert page.locator("#tab-play").is_hidden()


GOOD = PlayedStep(0.0, "start", "OFFLINE", "SIGNING_IN")
WRONG = {
    "no state 'NOWHERE'": replace(GOOD, dest="NOWHERE"),
    "no event 'jump'": replace(GOOD, trigger="jump"),
    "the time nan": replace(GOOD, at=float("nan")),
    "the step before ends in SIGNING_IN": GOOD,
    "does not decide stop in SIGNING_IN": PlayedStep(
        0.0, "stop", "SIGNING_IN", "OFFLINE", CHART.cell("OFFLINE", "start")[0]
    ),
    "does not lead to STOPPING": PlayedStep(
        0.0, "beat_answered", "SIGNING_IN", "STOPPING", CHART.cell("SIGNING_IN", "beat_answered")[-1]
    ),
    "the chart has no row": PlayedStep(0.0, "stop", "SIGNING_IN", "OFFLINE", Row("stop", "SIGNING_IN", "OFFLINE")),
}


@pytest.mark.parametrize("problem", WRONG)
def test_a_walk_that_the_chart_cannot_have_is_refused(problem: str) -> None:
    with pytest.raises(ChartError, match=f"step 2 of it is none of {CHART.name}: .*{re.escape(problem)}"):
        Playback("it", (GOOD, WRONG[problem])).document(CHART)
    with pytest.raises(ChartError, match="nothing to play"):
        Playback("it", ()).document(CHART)
