"""The threaded face, on real sockets."""

import asyncio
import gc
import io
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from agentcp_fsm import Config, ConfigError, Connection, Credentials, Invitation, ReportTransition, State, WireError
from agentcp_fsm.connection import hub
from agentcp_fsm.sign_in import identities
from tests.connection.peer import FAST, INVITATION, PATIENT, Peer, nothing_left
from tests.connection.test_workers import no_more_threads
from tests.waiting import until, until_it_ends


def connect(peer: Peer, agent_id: str = "alice.agentid.pub", config: Config = FAST) -> Connection:
    return Connection(agent_id, authenticator=peer, config=config)


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
    with Peer() as peer, connect(peer) as connection:
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


def test_an_invitation_that_finds_no_thread_is_delivered_as_soon_as_there_is_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It waited for the next transition or invitation, which may be days away."""
    arrived = threading.Event()
    with Peer() as peer, connect(peer, config=PATIENT) as connection, caplog.at_level(logging.WARNING):
        connection.on_invite(lambda invitation: arrived.set())
        assert connection.wait_for(State.ONLINE, timeout=10)
        with no_more_threads():
            peer.invite(connection.agent_id)
            until(lambda: "calls of handlers wait for a thread" in caplog.text)
        assert arrived.wait(10)
        assert connection.state is State.ONLINE


def test_transitions_are_told_in_order_with_their_reasons() -> None:
    told: list[ReportTransition] = []
    with Peer() as peer:
        connection = connect(peer)
        assert connection.on_transition(told.append) == told.append
        with connection:
            assert connection.wait_for(State.ONLINE, timeout=10)
    assert [(one.source, one.dest, one.trigger) for one in told] == [
        ("OFFLINE", "SIGNING_IN", "start"),
        ("SIGNING_IN", "ONLINE", "beat_answered"),
        ("ONLINE", "STOPPING", "stop"),
        ("STOPPING", "OFFLINE", "signed_out"),
    ]
    assert all(one.reason for one in told)
    assert [one.at for one in told] == sorted(one.at for one in told)


@pytest.mark.parametrize("kind", ["blocks", "raises"])
def test_a_handler_does_not_affect_heartbeats(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    release, called = threading.Event(), threading.Event()
    with Peer() as peer, connect(peer) as connection, caplog.at_level(logging.CRITICAL):

        @connection.on_invite
        def misbehave(invitation: Invitation) -> None:
            called.set()
            if kind == "raises":
                raise RuntimeError("the application's fault")
            release.wait(20)

        assert connection.wait_for(State.ONLINE, timeout=10)
        peer.invite(connection.agent_id)
        assert called.wait(10)
        peer.wait(lambda: len(peer.answered) == 1)
        seen = peer.heartbeats
        peer.wait(lambda: peer.heartbeats > seen + 5)
        assert connection.state is State.ONLINE
        release.set()


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


def test_an_unexpected_error_of_a_sign_in_is_a_failed_attempt(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Peer):
        def sign_in(self, abandoned: object) -> Any:
            if super().sign_in(abandoned) and self.sign_ins == 1:
                raise ZeroDivisionError("a defect")
            return Peer.sign_in(self, abandoned)

    with caplog.at_level(logging.CRITICAL), Broken() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        assert connection.health().statistics.failed_attempts == 1


# The socket ----------------------------------------------------------------------------------------------------------


def descriptor(connection: Connection) -> int:
    number = connection.fileno()
    assert number is not None
    return number


def test_a_closed_descriptor_is_noticed_and_replaced() -> None:
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        os.close(descriptor(connection))
        peer.wait(lambda: peer.sign_ins == 2)
        assert connection.wait_for(State.ONLINE, timeout=10)


def test_a_descriptor_that_became_somebody_elses_is_not_closed() -> None:
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
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        with socket.socket(fileno=os.dup(descriptor(connection))) as duplicate:
            duplicate.shutdown(how)
            peer.wait(lambda: peer.sign_ins == 2)
            assert connection.wait_for(State.ONLINE, timeout=10)


def test_a_socket_that_somebody_made_block_blocks_nothing() -> None:
    """It did: once another had read what there was to read, the loop waited for ever, and so did stop."""
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


# Stopping and starting -----------------------------------------------------------------------------------------------


def test_start_and_stop_a_hundred_times_leave_nothing() -> None:
    with Peer() as peer:
        connection = connect(peer)
        with nothing_left():
            for _ in range(100):
                connection.start()
                assert connection.wait_for(State.ONLINE, timeout=10)
                assert connection.stop()
        assert peer.sign_ins == peer.sign_outs == 100


def test_one_that_was_stopped_is_kept_by_nothing() -> None:
    """The last ones were, by the timers of the loop that had ended, and with them what their handlers held."""
    with Peer() as peer:
        connections = [connect(peer, f"agent{number}.agentid.pub") for number in range(3)]
        for connection in connections:
            connection.start()
        for connection in connections:
            assert connection.wait_for(State.ONLINE, timeout=10)
            assert connection.stop()
        kept = [weakref.ref(connection) for connection in connections]
        del connection, connections
        until(lambda: gc.collect() >= 0 and not [one() for one in kept if one() is not None])


def test_start_and_stop_are_idempotent() -> None:
    with Peer() as peer, nothing_left():
        connection = connect(peer)
        assert connection.stop()
        for _ in range(5):
            connection.start()
        assert connection.wait_for(State.ONLINE, timeout=10)
        assert connection.stop()
        assert connection.stop()
        assert peer.sign_ins == 1


def test_a_start_while_stopping_is_kept() -> None:
    with Peer() as peer:
        connection = connect(peer)
        connection.start()
        assert connection.wait_for(State.ONLINE, timeout=10)
        stopping = threading.Thread(target=connection.stop, kwargs={"timeout": 0})
        stopping.start()
        connection.start()
        stopping.join(10)
        peer.wait(lambda: peer.heartbeats >= 2)
        assert connection.wait_for(State.ONLINE, timeout=10)
        assert connection.stop()


def test_a_stop_that_a_start_undoes_does_not_wait_for_rest() -> None:
    """It did, for all its time: nobody was told that the stopping was over."""
    outcome: list[bool] = []
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        signing_out, go_on = threading.Event(), threading.Event()

        def sign_out(session: object) -> None:
            signing_out.set()
            go_on.wait(10)

        peer.sign_out = sign_out  # type: ignore[method-assign]
        stopping = threading.Thread(target=lambda: outcome.append(connection.stop(timeout=60)))
        stopping.start()
        assert signing_out.wait(10)
        connection.start()
        go_on.set()
        stopping.join(10)
        assert outcome == [False]
        assert connection.wait_for(State.ONLINE, timeout=10)


def test_start_and_stop_from_many_threads_at_once() -> None:
    """Whatever the order, each stop returns long before its time is over, and after the last there is nothing left."""
    random = Random(5)
    with Peer() as peer, nothing_left():
        connection = connect(peer)

        def act(seed: int) -> None:
            own = Random(seed)
            for _ in range(25):
                deed = own.choice(
                    (connection.start, connection.start, stop, connection.reconnect, connection.retry_now)
                )
                deed()

        def stop() -> None:
            began = time.monotonic()
            connection.stop(timeout=60)
            took.append(time.monotonic() - began)

        took: list[float] = []
        for _ in range(10):
            threads = [threading.Thread(target=act, args=(random.random(),)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
                assert not thread.is_alive()
            assert connection.stop()
            assert connection.state is State.OFFLINE
        assert max(took) < 20


@pytest.mark.parametrize("seconds", [math.inf, 1e300])
def test_a_wait_may_be_without_end(seconds: float) -> None:
    """It raised OverflowError, and from stop after the deed was done."""
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=seconds)
        assert connection.stop(timeout=seconds)


def test_a_signal_s_handler_may_start_what_is_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """It hung, with the program: the handler waited for a lock that what it interrupted held."""
    with Peer() as peer, nothing_left():
        connection, other = connect(peer), connect(peer, "bob.agentid.pub")

        def start_both(number: int, frame: object) -> None:
            connection.start()
            other.start()

        def interrupted() -> asyncio.AbstractEventLoop:
            monkeypatch.undo()
            signal.raise_signal(signal.SIGUSR2)
            return hub.new_event_loop()

        before = signal.signal(signal.SIGUSR2, start_both)
        try:
            monkeypatch.setattr(hub, "new_event_loop", interrupted)
            connection.start()
            assert connection.wait_for(State.ONLINE, timeout=10)
            assert other.wait_for(State.ONLINE, timeout=10)
            assert connection.stop()
            assert other.stop()
            assert peer.sign_ins == 2
        finally:
            signal.signal(signal.SIGUSR2, before)


def test_stop_from_many_threads_at_once() -> None:
    with Peer() as peer, nothing_left():
        connection = connect(peer)
        connection.start()
        assert connection.wait_for(State.ONLINE, timeout=10)
        outcomes: list[bool] = []
        threads = [threading.Thread(target=lambda: outcomes.append(connection.stop())) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert outcomes == [True] * 20


def test_stop_from_a_handler() -> None:
    outcome: list[bool] = []
    done = threading.Event()
    with Peer() as peer:
        connection = connect(peer)

        @connection.on_invite
        def leave(invitation: Invitation) -> None:
            outcome.append(connection.stop())
            done.set()

        connection.start()
        assert connection.wait_for(State.ONLINE, timeout=10)
        peer.invite(connection.agent_id)
        assert done.wait(10)
        assert outcome == [True]
        assert connection.state is State.OFFLINE


def test_stop_while_a_sign_in_hangs_is_prompt_and_its_late_session_is_signed_out() -> None:
    with Peer() as peer:
        peer.hang = threading.Event()
        connection = connect(peer)
        connection.start()
        assert connection.wait_for(State.SIGNING_IN, timeout=10)
        peer.wait(lambda: True)
        while peer.sign_ins == 0:
            time.sleep(0.001)
        before = time.monotonic()
        assert connection.stop()
        took = time.monotonic() - before
        assert took < FAST.stop_bound + 3
        peer.hang.set()
        deadline = time.monotonic() + 10
        while peer.sign_outs == 0 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert peer.sign_outs == 1


def test_stop_by_a_signal_in_the_midst_of_a_log_call_has_its_bound_and_rest_follows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What holds a logging handler's lock cannot go on before `stop` returns, nor the loop, which logs, before that."""
    caplog.set_level(logging.INFO)  # at which transitions are logged
    handler = logging.StreamHandler(io.StringIO())
    logger = logging.getLogger("agentcp_fsm.connection")
    stopped: list[bool] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: stopped.append(connection.stop(timeout=0.3)))
    logger.addHandler(handler)
    try:
        with Peer() as peer, nothing_left():
            connection = connect(peer)
            connection.start()
            assert connection.wait_for(State.ONLINE, timeout=10)
            assert handler.lock is not None
            with handler.lock:  # as while it writes
                signal.raise_signal(signal.SIGUSR1)
            assert stopped == [False]
            until(lambda: connection.health().state is State.OFFLINE)
            assert connection.stop()
    finally:
        logger.removeHandler(handler)
        signal.signal(signal.SIGUSR1, before)


