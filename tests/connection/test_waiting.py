"""Waiting until a state is entered."""

import asyncio
import math
from dataclasses import replace

import pytest

from agentcp_fsm import AsyncConnection, ConfigError, State
from tests.connection.peer import FAST, Peer, connect
from tests.waiting import online


@pytest.mark.parametrize("seconds", [math.inf, 1e300])
def test_a_wait_may_be_without_end(seconds: float) -> None:
    """It raised OverflowError, and from stop after the deed was done."""
    with Peer() as peer, connect(peer) as connection:
        assert connection.wait_for(State.ONLINE, timeout=seconds)
        assert connection.stop(timeout=seconds)


def test_wait_for_says_whether_it_happened() -> None:
    with Peer(next_beat=-1) as peer, connect(peer) as connection:
        assert connection.wait_for("SIGNING_IN", "BACKOFF", timeout=10)
        assert not connection.wait_for(State.ONLINE, timeout=0.1)


@pytest.mark.parametrize(("states", "text"), [(("ONLIN",), "'ONLIN' is no state"), ((), "no state given")])
def test_waiting_for_no_state_is_refused(states: tuple[str, ...], text: str) -> None:
    with Peer() as peer, pytest.raises(ConfigError, match=text):
        connect(peer).wait_for(*states)


GIVING_UP = replace(FAST, sign_in_attempt_limit=2)


def test_a_start_counts_from_its_call_on() -> None:
    """Right after `start`, waiting for OFFLINE returned at once: the loop had not begun."""
    with Peer() as peer:
        peer.refuse = True
        connection = connect(peer, config=GIVING_UP)
        for lives in range(1, 11):
            connection.start()
            assert connection.wait_for(State.OFFLINE, timeout=10)
            assert connection.health().statistics.attempts == 2 * lives


def test_a_start_counts_from_its_call_on_in_asyncio() -> None:
    async def main(peer: Peer) -> None:
        connection = AsyncConnection("alice.agentid.pub", authenticator=peer, config=GIVING_UP)
        for lives in range(1, 11):
            connection.start()
            assert await connection.wait_for(State.OFFLINE, timeout=10)
            assert connection.health().statistics.attempts == 2 * lives
        assert connection.health().last_error == "gave up after 2 attempts: not today"

    with Peer() as peer:
        peer.refuse = True
        asyncio.run(main(peer))


def test_a_start_while_stopping_counts_too() -> None:
    with Peer() as peer, connect(peer) as connection:
        for _ in range(20):
            online(connection)
            connection.stop(timeout=0)
            connection.start()
            assert not connection.wait_for(State.OFFLINE, timeout=0.02)


def test_after_giving_up_health_keeps_the_reasons() -> None:
    """Health said only that there was nothing to sign out."""
    with Peer() as peer:
        connection = connect(peer, config=replace(GIVING_UP, sign_in_attempt_limit=1, stable_after=0.0))
        connection.start()
        online(connection)
        assert connection.health().last_error is None
        assert connection.health().last_loss is None
        peer.refuse = True
        peer.next_beat = 401
        assert connection.wait_for(State.OFFLINE, timeout=10)
        health = connection.health()
        assert (health.last_error or "").endswith(": not today")
        assert health.last_loss is not None
        assert health.last_loss.trigger == "unauthorized"
        assert health.last_loss.lost
        peer.refuse = False
        peer.next_beat = 50
        with connection:
            online(connection)
            assert connection.health().last_error is None
