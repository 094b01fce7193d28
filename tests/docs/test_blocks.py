"""Every code block of README.md and of docs is carried out; `blocks.py` says how."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from sybil import Document

from tests.docs.blocks import CHECKS, ELSEWHERE, ROOT, Reader, check_console, check_shell, parse
from tests.needs import needs_posix

PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if not page.name.endswith(".zh-CN.md")  # whose code is that of the English page
)
WALKED = ("docs/tutorial/", "docs/how-to/", "docs/topics/")
"""The folders of pages with whole programs, each of which takes its time."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the SDK, which a page uses
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] if page.startswith(WALKED) else [])
        for page in PAGES
        if "```" in (ROOT / page).read_text(encoding="utf-8")
    ],
)
def test_the_blocks_of_a_page(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_proxy_in_the_environment: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    needs_posix("the pages are written for its shell")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    document = Document.parse(str(ROOT / page), parse)
    with ExitStack() as stack:
        document.namespace.update(__name__=Path(page).stem, reader=Reader(tmp_path, stack))
        for example in document:
            example.evaluate()
    if page == "docs/engine.md":
        assert "(closed, turn_key) is undecided" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES)
def test_each_block_has_a_language_that_is_known(page: str) -> None:
    fences = re.findall(r"^ *(`{3,})(.*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    languages = [language for _, language in fences[::2]]
    assert [language for _, language in fences[1::2]] == [""] * len(languages)
    assert set(languages) <= {"python", *CHECKS, *ELSEWHERE}


@pytest.mark.parametrize(
    "command",
    [
        "agentcp-fsm fly",
        "agentcp-fsm serve --fly",
        "agentcp-fsm serve --encoding fly",
        "pytest tests/fly",
        "python -m tests.fly",
        "pip install 'agentcp-fsm[fly]'",
    ],
)
def test_a_command_that_names_what_there_is_not_is_noticed(command: str) -> None:
    with pytest.raises(Exception, match="fly"):
        check_shell(command)


def test_a_line_that_is_no_command_of_the_server_is_noticed() -> None:
    check_console("fault drop 1\n$ agentcp-fsm serve\n")
    with pytest.raises(AssertionError, match="fly"):
        check_console("fly away\n")
