"""The page on the kit: its files are a project whose tests pass."""

import re
from pathlib import Path

import pytest

from tests.testkit.project import run_pytest

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def files_of_the_page() -> dict[str, str]:
    return dict(
        re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )


@pytest.mark.slow
def test_the_files_of_the_page_are_a_project_that_passes(tmp_path: Path) -> None:
    files = files_of_the_page()
    tests = sum(text.count("def test_") + text.count(".TestCase") for text in files.values())
    result = run_pytest(tmp_path, files, "-q", "-W", "error")
    assert result.returncode == 0, result.stdout + result.stderr
    assert tests == 6
    assert f"{tests} passed" in result.stdout


def test_an_outage_takes_five_lines() -> None:
    assert len(files_of_the_page()["test_outage.py"].splitlines()) <= 5


def test_the_page_names_every_fault_and_every_strategy() -> None:
    from agentcp_fsm.testing import BreakableServer, strategies

    text = PAGE.read_text("utf-8")
    own = {name for name in vars(BreakableServer) if not name.startswith("_")}
    assert own
    assert [name for name in own if f"{name}(" not in text] == []
    made = {"configs", "events", "sessions", "invitations", "messages", "datagrams", "weathers", "charts"}
    assert all(hasattr(strategies, name) and f"`{name}`" in text for name in made)