def test_stop_ends_a_sign_in_whose_server_never_answers_tls(tmp_path: Path) -> None:
    identities.make_identity(tmp_path, "alice.agentid.pub")
    credentials = Credentials.load(tmp_path, "alice.agentid.pub")
    with socket.create_server(("127.0.0.1", 0)) as listener, nothing_left():
        listener.settimeout(20)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        config = Config(connect_timeout=300.0, sign_in_timeout=300.0)
        connection = Connection("alice.agentid.pub", url, credentials=credentials, config=config)
        with connection, listener.accept()[0] as accepted:
            assert accepted.recv(1)
            assert connection.stop()
            until(lambda: not any(thread.name == "agentcp-http" for thread in threading.enumerate()))


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


# Waiting and wrong uses ----------------------------------------------------------------------------------------------


def test_wait_for_says_whether_it_happened() -> None:
    with Peer(next_beat=-1) as peer, connect(peer) as connection:
        assert connection.wait_for("SIGNING_IN", "BACKOFF", timeout=10)
        assert not connection.wait_for(State.ONLINE, timeout=0.1)


@pytest.mark.parametrize(("states", "text"), [(("ONLIN",), "'ONLIN' is no state"), ((), "no state given")])
def test_waiting_for_no_state_is_refused(states: tuple[str, ...], text: str) -> None:
    with Peer() as peer, pytest.raises(ConfigError, match=text):
        connect(peer).wait_for(*states)


