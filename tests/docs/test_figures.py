"""Figures that were measured stand beside the command that measures them."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
MEASURED = re.compile(r"\d (?:MB|KB|ms|µs|% of)\b|\d (?:s|ms) of processor time|<!-- \w+:begin -->")
"""What only a measurement can say."""
COMMAND = re.compile(
    r"`?(?:python -m (?:tests|agentcp_fsm)[\w.]*|pytest\b|agentcp-fsm diagram)|`tests/[\w/.]+`|`test_\w+\.py::"
)
"""A command that shows it, or the name of a test."""
LAW = {"lifecycle.md", "protocol.md", "CHANGELOG.md"}
"""Pages of rules, whose numbers are settings; and what was once true."""
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if page.name not in LAW and not page.name.endswith(".zh-CN.md")]


def without_command(text: str) -> list[str]:
    """The headings of the parts of a page that have measured figures and no command.

    A command that writes the whole page stands before its parts.
    """
    parts = re.split(r"^## ", text, flags=re.MULTILINE)
    if "--write docs/" in parts[0]:
        return []
    return [part.partition("\n")[0] for part in parts if MEASURED.search(part) and not COMMAND.search(part)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_measured_figures_have_their_command(page: Path) -> None:
    assert without_command(page.read_text(encoding="utf-8")) == []


def test_a_figure_without_a_command_is_found() -> None:
    assert without_command("# Page\n\n## Size\n\nIt takes 3 MB.\n\n## Time\n\n3 MB, by `pytest tests`.\n") == ["Size"]
