"""What every test of the runtime stands on."""

import pytest

from agentcp_fsm.runtime.hub import new_event_loop


@pytest.fixture(autouse=True, scope="session")
def one_pipe_of_libuv() -> None:
    """The process's first uvloop opens a pipe that is kept for all later ones: no leak of any test."""
    new_event_loop().close()
