"""Starting and stopping: again and again, from many threads, handlers and signals."""

import asyncio
import gc
import io
import itertools
import logging
import signal
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

from agentcp_fsm import Config, Connection, Credentials, Invitation, State
from agentcp_fsm.connection import hub
from agentcp_fsm.sign_in import identities
from tests.connection.peer import FAST, Peer, connect, nothing_left
from tests.needs import needs_posix
from tests.waiting import until

TraceFunction = Callable[[FrameType, str, Any], Any]


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


def test_a_signal_s_handler_may_start_what_is_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """It hung, with the program: the handler waited for a lock that what it interrupted held."""
    needs_posix("a signal is sent")
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


@pytest.mark.parametrize("call", ["start", "stop", "wait_for", "health"])
def test_stop_by_a_signal_s_handler_comes_to_rest_wherever_it_interrupts(call: str) -> None:
    """It waited for its whole timeout: the loop waited for a lock that the interrupted start held."""
    needs_posix("a signal is sent")
    took: list[float] = []

    def stop(number: int, frame: object) -> None:
        began = time.monotonic()
        assert connection.stop(timeout=10)
        took.append(time.monotonic() - began)

    with Peer() as peer, nothing_left():
        connection = connect(peer)
        calls: dict[str, Callable[[], object]] = {
            "start": connection.start,
            "stop": connection.stop,
            "wait_for": partial(connection.wait_for, State.DEGRADED, timeout=0),
            "health": connection.health,
        }
        before = signal.signal(signal.SIGUSR2, stop)
        try:
            for place in itertools.count():
                if call != "start":
                    connection.start()
                _trace_lines_of_the_package(place, then=partial(signal.raise_signal, signal.SIGUSR2))
                calls[call]()
                sys.settrace(None)
                assert connection.stop(timeout=10)
                assert connection.state is State.OFFLINE
                if len(took) == place:
                    break
        finally:
            sys.settrace(None)
            signal.signal(signal.SIGUSR2, before)
    assert place > 3
    assert max(took) < 1


def _trace_lines_of_the_package(count: int, then: Callable[[], None]) -> None:
    """Have `then` called once, before this thread comes to the line of the package after as many."""
    lines = itertools.count()

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction:
        inside = "/agentcp_fsm/" in frame.f_code.co_filename
        if inside and event == "line" and next(lines) == count:
            sys.settrace(None)
            then()
        return trace

    sys.settrace(trace)


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
