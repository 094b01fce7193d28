"""Where a server may send an agent: not to what means another host on each machine, unless it is on this machine."""

import socket
from collections.abc import Iterator

import pytest

from agentcp_fsm import Connection, State
from agentcp_fsm.connection.udp import permitted
from agentcp_fsm.errors import FailureKind
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in import AuthClient
from tests.sign_in.calls import AGENT, CREDENTIALS, failure_of
from tests.sign_in.servers import Server, SignInService
from tests.timings import CALM
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")

OF_EACH_MACHINE = [
    "127.0.0.1",
    "127.1",
    "127.0.0.53",
    "0x7f000001",
    "0x7f.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "localhost",
    "localhost.",
    "printer.localhost",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "0.0.0.0",
    "0",
    "::",
    "169.254.169.254",
    "2852039166",
    "fe80::1",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "4294967295",
]
ANYWHERE = ["192.0.2.1", "10.0.0.1", "192.168.1.1", "2001:db8::1", "fc00::1", "heartbeat.example"]


@pytest.fixture
def remote(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuthClient]:
    """A client of a server elsewhere: it is reached by way of a proxy, whose part the server takes."""
    monkeypatch.setenv("http_proxy", server.url)
    with AuthClient("http://heartbeat.example", allow_insecure_http=True) as client:
        yield client


@pytest.mark.parametrize("host", OF_EACH_MACHINE)
def test_a_server_elsewhere_may_not_name_it(remote: AuthClient, service: SignInService, host: str) -> None:
    service.session["server_ip"] = host
    failure = failure_of(lambda: remote.sign_in(CREDENTIALS))
    assert (failure.kind, failure.field) == (FailureKind.INVALID_FIELD, "server_ip")
    assert "to which no server elsewhere may send an agent" in str(failure)


@pytest.mark.parametrize("host", ANYWHERE)
def test_a_server_elsewhere_may_name_it(remote: AuthClient, service: SignInService, host: str) -> None:
    service.session["server_ip"] = host
    session = remote.sign_in(CREDENTIALS)
    assert session.host == host
    assert not session.any_address


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "heartbeat.example"])
def test_a_server_of_this_machine_may_name_this_machine(client: AuthClient, service: SignInService, host: str) -> None:
    service.session["server_ip"] = host
    session = client.sign_in(CREDENTIALS)
    assert session.host == host
    assert session.any_address


def test_a_name_of_this_machine(server: Server, service: SignInService, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a file of hosts: what counts is where the answer comes from, not how the URL writes that."""
    really = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: really("127.0.0.1", *rest, **more))
    port = server.server_address[1]
    with AuthClient(f"http://heartbeat.test:{port}", allow_insecure_http=True) as client:
        assert client.sign_in(CREDENTIALS).any_address


class Named:
    """Signs in at once, with a session of a host."""

    def __init__(self, host: str, port: int, any_address: bool) -> None:
        self.session = Session(host, port, 7, "token", any_address)

    def sign_in(self, abandonment: object) -> Session:
        return self.session

    def sign_out(self, session: Session) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.settimeout(5)
        yield opened


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of every host; nobody is asked."""
    addresses: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return addresses


@pytest.mark.parametrize("host", ["heartbeat.example", "127.0.0.1"])
def test_the_edge_sends_nothing_to_this_machine_for_a_server_elsewhere(
    host: str, resolved: list[str], listener: socket.socket
) -> None:
    resolved[:] = ["127.0.0.1", "::1"]
    authenticator = Named(host, listener.getsockname()[1], any_address=False)
    with Connection(AGENT, authenticator=authenticator, config=CALM) as connection:
        until(lambda: "to which no server elsewhere may send an agent" in str(connection.health()))
        assert connection.state is not State.ONLINE
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(2048)


def test_the_edge_takes_the_addresses_that_are_left() -> None:
    found = ["224.0.0.1", "192.0.2.1", "127.0.0.1", "2001:db8::1"]
    assert permitted(Session("heartbeat.example", 1, 7, "token", any_address=False), found) == [found[1], found[3]]
    assert permitted(Session("heartbeat.example", 1, 7, "token"), found) == found
