"""The page for users of the SDK says what is: settings, their defaults, commands."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from agentcp_fsm import Config
from agentcp_fsm.server import ServerThread
from tests.sdk.conftest import ALICE
from tests.sdk.sdk import SDKProgram
from tests.sdk.test_identities import command

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "sdk.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    section = PAGE[PAGE.index("## The SDK's constants") :]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]


def test_each_setting_of_the_table_exists_with_its_default() -> None:
    settings = [(match[1], row[3]) for row in rows()[1:] if (match := re.match(r"`(\w+)`", row[2]))]
    assert len(settings) >= 10
    for name, default in settings:
        assert name in Config.__dataclass_fields__, name
        if default.isdecimal():
            assert getattr(Config(), name) == float(default), name


def test_the_constant_whose_name_is_a_trap_is_no_setting() -> None:
    [row] = [row for row in rows() if row[0] == "`SOCKET_TIMEOUT`"]
    assert row[2] == "no such setting"
    assert Config().socket_timeout == 5.0


def test_ten_retries_are_eleven_attempts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The SDK's own counting: it gives up when the retries exceed the number, and the first attempt is none."""
    from tests.sdk.sdk import sdk_module

    auth = sdk_module("agentcp.base.auth_client")
    sdk_module("agentcp.base.log").set_log_enabled(False, 40)
    attempts: list[str] = []

    def post(url: str, **_: object) -> None:
        attempts.append(url)
        client.is_retry = False  # what it sets itself when an attempt is refused and not broken off
        raise OSError("refused")

    monkeypatch.setattr(auth.requests, "post", post)
    monkeypatch.setattr("time.sleep", lambda _: None)
    client = auth.AuthClient(ALICE, "http://127.0.0.1:9", str(tmp_path), "")
    client.sign_in(max_retry_num=10)
    assert len(attempts) == 11


TRY = """
import agentcp
from agentcp_fsm import sdk
sdk.install()
folder, agent_id, url = sys.argv[1:]
agent = agentcp.AgentCP(folder, seed_password=os.environ["PW"], run_proxy=False).load_aid(agent_id)
agent.ep_url = url
agent.online()
say(reachable=agent.heartbeat_client.connection.health().reachable)
agent.offline()
say(client=agent.heartbeat_client)
"""


def test_the_page_as_a_new_user_walks_it(server: ServerThread, tmp_path: Path) -> None:
    """An identity by the command, with a seed password, then the SDK with our client."""
    assert "agentcp-fsm identity new " in PAGE
    made = command("identity", "new", ALICE, "--data", tmp_path, "--password-env", "PW", PW="a seed")
    assert made.returncode == 0, made.stderr
    with SDKProgram(TRY, str(tmp_path), ALICE, server.url, PW="a seed", PYTHONWARNINGS="ignore") as program:
        assert program.said() == {"reachable": True}
        assert program.said() == {"client": None}
    assert server.statistics().sign_outs == 1


def test_the_matrix_is_a_command() -> None:
    import sys

    asked = subprocess.run(
        [sys.executable, "-m", "tests.sdk.matrix", "0.0.0"],
        capture_output=True,
        text=True,
        cwd=DOCS.parent,
        env=os.environ | {"COLUMNS": "200"},
        check=False,
    )
    assert asked.returncode == 2
    assert "there is no SDK 0.0.0; there are" in asked.stderr
    assert "newest layout" in asked.stderr
