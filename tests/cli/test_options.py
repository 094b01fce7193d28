"""When a password is asked for: the kind of the error decides, not its words."""

import io
import sys
from pathlib import Path

import pytest
import typer

from agentcp_fsm.cli.options import credentials, password
from agentcp_fsm.errors import ConfigError, CredentialsError, PasswordRequiredError
from agentcp_fsm.operations.agents import trust
from agentcp_fsm.operations.options import AgentOptions
from agentcp_fsm.sign_in.identities import make_identity

ALICE = "alice.agentid.pub"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A terminal, where somebody answers; the questions."""
    questions: list[str] = []

    def prompt(text: str, **options: bool) -> str:
        assert options == {"hide_input": True}
        questions.append(text)
        return "secret"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(typer, "prompt", prompt)
    return questions


def test_a_folder_named_password_is_no_reason_to_ask(tmp_path: Path, asked: list[str]) -> None:
    """It asked: the folder's name is in the error."""
    with pytest.raises(CredentialsError, match="password") as refused:
        credentials(AgentOptions(ALICE, tmp_path / "password"))
    assert not isinstance(refused.value, PasswordRequiredError)
    assert asked == []


def test_an_encrypted_key_is_a_reason_to_ask(tmp_path: Path, asked: list[str]) -> None:
    make_identity(tmp_path, ALICE, "secret")
    assert credentials(AgentOptions(ALICE, tmp_path)).agent_id == ALICE
    assert asked == [f"password of {ALICE}"]


def test_a_wrong_password_is_not_asked_for_again(tmp_path: Path, asked: list[str]) -> None:
    make_identity(tmp_path, ALICE, "secret")
    file = tmp_path / "file"
    file.write_text("wrong")
    with pytest.raises(CredentialsError, match="does not open"):
        credentials(AgentOptions(ALICE, tmp_path, password_file=file))
    assert asked == []


def test_nobody_is_asked_without_a_terminal(tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    make_identity(tmp_path, ALICE, "secret")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(PasswordRequiredError):
        credentials(AgentOptions(ALICE, tmp_path))
    assert asked == []


def test_a_server_is_not_given_twice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        trust(AgentOptions(ALICE, tmp_path, server="https://one.example", access_point="two.example"))


def test_proof_is_not_required_and_waived_at_once(tmp_path: Path) -> None:
    both = AgentOptions(ALICE, tmp_path, require_server_proof=True, insecure_accept_no_server_proof=True)
    with pytest.raises(ConfigError, match="exclude each other"):
        trust(both)


def test_a_password_comes_from_a_systemd_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = AgentOptions(ALICE, tmp_path, password_credential="seed")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(CredentialsError, match="LoadCredential=seed:FILE"):
        password(agent)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(CredentialsError, match="cannot be read"):
        password(agent)
    (tmp_path / "seed").write_text("secret\nmore\n")
    assert password(agent) == "secret"
    for name in ("../seed", "..", "/etc/passwd"):
        with pytest.raises(ConfigError, match="no slash"):
            password(AgentOptions(ALICE, tmp_path, password_credential=name))
    with pytest.raises(ConfigError, match="--password-env and --password-credential exclude"):
        password(AgentOptions(ALICE, tmp_path, password_env="SEED", password_credential="seed"))
