"""README.md tells the truth: its snippet runs, and the commands it names exist.  `.ci/run` runs the marked ones."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm import Invitation, ReportTransition, State
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.identities import make_identity
from tests.cli.command import run

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_snippet_of_library_use_runs_as_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the server's address and the names that it leaves to the reader are filled in."""
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    make_identity(tmp_path, "alice.agentid.pub", "secret")
    invitations: list[Invitation] = []
    transitions: list[ReportTransition] = []
    names: dict[str, Any] = {
        "folder": tmp_path,
        "password": "secret",
        "handle_invite": invitations.append,
        "log_transition": transitions.append,
    }
    with ServerThread() as server:
        assert "https://heartbeat.example" in snippet
        exec(compile(snippet.replace("https://heartbeat.example", server.url), "README.md", "exec"), names)
        assert server.statistics().sign_outs == 1
    assert capsys.readouterr().out.startswith("ONLINE Health(")
    assert names["connection"].state is State.OFFLINE
    assert [transition.dest for transition in transitions] == ["SIGNING_IN", "ONLINE", "STOPPING", "OFFLINE"]


def test_the_commands_that_are_run_elsewhere_are_there_to_be_run() -> None:
    marked = re.findall(r"^<!-- command: (\w+) -->\n```sh\n(.+)\n```$", TEXT, re.MULTILINE)
    assert [name for name, _ in marked] == ["demo", "tests"]
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for name, command in marked:
        assert f"readme {name}\n" in steps
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")


@pytest.mark.parametrize("command", sorted(set(re.findall(r"agentcp-fsm ([^`&]+?)(?: &&|`)", TEXT))))
def test_every_command_that_is_named_exists_with_its_options(command: str) -> None:
    result = run(*shlex.split(command), "--help")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^):#]+)\)", TEXT))))
def test_every_link_into_the_project_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()
