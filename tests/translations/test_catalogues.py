"""Every catalogue is complete, fresh, and says nothing else than its source does."""

import gettext
import re
import subprocess
from collections import Counter
from string import Formatter

import pytest
from babel.messages import Catalog
from babel.messages.catalog import Message

from agentcp_fsm.support.messages import FOLDER, LANGUAGES
from tests.needs import needs_program
from tests.translations.catalogue import CATALOGUES, read, template, written

UPDATE = "python -m tests.translations.catalogue"


@pytest.fixture(params=sorted(CATALOGUES))
def locale(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def catalogue(locale: str) -> Catalog:
    return read(CATALOGUES[locale], locale)


def messages(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def test_there_is_a_catalogue_for_each_language_and_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {name for name in LANGUAGES.values() if name} == set(CATALOGUES)


def test_nothing_is_untranslated_or_fuzzy(catalogue: Catalog) -> None:
    assert not [message.id for message in messages(catalogue) if not message.string]
    assert not [message.id for message in messages(catalogue) if message.fuzzy]


def test_nothing_is_missing_or_stale(catalogue: Catalog) -> None:
    wanted = {message.id for message in messages(template())}
    there = {message.id for message in messages(catalogue)}
    assert wanted - there == set(), f"new: {UPDATE}"
    assert there - wanted == set(), f"stale: {UPDATE}"
    assert not catalogue.obsolete


def fields(text: str) -> Counter[str | None]:
    return Counter(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def test_placeholders_agree(catalogue: Catalog) -> None:
    for message in messages(catalogue):
        assert fields(str(message.string)) == fields(str(message.id)), message.id


@pytest.mark.parametrize("kept", [r"--[a-z-]+", r"\b[A-Z][A-Z_]{2,}\b", r"\d+", r"Ctrl-C", r'"help"', r"<!-- \S+ -->"])
def test_names_of_states_options_and_numbers_are_kept(kept: str, catalogue: Catalog) -> None:
    for message in messages(catalogue):
        assert Counter(re.findall(kept, str(message.string))) == Counter(re.findall(kept, str(message.id))), message.id


TERMS = {
    "heartbeat": "心跳",
    "sign-in": "登录",
    "sign-out": "登出",
    "session": "会话",
    "invitation": "邀请",
    "probe": "探测",
    "socket": "套接字",
    "certificate": "证书",
    "access point": "接入点",
    "agent": "智能体",
    "connection is lost": "连接已断开",
    "attempt": "尝试",
}
"""One word of the source, one word of the translation."""


@pytest.mark.parametrize(("term", "translation"), TERMS.items())
def test_a_term_is_always_the_same_one(term: str, translation: str) -> None:
    catalogue = read(CATALOGUES["zh_CN"], "zh_CN")
    concerned = [message for message in messages(catalogue) if re.search(rf"\b{term}s?\b", str(message.id).lower())]
    assert concerned
    for message in concerned:
        names = re.sub(r"\{\w+\}|agentcp", "", str(message.id).lower())
        if re.search(rf"\b{term}s?\b", names):
            assert translation in str(message.string), message.id


def test_the_file_is_as_the_tool_writes_it(locale: str, catalogue: Catalog) -> None:
    assert written(catalogue) == CATALOGUES[locale].read_bytes(), UPDATE


def test_what_is_shipped_is_what_was_translated(locale: str, catalogue: Catalog) -> None:
    with CATALOGUES[locale].with_suffix(".mo").open("rb") as opened:
        shipped = gettext.GNUTranslations(opened)
    for message in messages(catalogue):
        assert shipped.gettext(str(message.id)) == message.string, UPDATE
    others = {message.id for message in messages(template())} - {message.id for message in messages(catalogue)}
    assert all(shipped.gettext(str(other)) == other for other in others)


def test_a_wheel_has_the_catalogues(locale: str) -> None:
    """It has every file of the package that git does not ignore."""
    git = needs_program("git", "git")
    file = CATALOGUES[locale].with_suffix(".mo")
    ignored = subprocess.run([git, "check-ignore", "-q", file], cwd=file.parent, check=False)
    assert ignored.returncode == 1
