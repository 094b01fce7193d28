"""An agent whose key and certificate lie where the SDK keeps them, and how often it is to send heartbeats."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.identities import make_identity
from tests.sdk.internet import HOSTS
from tests.timings import scaled

ALICE = "alice.agentid.pub"
PASSWORD = "seed password"
BOUND = 10.0
"""Seconds that a test waits for something that should come soon."""
FAST = scaled(
    1 / 100, probe_interval=0.5, sign_in_interval_min=0.0, silence_limit=40, backoff_max=0.1, unauthorized_spread=0.0
)
"""What takes seconds in the field, in hundredths, and patient: a busy machine is no lost connection."""


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDK's folder of agents."""
    directory = tmp_path_factory.mktemp("AIDs")
    make_identity(directory, ALICE, PASSWORD)
    return directory


@pytest.fixture(scope="session")
def certificates(data: Path) -> str:
    """What the SDK gives as ``aid_path``: the folder that holds the two files."""
    return str(data / ALICE / "private" / "certs")


@pytest.fixture(scope="session")
def next_beat() -> float:
    return 0.05


@pytest.fixture
def server(next_beat: float) -> Iterator[ServerThread]:
    """The reference server, which also answers to the names that the SDK asks for."""
    with ServerThread(next_beat=next_beat, names=HOSTS) as running:
        yield running
