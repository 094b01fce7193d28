"""The reference server in a thread, and an agent whose key and certificate lie where the SDK keeps them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcp_fsm import Config
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.identities import make_identity

ALICE = "alice.agentid.pub"
PASSWORD = "seed password"
BOUND = 10.0
"""Seconds that a test waits for something that should come soon."""
FAST = Config(
    interval_min=0.05,
    probe_interval=0.5,
    send_retry_initial=0.02,
    sign_in_interval_min=0.0,
    silence_limit=40,
    sign_in_timeout=2.0,
    socket_timeout=1.0,
    backoff_initial=0.02,
    backoff_max=0.1,
    unauthorized_spread=0.0,
    sign_out_timeout=1.0,
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


@pytest.fixture
def server() -> Iterator[ServerThread]:
    with ServerThread(next_beat=0.05) as running:
        yield running
