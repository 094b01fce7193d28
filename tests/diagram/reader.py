"""The page as a reader uses it, in a real browser without a network; its fixtures are every test's here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from agentcp_fsm.fsm.diagram.page import page
from agentcp_fsm.lifecycle.chart import CHART

TO_DEGRADED = "walk=start,beat_answered:y,send_failed:yn"
NARROW = {"width": 360, "height": 740}


class Reader:
    """A person with a browser and no network.  The page may neither complain nor request anything."""

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
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "connection.html"
    path.write_text(page(CHART, "agentcp_fsm.lifecycle.chart:CHART"), encoding="utf-8")
    return path


@pytest.fixture
def reader(browser: Browser, page_file: Path) -> Iterator[Reader]:
    context = browser.new_context(offline=True, viewport={"width": 1366, "height": 768})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    someone = Reader(context, page_file)
    yield someone
    someone.close()


@pytest.fixture(scope="module")
def interpreter(browser: Browser, page_file: Path) -> Iterator[Page]:
    """A page whose interpreter is asked directly."""
    context = browser.new_context(offline=True)
    opened = context.new_page()
    opened.goto(page_file.as_uri())
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
