"""The SDK's methods, against the reference server."""

import asyncio
import logging
import os
import queue
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcp_fsm import (
    AsyncConnection,
    ConfigError,
    Connection,
    ConnectionStateError,
    Credentials,
    CredentialsError,
    Invitation,
    Session,
    State,
)
from agentcp_fsm.sdk import HeartbeatClient
from agentcp_fsm.sdk import client as client_module
from agentcp_fsm.server import ServerThread, SignInFault
from agentcp_fsm.support.abandonment import Abandonment
from tests.connection.peer import Peer, nothing_left
from tests.sdk.conftest import ALICE, BOUND, FAST, PASSWORD
from tests.waiting import online, until


def invitation(number: int = 1) -> Invitation:
    return Invitation("bob.agentid.pub", "CODE", -number, f"session-{number}", "wss://msg.agentid.pub")


@contextmanager
def made(server: ServerThread, certificates: str) -> Iterator[HeartbeatClient]:
    client = HeartbeatClient(ALICE, server.url, certificates, PASSWORD, config=FAST)
    try:
        yield client
    finally:
        client.offline()


@pytest.fixture
def client(server: ServerThread, certificates: str) -> Iterator[HeartbeatClient]:
    with made(server, certificates) as client:
        yield client


def test_it_is_used_as_the_sdk_uses_its_own(server: ServerThread, certificates: str) -> None:
    received: queue.Queue[Any] = queue.Queue()
    with nothing_left():
        client = HeartbeatClient(ALICE, server.url, certificates, PASSWORD, config=FAST)
        assert (client.agent_id, client.server_url, client.is_running) == (ALICE, server.url, False)
        client.initialize()
        assert client.connection.health().reachable
        thread = threading.Thread(target=client.online)
        thread.start()
        client.set_on_recv_invite(received.put)
        thread.join(BOUND)
        assert client.is_running
        server.invite(ALICE, invitation(7))
        message = received.get(timeout=BOUND)
        assert message.InviterAgentId == "bob.agentid.pub"
        assert message.InviteCode == "CODE"
        assert message.InviteCodeExpire == -7
        assert message.SessionId == "session-7"
        assert message.MessageServer == "wss://msg.agentid.pub"
        assert message.header.MessageType == 259
        client.offline()
        client.sign_out()
        assert not client.is_running
        assert client.connection.state is State.OFFLINE
    assert (server.statistics().sign_ins, server.statistics().sign_outs) == (1, 1)


def test_offline_and_online_again_and_again_leave_nothing(server: ServerThread, certificates: str) -> None:
    with nothing_left():
        client = HeartbeatClient(ALICE, server.url, certificates, PASSWORD, config=FAST)
        for _ in range(20):
            client.online()
            assert client.sign_in()
            client.offline()
            client.sign_out()
    assert (server.statistics().sign_ins, server.statistics().sign_outs) == (20, 20)


@pytest.mark.parametrize("name", ["offline", "sign_out"])
def test_each_way_out_signs_out_and_may_be_taken_without_a_way_in(
    server: ServerThread, client: HeartbeatClient, name: str
) -> None:
    leave = getattr(client, name)
    leave()
    assert client.sign_in()
    leave()
    leave()
    assert client.connection.state is State.OFFLINE
    assert server.statistics().sign_outs == 1


# Invitations ---------------------------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(before=st.integers(0, 3), after=st.integers(0, 3))
def test_invitations_that_come_before_the_listener_are_delivered_in_order(
    certificates: str, before: int, after: int
) -> None:
    received: queue.Queue[Any] = queue.Queue()
    with ServerThread(next_beat=0.05) as server, made(server, certificates) as client:
        assert client.sign_in()
        for number in range(before):
            server.invite(ALICE, invitation(number))  # returns when it is answered, which needs no listener
        assert received.empty()
        client.set_on_recv_invite(received.put)
        for number in range(before, before + after):
            server.invite(ALICE, invitation(number))
        sessions = [received.get(timeout=BOUND).SessionId for _ in range(before + after)]
    assert sessions == [f"session-{number}" for number in range(before + after)]
    assert received.empty()


def test_the_latest_invitations_are_kept_while_nobody_listens(
    server: ServerThread, client: HeartbeatClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "INVITATION_LIMIT", 2)
    transitions: queue.Queue[str] = queue.Queue()
    client.connection.on_transition(lambda transition: transitions.put(transition.dest))
    assert client.sign_in()
    for number in range(3):
        server.invite(ALICE, invitation(number))
    client.offline()
    assert "OFFLINE" in iter(lambda: transitions.get(timeout=BOUND), None)  # nor do they hold up other handlers
    assert caplog.text.count("bob.agentid.pub found no listener") == 1
    received: queue.Queue[Any] = queue.Queue()
    client.set_on_recv_invite(received.put)
    assert [received.get(timeout=BOUND).SessionId for _ in range(2)] == ["session-1", "session-2"]
    assert received.empty()


