"""A server run by the command, and an agent's identity made by it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.command import Running, run

ALICE = "alice.agentid.pub"
PASSWORD = "sésame, open"


@dataclass(frozen=True)
class Identity:
    """Where an agent's key is, and the file that holds its password."""

    data: Path
    password_file: Path


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    folder = tmp_path_factory.mktemp("agents")
    password_file = folder / "password"
    password_file.touch(0o600)
    password_file.write_text(PASSWORD + "\n", encoding="utf-8")
    made = run("identity", "new", ALICE, "--data", folder, "--password-file", password_file)
    assert made.returncode == 0, made.stderr
    return Identity(folder, password_file)


@dataclass(frozen=True)
class Server:
    """A running ``agentcp-fsm serve --json``."""

    command: Running
    url: str

    def __call__(self, line: str) -> str:
        self.command.write(line)
        answer: str = self.command.object("answer")["answer"]
        return answer


@pytest.fixture
def server() -> Iterator[Server]:
    with Running("serve", "--http-port", "0", "--udp-port", "0", "--json") as command:
        yield Server(command, command.object("listening")["url"])
