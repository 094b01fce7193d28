"""Servers and clients of the sign-in, and a place where the certificates of issuers are."""

from collections.abc import Iterator

import pytest

from agentcp_fsm.sign_in import AuthClient
from tests.sign_in.servers import (
    Issuers,
    Server,
    SignInService,
)


@pytest.fixture
def place() -> Issuers:
    return Issuers()


@pytest.fixture
def host(place: Issuers) -> Iterator[Server]:
    with Server(place) as server:
        yield server


@pytest.fixture
def service() -> SignInService:
    return SignInService()


@pytest.fixture
def server(service: SignInService) -> Iterator[Server]:
    with Server(service) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[AuthClient]:
    with AuthClient(server.url) as client:
        yield client