def in_a_listener(server: ServerThread, client: HeartbeatClient) -> threading.Event:
    """The client is online, and its listener is at an invitation until the event that is returned is set."""
    called, released = threading.Event(), threading.Event()

    def listener(message: Any) -> None:
        called.set()
        released.wait(BOUND)

    client.set_on_recv_invite(listener)
    assert client.sign_in()
    server.invite(ALICE, invitation(1))
    assert called.wait(BOUND)
    return released


def test_a_listener_that_does_not_return_holds_nothing_up(server: ServerThread, client: HeartbeatClient) -> None:
    released = in_a_listener(server, client)
    server.invite(ALICE, invitation(2))  # returns when it is answered
    heartbeats = server.statistics().heartbeats
    until(lambda: server.statistics().heartbeats > heartbeats + 2)
    client.offline()
    assert client.connection.state is State.OFFLINE
    assert not released.is_set()
    released.set()


def test_a_listener_may_raise_and_may_go_offline(
    server: ServerThread, client: HeartbeatClient, caplog: pytest.LogCaptureFixture
) -> None:
    left = threading.Event()

    def listener(message: Any) -> None:
        if message.SessionId == "session-1":
            raise RuntimeError("the application's own")
        client.offline()
        left.set()

    client.set_on_recv_invite(listener)
    assert client.sign_in()
    server.invite(ALICE, invitation(1))
    server.invite(ALICE, invitation(2))
    assert left.wait(BOUND)
    assert client.connection.state is State.OFFLINE
    assert "the application's own" in caplog.text


def test_a_child_forked_while_a_listener_runs_is_told_of_its_own_invitations(
    server: ServerThread, client: HeartbeatClient
) -> None:
    """It was not: they waited for the parent's thread."""
    released = in_a_listener(server, client)
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            assert not client.is_running
            client.set_on_recv_invite(lambda message: os.write(told, message.SessionId.encode()))
            client.sign_in()
            os.write(told, b"online;")
            threading.Event().wait(BOUND)
        finally:
            os._exit(1)
    try:
        os.close(told)
        assert client.is_running
        assert os.read(heard, 100) == b"online;"
        for number in range(2, 60):  # one goes to whichever of the two sent the latest heartbeat
            server.invite(ALICE, invitation(number))
            if select.select([heard], [], [], 0.05)[0]:
                break
        assert os.read(heard, 100).startswith(b"session-")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(heard)
        released.set()


# When things go wrong ------------------------------------------------------------------------------------------------


def test_a_sign_in_that_fails_says_so_and_the_connection_keeps_trying(
    server: ServerThread, certificates: str, caplog: pytest.LogCaptureFixture
) -> None:
    impatient = replace(FAST, sign_in_timeout=1.0, socket_timeout=0.1, probe_interval=0.1)
    client = HeartbeatClient(ALICE, server.url, certificates, PASSWORD, config=impatient)
    server.set_faults(sign_in=SignInFault.STATUS, status=503)
    assert client.sign_in() is False
    assert "the last failure: The sign-in failed" in caplog.text
    assert "503" in caplog.text
    assert client.is_running
    server.clear_faults()
    online(client.connection)
    client.offline()


def test_a_sign_in_that_hangs_ends_with_going_offline(server: ServerThread, client: HeartbeatClient) -> None:
    server.set_faults(sign_in=SignInFault.HANG)
    outcome: queue.Queue[bool] = queue.Queue()
    thread = threading.Thread(target=lambda: outcome.put(client.sign_in()))
    thread.start()
    assert client.connection.wait_for(State.SIGNING_IN, timeout=BOUND)
    client.offline()
    assert outcome.get(timeout=BOUND) is False
    thread.join(BOUND)
    assert client.connection.state is State.OFFLINE


def test_it_comes_back_after_a_restart_of_the_server(server: ServerThread, client: HeartbeatClient) -> None:
    assert client.sign_in()
    server.restart()
    until(lambda: server.statistics().sign_ins == 2)
    assert client.sign_in()
    assert server.statistics().sign_ins == 2


def test_what_cannot_work_is_refused_at_once(certificates: str, tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="password"):
        HeartbeatClient(ALICE, "http://127.0.0.1:1", certificates, "another")
    with pytest.raises(CredentialsError, match="does not exist"):
        HeartbeatClient(ALICE, "http://127.0.0.1:1", tmp_path, PASSWORD)
    with pytest.raises(ConfigError, match="allow_insecure_http"):
        HeartbeatClient(ALICE, "http://heartbeat.example", certificates, PASSWORD)