def test_a_handler_that_cannot_be_called_is_refused() -> None:
    with Peer() as peer, pytest.raises(ConfigError, match="cannot be a handler"):
        connect(peer).on_invite(42)  # type: ignore[type-var]


def test_handlers_added_by_many_threads_at_once_are_all_there() -> None:
    """They were not: one could overwrite another's."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with Peer() as peer:
            connection = connect(peer)
            together = threading.Barrier(4)

            def add() -> None:
                together.wait(10)
                for _ in range(2000):
                    connection.on_invite(lambda invitation: None)

            threads = [threading.Thread(target=add) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
    finally:
        sys.setswitchinterval(interval)
    assert len(connection._attachment.handlers.of("invite")) == 8000


def test_a_coroutine_function_is_no_handler_here() -> None:
    """It was taken, and every invitation thrown away."""

    async def take(invitation: Invitation) -> None: ...

    class Taker:
        async def __call__(self, invitation: Invitation) -> None: ...

    with Peer() as peer:
        for handler in (take, Taker(), partial(take)):
            with pytest.raises(ConfigError, match="AsyncConnection"):
                connect(peer).on_invite(handler)


def test_a_sign_in_that_returns_no_session_is_a_failed_attempt_that_says_so(caplog: pytest.LogCaptureFixture) -> None:
    class Forgetful(Peer):
        def sign_in(self, abandoned: object) -> Any:
            super().sign_in(abandoned)

    with caplog.at_level(logging.CRITICAL), Forgetful() as peer, connect(peer) as connection:
        assert connection.wait_for(State.BACKOFF, timeout=10)
        assert "None, which is no Session" in connection.health().reason


def test_sign_ins_that_never_end_silence_no_other_connection(caplog: pytest.LogCaptureFixture) -> None:
    """They did: once each thread of the pool had one, nobody in the process could sign in any longer."""
    ended = threading.Event()

    class Endless(Peer):
        def sign_in(self, abandoned: object) -> Any:
            session = super().sign_in(abandoned)
            ended.wait(60)
            return session

    hasty = replace(FAST, sign_in_timeout=0.02)
    with caplog.at_level(logging.CRITICAL), Endless() as peer, Peer() as other, nothing_left():
        connections = [connect(peer, f"agent{number}.agentid.pub", hasty) for number in range(3)]
        for connection in connections:
            connection.start()
        for connection in connections:
            until(lambda: "8 earlier sign-ins have not come to an end" in connection.health().reason)  # noqa: B023
        assert peer.sign_ins == 24
        with connect(other) as well:
            assert well.wait_for(State.ONLINE, timeout=10)
        ended.set()
        for connection in connections:
            assert connection.wait_for(State.ONLINE, timeout=10)
            assert connection.stop()


def test_a_session_that_cannot_be_is_a_failed_attempt(caplog: pytest.LogCaptureFixture) -> None:
    """It was only in the end, when the socket's time was over."""

    class Wrong(Peer):
        def sign_in(self, abandoned: object) -> Any:
            return replace(super().sign_in(abandoned), cookie=-7)

    with caplog.at_level(logging.CRITICAL), Wrong() as peer, nothing_left(), connect(peer) as connection:
        assert connection.wait_for(State.BACKOFF, timeout=FAST.socket_timeout / 2)


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


