"""Authenticators of an application: what they may do wrong, and what it comes to."""

import logging
import threading
from dataclasses import replace
from typing import Any

import pytest

from agentcp_fsm import State
from tests.connection.peer import FAST, Peer, connect, nothing_left
from tests.waiting import until


def test_an_unexpected_error_of_a_sign_in_is_a_failed_attempt(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Peer):
        def sign_in(self, abandoned: object) -> Any:
            if super().sign_in(abandoned) and self.sign_ins == 1:
                raise ZeroDivisionError("a defect")
            return Peer.sign_in(self, abandoned)

    with caplog.at_level(logging.CRITICAL), Broken() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        assert connection.health().statistics.failed_attempts == 1


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
