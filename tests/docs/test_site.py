"""The site, built as its command builds it: strict, in both languages, without a network; and as a browser shows it."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

import agentcp_fsm
import agentcp_fsm.sdk
import agentcp_fsm.server
import agentcp_fsm.testing
from docs.site.translations import DOCS, Status, names, status
from tests.diagram.browser import ARGUMENTS
from tests.needs import needs_program

pytestmark = pytest.mark.slow
LANGUAGES = {"en": "", "zh-CN": "zh/"}
LOOKED_AT = ("index", "lifecycle", "engine", "reference/config", "reference/commands", "tutorial/1-stay-reachable")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", str(DOCS), str(built), "-d", str(built / ".trees")]
    ended = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, timeout=500, check=False)
    assert ended.returncode == 0, ended.stderr
    return built


class Page(HTMLParser):
    """The links of a page, and the places that links can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.append(value)
            elif value and name in ("id", "name"):
                self.places.add(value)


read = cache(Page)


def test_every_link_leads_somewhere(site: Path) -> None:
    pages = sorted(path for path in site.rglob("*.html") if "_downloads" not in path.parts and path.name != "page.html")
    assert len(pages) > 2 * len(names())
    broken = []
    for page in pages:
        for link in read(page).links:
            target = urlsplit(link)
            if target.scheme or link.startswith("//"):
                continue
            file = (page.parent / unquote(target.path)).resolve() if target.path else page
            if "_modules" in page.parts and target.fragment:  # Sphinx's own, to names that are imported elsewhere
                target = target._replace(fragment="")
            if not file.is_file() or (
                target.fragment and file.suffix == ".html" and unquote(target.fragment) not in read(file).places
            ):
                broken.append(f"{page.relative_to(site)}: {link}")
    assert not broken, "\n".join(broken[:50])


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        if "_downloads" not in page.parts:
            text = page.read_text(encoding="utf-8")
            assert 'src="http' not in text
            assert 'rel="stylesheet" type="text/css" href="http' not in text


def test_each_page_is_there_in_both_languages_and_leads_to_the_other(site: Path) -> None:
    for name in names():
        for language, folder in LANGUAGES.items():
            page = site / f"{folder}{name}.html"
            assert f'<html class="no-js" lang="{language}"' in page.read_text(encoding="utf-8")
            other = site / f"{LANGUAGES['zh-CN' if language == 'en' else 'en']}{name}.html"
            assert other in {(page.parent / link).resolve() for link in read(page).links}


def test_untranslated_and_stale_pages_are_marked(site: Path) -> None:
    for name in names():
        text = (site / "zh" / f"{name}.html").read_text(encoding="utf-8")
        assert ("本页尚未翻译" in text) is (status(name) is Status.MISSING)
        assert ("本页可能已经过时" in text) is (status(name) is Status.STALE)


@pytest.mark.parametrize("module", [agentcp_fsm, agentcp_fsm.sdk, agentcp_fsm.server, agentcp_fsm.testing])
def test_the_reference_has_a_place_for_each_public_name(site: Path, module: ModuleType) -> None:
    places = {place for page in (site / "reference").glob("*.html") for place in read(page).places}
    named = {place.rpartition(".")[2] for place in places if place.startswith("agentcp_fsm.")}
    assert set(module.__all__) <= named


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=needs_program("chromium", "chromium"), args=ARGUMENTS)
        yield started
        started.close()


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (900, "light"), (1400, "dark"), (1400, "light")])
@pytest.mark.parametrize("folder", LANGUAGES.values(), ids=LANGUAGES)
def test_a_browser_shows_it_and_axe_finds_nothing_serious(
    site: Path, browser: Browser, folder: str, width: int, scheme: Any
) -> None:
    axe = Axe()
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    try:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        for name in LOOKED_AT:
            page.goto((site / f"{folder}{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            found = axe.run(page).response["violations"]
            serious = [
                (each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")
            ]
            assert not serious, name
        assert not errors
    finally:
        context.close()


@pytest.mark.parametrize(("folder", "word"), [("", "retransmission"), ("zh/", "心跳")])
def test_the_search_finds(site: Path, browser: Browser, folder: str, word: str) -> None:
    page = browser.new_page()
    page.goto(f"{(site / f'{folder}search.html').as_uri()}?q={word}")
    page.wait_for_selector("#search-results li a", timeout=60_000)
    page.close()
