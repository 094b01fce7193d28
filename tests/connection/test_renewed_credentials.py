"""A key and a certificate that are renewed on disk while the agent is connected: the next sign-in uses the new ones."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcp_fsm import Connection, Credentials
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in import AuthClient
from tests.sign_in.certificates import Identity, key_pem, make_identity
from tests.sign_in.servers import Request, Server, SignInService
from tests.timings import CALM
from tests.waiting import online, until

ALICE = "alice.agentid.pub"


@pytest.fixture
def server() -> Iterator[Server]:
    with ServerThread() as heartbeats:
        host, port = heartbeats.udp_address
        service = SignInService(session={"server_ip": host, "port": port, "sign_cookie": 7, "signature": "the token"})
        with Server(service) as server:
            yield server


def store(folder: Path, identity: Identity, password: str = "") -> None:
    """Replace both files, as a renewal does."""
    for end, content in (("key", key_pem(identity.key, password)), ("crt", identity.certificate_pem)):
        new = folder / "new"
        new.write_text(content)
        new.chmod(0o600)
        os.replace(new, folder / f"{ALICE}.{end}")


def certificates(requests: list[Request]) -> list[str]:
    return [request.content["cert"] for request in requests if "cert" in request.content]


@pytest.mark.parametrize("password", ["", "secret"])
def test_they_are_used_at_the_next_sign_in(server: Server, tmp_path: Path, password: str) -> None:
    """Those of the start were, until the process was restarted."""
    old, new = make_identity(ALICE), make_identity(ALICE)
    store(tmp_path, old, password)
    credentials = Credentials.load(tmp_path, ALICE, password)
    with Connection(ALICE, server.url, credentials=credentials, config=CALM) as connection:
        until(lambda: len(certificates(server.requests)) == 1)
        store(tmp_path, new, password)
        connection.reconnect()
        until(lambda: len(certificates(server.requests)) == 2)
    assert certificates(server.requests) == [old.certificate_pem, new.certificate_pem]


def test_a_certificate_alone(tmp_path: Path) -> None:
    identity = make_identity(ALICE)
    renewed = make_identity(ALICE, key=identity.key)
    store(tmp_path, identity)
    credentials = Credentials.load(tmp_path, ALICE)
    assert credentials.renewed() is credentials
    (tmp_path / f"{ALICE}.crt").write_text(renewed.certificate_pem)
    assert credentials.renewed().certificate_pem == renewed.certificate_pem


@pytest.mark.parametrize("content", ["", "no certificate", None])
def test_until_they_can_be_used_the_old_ones_are(
    content: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As in the midst of a renewal that writes one file after the other."""
    identity, new = make_identity(ALICE), make_identity(ALICE)
    store(tmp_path, identity)
    credentials = Credentials.load(tmp_path, ALICE)
    if content is None:
        (tmp_path / f"{ALICE}.crt").unlink()
    else:
        (tmp_path / f"{ALICE}.crt").write_text(content)
    assert credentials.renewed() is credentials
    assert "the changed files are not used, but what they held before" in caplog.text
    store(tmp_path, new)
    assert credentials.renewed().certificate_pem == new.certificate_pem


def test_those_from_memory_stay(server: Server) -> None:
    identity = make_identity(ALICE)
    credentials = Credentials.from_pem(ALICE, identity.key_pem, identity.certificate_pem)
    assert credentials.renewed() is credentials
    with AuthClient(server.url) as client:
        client.sign_in(credentials)


def test_an_agent_that_was_online_goes_on_with_the_new_ones(tmp_path: Path) -> None:
    identity = make_identity(ALICE)
    store(tmp_path, identity)
    with (
        ServerThread(next_beat=0.1) as server,
        Connection(ALICE, server.url, credentials=Credentials.load(tmp_path, ALICE), config=CALM) as connection,
    ):
        online(connection)
        store(tmp_path, make_identity(ALICE))
        connection.reconnect()
        until(lambda: connection.health().statistics.times_online == 2)
