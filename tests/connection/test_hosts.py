"""The server's host: names whose look-up hangs, several addresses, IPv6 addresses of one link."""

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from agentcp_fsm import Connection, Session, State
from agentcp_fsm.connection.addresses import Addresses
from agentcp_fsm.connection.udp import UdpSocket
from agentcp_fsm.support import lookups
from tests.connection.peer import FAST, PATIENT, Peer, connect
from tests.waiting import online, until

NOBODY = "127.0.0.9"
NAME = "server.example"


@dataclass
class Names:
    """Takes the place of the system's resolver, called as the standard library's is by position."""

    known: dict[str, list[str]] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)

    def __call__(self, host: str, port: int, family: int = 0, kind: int = 0, proto: int = 0, flags: int = 0, /) -> Any:
        if host.endswith("slow.example"):
            self.released.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "later")
        return [(socket.AF_INET, kind, 0, "", (address, port)) for address in self.known.get(host, [host])]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    yield names
    names.released.set()


@dataclass
class Elsewhere:
    """Signs in at a host of the test's choice."""

    host: str
    port: int = 1000
    leave: Callable[[], object] = bool
    sign_ins: int = 0

    def sign_in(self, abandoned: object) -> Session:
        self.sign_ins += 1
        return Session(self.host, self.port, 7, "token")

    def sign_out(self, session: Session) -> None:
        self.leave()


def stop_all(connections: list[Connection]) -> None:
    threads = [threading.Thread(target=connection.stop) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)


@pytest.mark.parametrize("count", [1, 80])
def test_hosts_whose_look_up_hangs_cost_no_other_connection_its_turn(names: Names, count: int) -> None:
    """They held all places of the pool, and a connection to an address waited for ever."""
    config = replace(FAST, socket_timeout=0.3)
    hung = [
        Connection(f"a{number}.agentid.pub", authenticator=Elsewhere(f"h{number}.slow.example"), config=config)
        for number in range(count)
    ]
    with Peer() as peer, connect(peer, config=PATIENT) as first:
        online(first)
        for connection in hung:
            connection.start()
        until(lambda: len(lookups._open) == count)
        with connect(peer, "bob.agentid.pub", PATIENT) as other:
            online(other)
        for connection in hung:  # in its time
            assert connection.wait_for(State.BACKOFF, timeout=10)
        stop_all(hung)
    names.released.set()


def test_sign_outs_that_hang_cost_no_other_connection_its_turn() -> None:
    released = threading.Event()
    with Peer() as peer, connect(peer, "keep.agentid.pub", replace(PATIENT, blocking_calls_max=4)) as keep:
        online(keep)
        keep._attachment.driver.lease.hub.pool._limit = 4  # type: ignore[union-attr]  # whatever other tests allowed
        port = peer.socket.getsockname()[1]
        leaving = [
            Connection(
                f"a{number}.agentid.pub",
                authenticator=Elsewhere("127.0.0.1", port, lambda: released.wait(30)),
                config=replace(PATIENT, sign_out_timeout=0.2, blocking_calls_max=4),
            )
            for number in range(8)
        ]
        for connection in leaving:
            connection.start()
        for connection in leaving:
            online(connection)
        stop_all(leaving)
        before = time.monotonic()
        with connect(peer, "bob.agentid.pub", replace(PATIENT, blocking_calls_max=4)) as other:
            online(other)
        assert time.monotonic() - before < 10
        released.set()


def test_the_next_address_is_tried_within_the_attempt_and_the_good_one_remembered(names: Names) -> None:
    """UDP connects to an address where nobody is; only the first one of a host was ever tried."""
    with Peer() as peer, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        port = peer.socket.getsockname()[1]
        silent.bind((NOBODY, port))
        silent.settimeout(0)
        names.known[NAME] = [NOBODY, "127.0.0.1"]
        config = replace(FAST, probe_interval=0.2)
        elsewhere = Elsewhere(NAME, port)
        connection = Connection("alice.agentid.pub", authenticator=elsewhere, config=config)
        with connection:
            online(connection)
            assert elsewhere.sign_ins == 1
            assert silent.recv(2048)
            connection.reconnect()
            until(lambda: elsewhere.sign_ins == 2)
            online(connection)
            with pytest.raises(BlockingIOError):
                silent.recv(2048)


def test_more_addresses_than_an_attempt_has_heartbeats_for(names: Names) -> None:
    with Peer() as peer:
        port = peer.socket.getsockname()[1]
        names.known[NAME] = [f"127.0.0.{number}" for number in range(11, 18)] + ["127.0.0.1"]
        connection = Connection("alice.agentid.pub", authenticator=Elsewhere(NAME, port), config=FAST)
        with connection:
            online(connection)


def test_the_order_of_addresses() -> None:
    def found(*addresses: str) -> Any:
        return [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", (address, 1)) for address in addresses]

    def opened(socket: UdpSocket) -> str:
        peer = socket._socket.getpeername()[0]
        socket.close()
        return str(peer)

    session = Session(NAME, 1, 7, "token")
    addresses = Addresses()
    assert opened(addresses.begin(session, found("127.0.0.1", "127.0.0.2", "127.0.0.3"))) == "127.0.0.1"
    assert addresses.is_unproven
    assert opened(addresses.open_next()) == "127.0.0.2"
    addresses.answered()
    assert not addresses.is_unproven
    # The same ones in another order, as servers of names turn them.
    assert opened(addresses.begin(session, found("127.0.0.3", "127.0.0.1", "127.0.0.2"))) == "127.0.0.2"
    assert opened(addresses.open_next()) == "127.0.0.3"
    assert opened(addresses.begin(session, found("127.0.0.1", "127.0.0.2", "127.0.0.3"))) == "127.0.0.1"
    assert opened(addresses.begin(session, found("127.0.0.4", "127.0.0.2"))) == "127.0.0.2"
    assert opened(addresses.begin(session, found("127.0.0.5"))) == "127.0.0.5"
    assert not addresses.is_unproven
    with pytest.raises(OSError, match="no address"):
        addresses.begin(session, [])


def test_an_address_of_one_link_keeps_its_interface() -> None:
    """It was lost on the way from the look-up to the socket, and the system cannot send without."""
    found = [
        (socket.AF_INET6, socket.SOCK_DGRAM, 0, "", ("fe80::1", 5000, 0, 7)),
        (socket.AF_INET6, socket.SOCK_DGRAM, 0, "", ("fe80::1%eth0", 5000, 0, 7)),
        (socket.AF_INET6, socket.SOCK_DGRAM, 0, "", ("2001:db8::1", 5000, 0, 0)),
        (socket.AF_INET, socket.SOCK_DGRAM, 0, "", ("192.0.2.1", 5000)),
    ]
    assert lookups.addresses_of(found) == ("fe80::1%7", "2001:db8::1", "192.0.2.1")
    for address, failure in (
        ("fe80::1", errno.EINVAL),
        (f"fe80::1%{socket.if_nametoindex('lo')}", errno.ENETUNREACH),  # the interface is known, and leads nowhere
    ):
        with pytest.raises(OSError) as raised:  # noqa: PT011 - its number is what matters
            UdpSocket(address, 5000)
        assert raised.value.errno == failure


def test_an_address_of_one_link_may_be_given_with_the_name_of_its_interface() -> None:
    found = socket.getaddrinfo("fe80::1%lo", 5000, 0, socket.SOCK_DGRAM)
    assert lookups.addresses_of(found) == (f"fe80::1%{socket.if_nametoindex('lo')}",)
