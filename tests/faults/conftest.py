"""The server that cases share, one after the other, in each of the processes that run tests."""

from collections.abc import Iterator

import pytest

from tests.server_process import ServerProcess


@pytest.fixture(scope="session")
def shared_server() -> Iterator[ServerProcess]:
    with ServerProcess() as server:
        yield server
