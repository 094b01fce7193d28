"""The reference server in a process of its own, and an agent's identity."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm import Config, Connection, Credentials
from agentcp_fsm.auth.identity import make_identity
from agentcp_fsm.runtime.hub import new_event_loop

ALICE = "alice.agentid.pub"
SCALED = Config(
    interval_min=0.1,
    interval_max=30.0,
    probe_interval=0.1,
    send_retry_initial=0.05,
    sign_in_interval_min=0.2,
    sign_in_timeout=2.0,
    socket_timeout=1.0,
    backoff_initial=0.05,
    backoff_max=0.5,
    unauthorized_spread=0.05,
    sign_out_timeout=1.0,
    connect_timeout=1.0,
    read_timeout=1.0,
)
"""The specification's timings, about thirty times as fast."""


class ServerProcess:
    """`python -m agentcp_fsm.server`, driven through its console."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agentcp_fsm.server", "--next-beat", "0.1", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url: str = self._read()["url"]

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def __call__(self, command: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self._read()
        assert "ok" in answer, answer
        text: str = answer["ok"]
        return text

    def count(self, what: str) -> int:
        """One of the server's statistics."""
        line = next(line for line in self("status").splitlines() if line.startswith("counted: "))
        counted = dict(item.rsplit(" ", 1) for item in line.removeprefix("counted: ").split(", ") if " " in item)
        return int(counted.get(what, 0))

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        self.process.stdout.close()


@pytest.fixture(scope="session", autouse=True)
def one_pipe_of_libuv() -> None:
    """The process's first uvloop opens a pipe that is kept for all later ones: no leak of any test."""
    new_event_loop().close()


@pytest.fixture(scope="session")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    directory: Path = tmp_path_factory.mktemp("agents")
    make_identity(directory, ALICE, "secret")
    return Credentials.load(directory, ALICE, password="secret")


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    process = ServerProcess()
    try:
        yield process
    finally:
        process.close()


@pytest.fixture
def connection(server: ServerProcess, alice: Credentials) -> Iterator[Connection]:
    """Started, but not waited for."""
    with Connection(ALICE, server.url, credentials=alice, config=SCALED) as made:
        yield made
