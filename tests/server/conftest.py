"""An agent of the shared fixture `server`, before and after its sign-in."""

from collections.abc import Iterator

import pytest

from agentcp_fsm.server import ServerThread
from tests.server.client import Client


@pytest.fixture
def stranger(server: ServerThread) -> Iterator[Client]:
    """Not signed in."""
    with Client(server) as made:
        yield made


@pytest.fixture
def agent(stranger: Client) -> Client:
    stranger.sign_in()
    return stranger
