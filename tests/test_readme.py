"""README.md tells the truth: the commands it names exist, and it is short.

`.ci/run` runs the marked commands, `tests/docs` the rest.
"""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.command import run

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_commands_that_are_run_elsewhere_are_there_to_be_run() -> None:
    marked = re.findall(r"^<!-- command: (\w+) -->\n```sh\n(.+)\n```$", TEXT, re.MULTILINE)
    assert [name for name, _ in marked] == ["demo", "tests"]
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for name, command in marked:
        assert re.search(rf"^readme {name}( |$)", steps, re.MULTILINE)
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")


@pytest.mark.parametrize("command", sorted(set(re.findall(r"agentcp-fsm ([^`&]+?)(?: &&|`)", TEXT))))
def test_every_command_that_is_named_exists_with_its_options(command: str) -> None:
    result = run(*shlex.split(command), "--help")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^):#]+)\)", TEXT))))
def test_every_link_into_the_project_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


def test_it_has_two_screens_beside_the_picture() -> None:
    shown = re.sub(r"<!-- diagram:begin -->.*?<!-- diagram:end -->\n", "", TEXT, flags=re.DOTALL)
    assert len(shown.splitlines()) <= 120
