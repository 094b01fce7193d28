"""A server in a thread, and an agent that is signed in to it."""

from collections.abc import Iterator

import pytest

from agentcp_fsm.server import ServerThread
from tests.server.client import Client


@pytest.fixture
def server() -> Iterator[ServerThread]:
    with ServerThread(next_beat=7.0) as running:
        yield running


@pytest.fixture
def stranger(server: ServerThread) -> Iterator[Client]:
    """Not signed in."""
    with Client(server) as made:
        yield made


@pytest.fixture
def agent(stranger: Client) -> Client:
    stranger.sign_in()
    return stranger


@pytest.fixture(scope="module")
def shared() -> Iterator[ServerThread]:
    """For properties: one server for all examples."""
    with ServerThread(next_beat=7.0) as running:
        yield running
