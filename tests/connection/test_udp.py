"""What becomes of the socket: closed, replaced, shut down or made to block by somebody; strangers and noise."""

import asyncio
import logging
import os
import socket
from dataclasses import replace
from typing import Any

import pytest

from agentcp_fsm import Connection, State
from agentcp_fsm.connection import hub
from tests.connection.peer import PATIENT, Peer, connect
from tests.needs import needs_posix
from tests.waiting import until


def descriptor(connection: Connection) -> int:
    number = connection.fileno()
    assert number is not None
    return number


def test_a_closed_descriptor_is_noticed_and_replaced() -> None:
    needs_posix("a socket's number is a descriptor")
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        os.close(descriptor(connection))
        peer.wait(lambda: peer.sign_ins == 2)
        assert connection.wait_for(State.ONLINE, timeout=10)


def test_a_descriptor_that_became_somebody_elses_is_not_closed() -> None:
    needs_posix("a socket's number is a descriptor")
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        number = descriptor(connection)
        reader, writer = os.pipe()
        os.dup2(writer, number)
        os.close(writer)
        peer.wait(lambda: peer.sign_ins == 2)
        assert connection.wait_for(State.ONLINE, timeout=10)
        os.write(number, b"still open")
        assert os.read(reader, 100) == b"still open"
        os.close(number)
        os.close(reader)


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR])
def test_a_socket_that_somebody_shut_down_is_replaced(how: int) -> None:
    """One that receives no more is always readable: it kept a processor busy for as long as answers still came."""
    needs_posix("a socket's number is a descriptor")
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        with socket.socket(fileno=os.dup(descriptor(connection))) as duplicate:
            duplicate.shutdown(how)
            peer.wait(lambda: peer.sign_ins == 2)
            assert connection.wait_for(State.ONLINE, timeout=10)


def test_a_socket_that_somebody_made_block_blocks_nothing() -> None:
    """It did: once another had read what there was to read, the loop waited for ever, and so did stop."""
    needs_posix("a socket's number is a descriptor")
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        with socket.socket(fileno=os.dup(descriptor(connection))) as duplicate:
            duplicate.setblocking(True)
            driver = connection._attachment.driver
            assert driver.lease is not None
            peer.next_beat = -1
            for _ in range(3):  # of which one at least finds nothing
                driver.lease.hub.post(driver._readable)
            peer.wait(lambda: peer.sign_ins == 2)


def test_an_empty_datagram_is_malformed_and_no_end() -> None:
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        peer.send(connection.agent_id, b"")
        until(lambda: connection.health().statistics.malformed == 1)
        seen = peer.heartbeats
        peer.wait(lambda: peer.heartbeats > seen + 3)
        assert peer.sign_ins == 1


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_socket_is_read_on_after_an_error(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """uvloop reads a socket no more that had an error: the connection was deaf until lost by silence."""
    if loop == "asyncio":
        monkeypatch.setattr(hub, "new_event_loop", asyncio.new_event_loop)
    config = replace(PATIENT, receive_failure_limit=1000, send_failure_limit=1000)
    with Peer() as peer, connect(peer, config=config) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        with peer.gone():
            until(lambda: connection.health().statistics.receive_failures >= 2)
        assert connection.wait_for(State.ONLINE, timeout=10)
        assert connection.health().statistics.losses == 0


def test_strangers_are_not_heard() -> None:
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        address: Any = peer.clients[connection.agent_id]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(50):
                stranger.sendto(bytes.fromhex("0002010200080000000000000191"), address)
        seen = peer.heartbeats
        peer.wait(lambda: peer.heartbeats > seen + 3)
        assert peer.sign_ins == 1
        assert connection.health().statistics.malformed == 0


def test_malformed_datagrams_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with Peer() as peer, connect(peer) as connection, caplog.at_level(logging.WARNING):
        assert connection.wait_for(State.ONLINE, timeout=10)
        for size in (0, 1, 5, 100, 1537, 3000):
            peer.send(connection.agent_id, b"\xff" * size)
        seen = peer.heartbeats
        peer.wait(lambda: peer.heartbeats > seen + 3)
        assert connection.state is State.ONLINE
        assert connection.health().statistics.malformed == 6
        assert len([record for record in caplog.records if "malformed" in record.message]) == 1
