"""The threaded face, on real sockets: going online, staying so, coming back."""

import asyncio
import sys
import threading
from dataclasses import replace

import pytest

from agentcp_fsm import Config, Invitation, State, WireError
from tests.connection.peer import FAST, INVITATION, PATIENT, Peer, connect, nothing_left
from tests.waiting import until


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_goes_online_beats_steadily_and_leaves_nothing(host: str) -> None:
    with Peer(host=host) as peer, nothing_left():
        connection = connect(peer)
        assert connection.state is State.OFFLINE
        connection.start()
        assert connection.wait_for(State.ONLINE, timeout=10)
        peer.wait(lambda: peer.heartbeats >= 5)
        health = connection.health()
        assert health.reachable
        assert health.interval == 0.05
        assert health.server == f"{host}:{peer.socket.getsockname()[1]}"
        assert health.statistics.attempts == 1
        assert connection.stop()
        assert connection.state is State.OFFLINE
        assert peer.sign_outs == 1


def name_host(peer: Peer, host: str) -> None:
    """Have the peer's sessions name this host, in place of an address."""
    real = peer.sign_in
    peer.sign_in = lambda abandoned: replace(real(abandoned), host=host)  # type: ignore[method-assign]


def test_a_host_name_is_resolved_away_from_the_loop() -> None:
    with Peer() as peer:
        name_host(peer, "localhost")
        with connect(peer) as connection:
            assert connection.wait_for(State.ONLINE, timeout=10)


def test_a_name_that_nobody_has_is_a_failed_attempt_that_says_so() -> None:
    with Peer() as peer:
        name_host(peer, "no such host.invalid")
        with connect(peer) as connection:
            assert connection.wait_for(State.BACKOFF, timeout=10)
            assert "no such host.invalid" in connection.health().reason


def test_invitations_are_answered_and_delivered_once_each() -> None:
    patient = replace(FAST, invitation_window=60.0)  # three invitations may take longer than the window of a fast one
    with Peer() as peer, connect(peer, config=patient) as connection:
        delivered: list[Invitation] = []
        arrived = threading.Semaphore(0)

        @connection.on_invite
        def take(invitation: Invitation) -> None:
            delivered.append(invitation)
            arrived.release()

        assert connection.wait_for(State.ONLINE, timeout=10)
        for _ in range(3):
            peer.invite(connection.agent_id)
        peer.wait(lambda: len(peer.answered) == 3)
        assert arrived.acquire(timeout=10)
        assert delivered == [INVITATION]
        assert {answer.session_id for answer in peer.answered} == {INVITATION.session_id}
        assert [answer.sequence for answer in peer.answered] == sorted({answer.sequence for answer in peer.answered})


def test_a_401_leads_to_a_new_sign_in_and_the_new_address() -> None:
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        first = connection.health().server
        peer.refuse = True  # until it has moved
        peer.next_beat = 401
        assert connection.wait_for(State.BACKOFF, timeout=10)
        peer.next_beat = 50
        peer.move()
        peer.refuse = False
        host, port = peer.socket.getsockname()
        assert f"{host}:{port}" != first
        until(lambda: connection.health().server == f"{host}:{port}" and connection.state is State.ONLINE)
        assert connection.health().statistics.losses >= 1


def test_a_sign_in_that_fails_is_tried_again_and_a_rejection_reported() -> None:
    errors: list[str] = []
    with Peer() as peer:
        peer.refuse = True
        connection = connect(peer)
        connection.on_error(errors.append)
        with connection:
            peer.wait(lambda: True)
            assert connection.wait_for(State.BACKOFF, timeout=10)
            assert "not today" in connection.health().reason
            assert errors == []
            peer.refuse = False
            assert connection.wait_for(State.ONLINE, timeout=10)


def test_a_limit_of_attempts_ends_in_offline_with_an_error() -> None:
    errors: list[str] = []
    told = threading.Event()
    with Peer() as peer, nothing_left():
        peer.refuse = True
        config = Config(backoff_initial=0.01, backoff_max=0.02, sign_in_interval_min=0, sign_in_attempt_limit=3)
        connection = connect(peer, config=config)
        connection.on_error(errors.append)
        connection.on_error(lambda reason: told.set())
        connection.start()
        assert told.wait(10)
        assert connection.wait_for(State.OFFLINE, timeout=10)
        assert errors == ["gave up after 3 attempts: not today"]
        assert peer.sign_ins == 3


def test_reconnect_and_retry_now() -> None:
    with Peer() as peer:
        connection = connect(peer)
        connection.reconnect()  # not started: nothing happens
        connection.retry_now()
        with connection:
            assert connection.wait_for(State.ONLINE, timeout=10)
            connection.reconnect()
            peer.wait(lambda: peer.sign_ins == 2)
            assert connection.wait_for(State.ONLINE, timeout=10)


def test_many_connections_share_one_loop() -> None:
    with Peer() as peer, nothing_left():
        connections = [connect(peer, f"agent{number}.agentid.pub") for number in range(50)]
        for connection in connections:
            connection.start()
        for connection in connections:
            assert connection.wait_for(State.ONLINE, timeout=10)
        assert len([thread for thread in threading.enumerate() if thread.name == "agentcp-loop"]) == 1
        for connection in connections:
            assert connection.stop()


def test_an_application_s_own_policy_of_loops_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy may make loops that run in the main thread only, as those of windows do."""

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            raise LookupError("there is no window")

    monkeypatch.setitem(sys.modules, "uvloop", None)
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(Policy())
    try:
        with Peer() as peer, connect(peer) as connection:
            assert connection.wait_for(State.ONLINE, timeout=10)
    finally:
        asyncio.set_event_loop_policy(before)


def test_an_agent_id_that_no_datagram_carries_is_refused() -> None:
    with Peer() as peer, pytest.raises(WireError, match="agent_id"):
        connect(peer, "x" * 2000)
