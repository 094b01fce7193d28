"""The Chinese pages have what the English ones have: headings, tables, lists, code and commands."""

import re
from collections import Counter
from pathlib import Path

import pytest

from docs.site.translations import HOME, Status, names, original, status, translation

ROOT = Path(__file__).parents[2]
FIRST = (HOME, "sdk")
"""Pages that must not differ even while their translation waits to be renewed.  Of others, stale ones are marked."""
PAGES = {
    original(name).relative_to(ROOT).as_posix(): translation(name).relative_to(ROOT).as_posix()
    for name in names()
    if status(name) is Status.FRESH or (name in FIRST and status(name) is Status.STALE)
}
CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(params=PAGES.items(), ids=lambda pair: pair[0])
def pages(request: pytest.FixtureRequest) -> tuple[str, str]:
    english, chinese = request.param
    return (ROOT / english).read_text(encoding="utf-8"), (ROOT / chinese).read_text(encoding="utf-8")


def prose(page: str) -> str:
    return re.sub(r"<!--.*?-->", "", CODE.sub("", page))


def test_the_headings_are_the_same_ones(pages: tuple[str, str]) -> None:
    english, chinese = ([len(marks) for marks in re.findall(r"^(#+) ", prose(page), re.MULTILINE)] for page in pages)
    assert english == chinese


def test_the_code_is_the_same(pages: tuple[str, str]) -> None:
    """But for the diagram of the README, of which the Chinese page has the picture."""
    english, chinese = ([block for block in CODE.findall(page) if block[0] != "mermaid"] for page in pages)
    assert english == chinese


def test_the_tables_have_the_same_rows_and_columns(pages: tuple[str, str]) -> None:
    english, chinese = (
        [line.count(" |") for line in prose(page).splitlines() if line.startswith("| ")] for page in pages
    )
    assert english == chinese


def test_the_lists_have_the_same_entries(pages: tuple[str, str]) -> None:
    english, chinese = (len(re.findall(r"^- ", prose(page), re.MULTILINE)) for page in pages)
    assert english == chinese


def test_commands_and_names_are_the_same(pages: tuple[str, str]) -> None:
    english, chinese = (Counter(re.findall(r"`([^`]+)`", prose(page))) for page in pages)
    assert set(english) == set(chinese)


def test_each_page_leads_to_the_other(pages: tuple[str, str]) -> None:
    english, chinese = pages
    assert re.search(r"^\[简体中文\]\(", english, re.MULTILINE)
    assert re.search(r"^\[English\]\(", chinese, re.MULTILINE)


def test_what_is_chinese_is_written_in_chinese(pages: tuple[str, str]) -> None:
    """Each paragraph, entry and heading, but for the name of the project and the link to the other page."""
    paragraphs = [part for part in re.split(r"\n\n|\n(?=[-|] )", prose(pages[1])) if len(part.strip()) > 20]
    assert paragraphs
    for paragraph in paragraphs:
        words = re.sub(r"`[^`]*`|\]\([^)]*\)|[|\-\s\d]", "", paragraph)
        assert not words or CHINESE.search(words) or words in ("]", "[English"), paragraph


@pytest.mark.parametrize("page", PAGES.values())
def test_every_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target