def test_plain_http_can_be_allowed(server: ServerThread, certificates: str) -> None:
    HeartbeatClient(ALICE, "http://heartbeat.example", certificates, PASSWORD, allow_insecure_http=True)
    with nothing_left():
        client = HeartbeatClient(ALICE, server.url, certificates, PASSWORD, config=FAST, allow_insecure_http=True)
        for _ in range(2):
            assert client.sign_in()
            client.offline()


# Questions -----------------------------------------------------------------------------------------------------------


def test_the_online_status_is_the_servers(
    server: ServerThread, client: HeartbeatClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.get_online_status([ALICE]) == []
    assert "no session" in caplog.text
    assert client.sign_in()
    assert client.get_online_status([ALICE, "bob.agentid.pub"]) == [
        {"agent_id": ALICE, "online": True},
        {"agent_id": "bob.agentid.pub", "online": False},
    ]
    for wrong in (ALICE, None, [1]):
        caplog.clear()
        assert client.get_online_status(wrong) == []  # type: ignore[arg-type]
        assert "no list of agent ids" in caplog.text


def test_a_question_that_fails_is_answered_by_an_empty_list(
    certificates: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ServerThread(next_beat=60.0) as server, made(server, certificates) as client:
        assert client.sign_in()
        server.restart()  # the session is forgotten, of which the connection hears with its next heartbeat
        assert client.get_online_status([ALICE]) == []
        assert "online status" in caplog.text


def test_both_faces_ask_in_their_session(server: ServerThread, data: Path) -> None:
    credentials = Credentials.load(data, ALICE, PASSWORD)

    async def main() -> list[Any]:
        async with AsyncConnection(ALICE, server.url, credentials=credentials, config=FAST) as connection:
            assert await connection.wait_for(State.ONLINE, timeout=BOUND)
            return await connection.query_online_state([ALICE])

    assert asyncio.run(main()) == [{"agent_id": ALICE, "online": True}]
    with Connection(ALICE, server.url, credentials=credentials, config=FAST) as connection:
        online(connection)
        assert connection.query_online_state([ALICE]) == [{"agent_id": ALICE, "online": True}]
    with pytest.raises(ConnectionStateError, match="OFFLINE"):
        connection.query_online_state([ALICE])


def test_a_question_that_is_cancelled_leaves_no_thread_waiting() -> None:
    asked, answer = threading.Event(), threading.Event()

    class Slow:
        """Signs in at a peer, and answers a question when it is abandoned."""

        def __init__(self, peer: Peer) -> None:
            self.sign_in, self.sign_out = peer.sign_in, peer.sign_out

        def query_online_state(self, session: Session, agents: list[str], abandonment: Abandonment) -> list[Any]:
            asked.set()
            deadline = time.monotonic() + BOUND
            while not abandonment.abandoned and time.monotonic() < deadline:
                time.sleep(0.001)
            if abandonment.abandoned:
                answer.set()
            return []

    async def main(peer: Peer) -> None:
        async with AsyncConnection(ALICE, authenticator=Slow(peer), config=FAST) as connection:
            assert await connection.wait_for(State.ONLINE, timeout=BOUND)
            question = asyncio.ensure_future(connection.query_online_state([ALICE]))
            assert await asyncio.to_thread(asked.wait, BOUND)
            question.cancel()
            with pytest.raises(asyncio.CancelledError):
                await question

    with Peer() as peer:
        asyncio.run(main(peer))  # which does not wait for the thread
    assert answer.wait(BOUND)


def test_a_sign_in_of_the_applications_own_may_be_unable_to_ask() -> None:
    with Peer() as peer, Connection(ALICE, authenticator=peer, config=FAST) as connection:
        online(connection)
        with pytest.raises(ConfigError, match="query_online_state"):
            connection.query_online_state([ALICE])


def test_the_interval_is_in_milliseconds(client: HeartbeatClient) -> None:
    assert client.heartbeat_interval == 50
    assert client.sign_in()
    assert client.heartbeat_interval == 50


def test_no_secret_is_logged_or_shown(
    server: ServerThread, client: HeartbeatClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert client.sign_in()
    session = client.connection._attachment.driver.lifecycle.session
    assert session is not None
    client.get_online_status([ALICE])
    client.offline()
    for secret in (PASSWORD, str(session.cookie), session.token):
        assert secret not in caplog.text
        assert secret not in [str(value) for value in vars(client).values()]
