"""A real browser: Debian's Chromium, driven by Playwright, off the network.

All tests of this folder have its fixtures.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.needs import needs, needs_program

NODE = Path(__file__).parent / "node"
"""Where the packages of npm are that `.ci/run` installs."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def node_package(name: str) -> Path:
    """The folder of a package of npm; skips, as `needs`, if it is not installed."""
    folder = NODE / "node_modules" / name
    needs(folder.exists(), f"{name} from npm", f"npm ci --prefix {NODE.relative_to(NODE.parents[2])}")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser, started once for a module's tests; until it is closed no other event loop can run in the process."""
    path = needs_program("chromium", "chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def offline_page(browser: Browser) -> Iterator[Page]:
    """A page of its own, without a network: files are all it can open."""
    context: BrowserContext = browser.new_context(offline=True)
    try:
        yield context.new_page()
    finally:
        context.close()
