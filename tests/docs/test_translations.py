"""Pages that are not translated, or whose translation is stale, are noticed, counted and marked."""

from pathlib import Path

import pytest

from docs.site import pages, translations
from docs.site.pages import CHINESE, text_for_site
from docs.site.translations import DOCS, HOME, Status, hash_of, main, names, renew, status


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder of pages: one without a translation, one with."""
    folder = tmp_path / "docs"
    (folder / "how-to").mkdir(parents=True)
    (tmp_path / "README.md").write_text("# Home\n\n<!-- diagram:begin -->old<!-- diagram:end -->\n", encoding="utf-8")
    (folder / "index.md").write_text("# Home\n", encoding="utf-8")
    (folder / "alone.md").write_text("# Alone\n", encoding="utf-8")
    (folder / "how-to" / "fly.md").write_text("# Fly\n", encoding="utf-8")
    for name in ("index", "how-to/fly"):
        translated = translations.translation(name, folder)
        translated.write_text("# 飞\n", encoding="utf-8")
        renew(translated, folder)
    return folder


def test_each_page_has_its_status(docs: Path) -> None:
    assert names(docs) == ["alone", "how-to/fly", "index"]
    assert [status(name, docs) for name in names(docs)] == [Status.MISSING, Status.FRESH, Status.FRESH]


def test_a_change_of_the_page_makes_its_translation_stale_until_that_is_renewed(docs: Path) -> None:
    (docs / "how-to" / "fly.md").write_text("# Fly far\n", encoding="utf-8")
    assert status("how-to/fly", docs) is Status.STALE
    renew(docs / "how-to" / "fly.zh-CN.md", docs)
    assert status("how-to/fly", docs) is Status.FRESH
    assert (docs / "how-to" / "fly.zh-CN.md").read_text(encoding="utf-8").count("<!-- translates ") == 1


def test_a_translation_that_does_not_say_of_what_is_stale(docs: Path) -> None:
    (docs / "how-to" / "fly.zh-CN.md").write_text("# 飞\n", encoding="utf-8")
    assert status("how-to/fly", docs) is Status.STALE


def test_the_home_is_the_readme_without_its_picture(docs: Path) -> None:
    home = docs.parent / "README.md"
    home.write_text(home.read_text(encoding="utf-8").replace("old", "new"), encoding="utf-8")
    assert status(HOME, docs) is Status.FRESH
    home.write_text("# House\n", encoding="utf-8")
    assert status(HOME, docs) is Status.STALE


def test_all_pages_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    shown = capsys.readouterr().out
    for each in Status:
        assert f"{each}: {sum(status(name) is each for name in names())}\n" in shown
    assert all(f"  {name}\n" in shown for name in names())


@pytest.mark.parametrize("name", names())
def test_the_site_marks_what_is_not_translated_or_stale(name: str) -> None:
    shown = text_for_site(name, translations.original(name).read_text(encoding="utf-8"), CHINESE)
    assert ("本页尚未翻译" in shown) is (status(name) is Status.MISSING)
    assert ("本页可能已经过时" in shown) is (status(name) is Status.STALE)
    assert "本页" not in text_for_site(name, translations.original(name).read_text(encoding="utf-8"), "en")


def test_what_a_newcomer_reads_is_translated() -> None:
    first = [HOME, "README", "sdk", *(name for name in names() if name.startswith("tutorial/"))]
    assert not [name for name in first if status(name) is Status.MISSING]


def test_the_chinese_navigation_lists_the_pages_in_the_same_order() -> None:
    english, chinese = (
        [list(listed) for _, listed in pages.sections((DOCS / file).read_text(encoding="utf-8"))]
        for file in ("README.md", "README.zh-CN.md")
    )
    for section, translated in zip(english, chinese, strict=True):
        assert [page for page in section if page in translated] == [page for page in translated if page in section]


def test_a_hash_is_of_the_text() -> None:
    assert hash_of(HOME) != hash_of("README")
