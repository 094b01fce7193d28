"""An application's handlers: what they are called with, and what they cannot do to the connection."""

import logging
import sys
import threading
from functools import partial

import pytest

from agentcp_fsm import ConfigError, Invitation, ReportTransition, State
from tests.connection.peer import PATIENT, Peer, connect
from tests.connection.test_workers import no_more_threads
from tests.waiting import until


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
