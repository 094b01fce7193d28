"""What the faults do to datagrams."""

import time
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.server import Direction, Faults, Limits, ServerThread, Stranger, Unauthorized
from agentcp_fsm.wire import UNAUTHORIZED, HeartbeatResponse, InviteRequest, NextBeatEncoding
from tests.server.client import ALICE, INVITATION, PATIENCE, Client
from tests.waiting import until

PROPERTY = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])


# Datagrams ------------------------------------------------------------------------------------------------------------


def test_all_requests_are_dropped(server: ServerThread, agent: Client) -> None:
    server.set_faults(drop=1.0, direction=Direction.REQUESTS)
    agent.beat()
    until(lambda: server.statistics().dropped == 1)
    assert agent.hears_nothing()
    assert server.statistics().heartbeats == 0
    server.clear_faults()
    assert agent.next_beat() == 7000


def test_all_answers_are_dropped(server: ServerThread, agent: Client) -> None:
    server.set_faults(drop=1.0, direction=Direction.ANSWERS)
    agent.beat()
    until(lambda: server.statistics().dropped == 1)
    assert agent.hears_nothing()
    assert server.statistics().heartbeats == 1


def test_an_outage_loses_both_ways(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    server.set_faults(drop=1.0)
    agent.beat()
    until(lambda: server.statistics().dropped == 1)
    with pytest.raises(TimeoutError):
        server.invite(ALICE, INVITATION, timeout=0)
    assert server.statistics().dropped == 2
    assert agent.hears_nothing()


def test_a_share_is_dropped() -> None:
    with ServerThread(rng=Random(1)) as server, Client(server) as agent:
        agent.sign_in()
        server.set_faults(drop=0.5, direction=Direction.REQUESTS)
        for _ in range(100):
            agent.beat()
        until(lambda: server.statistics().datagrams == 100)
        counted = server.statistics()
    expected = Random(1)
    assert counted.dropped == sum(expected.random() < 0.5 for _ in range(100))
    assert counted.heartbeats == 100 - counted.dropped


def test_silence(server: ServerThread, agent: Client) -> None:
    server.set_faults(silent=True)
    agent.beat()
    until(lambda: server.statistics().heartbeats == 1)
    with pytest.raises(TimeoutError):
        server.invite(ALICE, INVITATION, timeout=0)
    assert agent.hears_nothing()
    assert server.statistics().dropped == 2
    agent.sign_in()


def test_delay(server: ServerThread, agent: Client) -> None:
    server.set_faults(delay=0.2)
    begun = time.monotonic()
    assert agent.next_beat() == 7000
    assert time.monotonic() - begun >= 0.2


def test_delayed_datagrams_are_bounded() -> None:
    with ServerThread(limits=Limits(delayed_datagrams=3)) as server, Client(server) as agent:
        agent.sign_in()
        server.set_faults(delay=0.1)
        for _ in range(5):
            agent.beat()
        until(lambda: server.statistics().heartbeats == 5)
        assert server.statistics().dropped == 2
        assert [agent.receive() for _ in range(3)] == [HeartbeatResponse(n, 5000) for n in (1, 2, 3)]
        assert agent.next_beat() == 5000, "there is room again"


def test_delayed_datagrams_do_not_outlive_the_server(agent: Client, server: ServerThread) -> None:
    server.set_faults(delay=3600.0)
    agent.beat()
    until(lambda: server.statistics().heartbeats == 1)
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < PATIENCE


def test_delayed_datagrams_do_not_outlive_their_port(server: ServerThread, agent: Client) -> None:
    server.set_faults(delay=0.05)
    agent.beat()
    until(lambda: server.statistics().heartbeats == 1)
    agent.server_address = server.move()
    agent.sequence = 5
    assert agent.next_beat() == 7000, "it comes after the one that was never sent"
    assert server.statistics().socket_errors == 0


def test_copies(server: ServerThread, agent: Client) -> None:
    server.set_faults(copies=3)
    agent.beat()
    assert [agent.receive() for _ in range(3)] == [HeartbeatResponse(1, 7000)] * 3
    assert agent.hears_nothing()
    assert server.statistics().answers == 1


def test_401_once(server: ServerThread, agent: Client) -> None:
    server.set_faults(unauthorized=Unauthorized.ONCE, copies=2)
    assert agent.next_beat() == UNAUTHORIZED
    agent.receive()
    assert server.server.faults == Faults(copies=2)
    assert agent.next_beat() == 7000
    assert server.statistics().unauthorized == 1


def test_401_always(server: ServerThread, agent: Client) -> None:
    server.set_faults(unauthorized=Unauthorized.ON)
    assert [agent.next_beat(), agent.next_beat()] == [UNAUTHORIZED, UNAUTHORIZED]
    agent.sign_in()
    assert agent.next_beat() == UNAUTHORIZED
    server.clear_faults()
    assert agent.next_beat() == 7000


def source_of_answer(agent: Client) -> Any:
    agent.beat()
    data, source = agent.udp.recvfrom(2048)
    assert agent.codec.decode(data) == HeartbeatResponse(agent.sequence, 7000)
    return source


def test_answers_from_another_port(server: ServerThread, agent: Client) -> None:
    assert source_of_answer(agent) == server.udp_address
    server.set_faults(stranger=Stranger.ON)
    host, port = source_of_answer(agent)
    assert (host, port != server.udp_address[1]) == ("127.0.0.1", True)
    agent.udp.sendto(b"hello, stranger", (host, port))
    until(lambda: server.statistics().unexpected == 1)
    server.clear_faults()
    assert source_of_answer(agent) == server.udp_address


def test_answers_from_another_address(server: ServerThread, agent: Client) -> None:
    server.set_faults(stranger=Stranger.ADDRESS)
    assert source_of_answer(agent) == ("127.0.0.2", server.udp_address[1])
    server.set_faults(stranger=Stranger.ON)
    assert source_of_answer(agent)[0] == "127.0.0.1"
    server.clear_faults()
    assert source_of_answer(agent) == server.udp_address


def test_another_address_needs_loopback() -> None:
    with ServerThread("::1") as server:
        with pytest.raises(ConfigError, match="stranger"):
            server.set_faults(stranger=Stranger.ADDRESS)
        assert server.faults == Faults()
        server.set_faults(stranger=Stranger.ON)


@PROPERTY
@given(next_beat=st.integers(0, 2**64 - 1))
def test_any_next_beat(shared: ServerThread, next_beat: int) -> None:
    with Client(shared) as agent:
        agent.sign_in()
        shared.set_faults(next_beat=next_beat)
        try:
            assert agent.next_beat() == next_beat
        finally:
            shared.clear_faults()


@PROPERTY
@given(next_beat=st.integers(0, 2**49 - 1))
def test_next_beat_as_a_varint(shared: ServerThread, next_beat: int) -> None:
    with Client(shared) as agent:
        agent.sign_in()
        shared.set_faults(next_beat=next_beat, encoding=NextBeatEncoding.VARINT)
        try:
            agent.beat()
            data = agent.udp.recv(2048)
        finally:
            shared.clear_faults()
    assert agent.codec.decode(data) == HeartbeatResponse(1, next_beat)
    header = 6
    assert len(data) - header == max(1, -(-next_beat.bit_length() // 7))


def test_401_as_a_varint(server: ServerThread, agent: Client) -> None:
    server.set_faults(encoding=NextBeatEncoding.VARINT, unauthorized=Unauthorized.ON)
    agent.beat()
    assert agent.udp.recv(2048).endswith(b"\x91\x03")


def test_401_as_next_beat_counts_as_one(server: ServerThread, agent: Client) -> None:
    server.set_faults(next_beat=401)
    agent.next_beat()
    assert server.statistics().unauthorized == 1


def test_faults_hold_for_invitations_too(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    server.set_faults(copies=2, delay=0.05, stranger=Stranger.ON)
    with pytest.raises(TimeoutError):
        server.invite(ALICE, INVITATION, timeout=0)
    for _ in range(2):
        data, source = agent.udp.recvfrom(2048)
        assert agent.codec.decode(data) == InviteRequest(1, INVITATION)
        assert source != server.udp_address
