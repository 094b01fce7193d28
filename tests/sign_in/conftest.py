"""A server of issuers' certificates."""

from collections.abc import Iterator

import pytest

from tests.sign_in.servers import Issuers, Server


@pytest.fixture
def place() -> Issuers:
    return Issuers()


@pytest.fixture
def host(place: Issuers) -> Iterator[Server]:
    with Server(place) as server:
        yield server