# Processes -----------------------------------------------------------------------------------------------------------

HANGING = """
import sys, threading
from agentcp_fsm import Connection, Session, State
class Hanging:
    def sign_in(self, abandoned):
        print("hanging", flush=True)
        threading.Event().wait()
    def sign_out(self, session): pass
connection = Connection("alice.agentid.pub", authenticator=Hanging())
connection.start()
connection.wait_for(State.SIGNING_IN)
while "agentcp-http" not in {thread.name for thread in threading.enumerate()}: pass
"""


def test_the_interpreter_exits_promptly_while_a_sign_in_hangs() -> None:
    before = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert time.monotonic() - before < 10


LATE = """
import atexit, time
def stop_late():
    before = time.monotonic()
    print(connection.stop(), time.monotonic() - before < 2)
atexit.register(stop_late)  # before the library's own, so that it is called after that
from agentcp_fsm import Connection
class Refusing:
    def sign_in(self, abandonment): raise OSError("nobody there")
    def sign_out(self, session): pass
connection = Connection("alice.agentid.pub", authenticator=Refusing())
connection.start()
connection.wait_for("BACKOFF")
"""


def test_stop_after_the_interpreter_ended_the_loop_waits_for_nothing() -> None:
    ended = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (0, "False True\n"), ended.stderr


def test_an_authenticator_that_raises_when_a_session_is_proven_affects_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Careless(Peer):
        def session_proven(self, session: object) -> None:
            raise LookupError("unprepared")

    told: list[str] = []
    with Careless() as peer, caplog.at_level(logging.CRITICAL):
        connection = connect(peer)
        connection.on_transition(lambda transition: told.append(transition.dest))
        with connection:
            assert connection.wait_for(State.ONLINE, timeout=10)
            peer.wait(lambda: peer.heartbeats >= 3)
    assert told == ["SIGNING_IN", "ONLINE", "STOPPING", "OFFLINE"]


def test_a_forked_child_has_a_clean_slate() -> None:
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        child = os.fork()
        if child == 0:
            failed = 1
            try:
                assert connection.state is State.OFFLINE
                assert not [thread for thread in threading.enumerate() if thread.name.startswith("agentcp")]
                with connect(peer, "child.agentid.pub", PATIENT) as own:
                    assert own.wait_for(State.ONLINE, timeout=10)
                connection.start()
                assert connection.wait_for(State.ONLINE, timeout=10)
                assert connection.stop()
                failed = 0
            finally:
                os._exit(failed)
        until_it_ends(child, 30)
        seen = peer.heartbeats
        peer.wait(lambda: peer.heartbeats > seen + 3)
        assert connection.wait_for(State.ONLINE, timeout=10)
        assert connection.health().statistics.losses == 0


def test_forked_children_do_not_draw_the_same_jitter() -> None:
    def drawn_by_a_child(connection: Connection) -> bytes:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writer, str(connection._attachment.driver.lifecycle.random.random()).encode())
            finally:
                os._exit(0)
        until_it_ends(child)
        os.close(writer)
        with open(reader, "rb") as drawn:
            return drawn.read()

    with Peer() as peer:
        connection = connect(peer)
        assert len({drawn_by_a_child(connection) for _ in range(5)} - {b""}) == 5
