"""The reference server in a process of its own, and an agent's identity."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcp_fsm import Connection, Credentials
from agentcp_fsm.sign_in.identities import make_identity
from tests.server_process import ServerProcess
from tests.timings import SCALED

ALICE = "alice.agentid.pub"


@pytest.fixture(scope="session")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    directory: Path = tmp_path_factory.mktemp("agents")
    make_identity(directory, ALICE, "secret")
    return Credentials.load(directory, ALICE, password="secret")


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with ServerProcess() as process:
        yield process


@pytest.fixture
def connection(server: ServerProcess, alice: Credentials) -> Iterator[Connection]:
    """Started, but not waited for."""
    with Connection(ALICE, server.url, credentials=alice, config=SCALED) as made:
        yield made
