"""A suspension of the machine, which `time.monotonic` does not see: the clock has jumped when it wakes."""

import time

import pytest

from agentcp_fsm import State
from agentcp_fsm.support import clock
from tests.connection.peer import PATIENT, Peer, connect
from tests.timings import CALM
from tests.waiting import online, until


def jump(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + seconds)


def test_the_clock_never_steps_back_and_is_the_systems_own() -> None:
    before = clock.now()
    assert before <= clock.now()
    if hasattr(time, "CLOCK_BOOTTIME"):
        assert clock.now() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=60)


def test_what_was_due_meanwhile_is_done_within_a_second_of_waking(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was done when it would have been due without the suspension, up to 30 s later."""
    with Peer(next_beat=20_000) as peer, connect(peer, config=CALM) as connection:
        online(connection)
        seen = peer.heartbeats
        woken = time.monotonic()
        jump(monkeypatch, 3600)
        until(lambda: peer.heartbeats > seen)
        assert time.monotonic() - woken < clock.LOOK + 1  # with room for a busy machine
        until(lambda: connection.health().unanswered == 0)
        assert connection.state is State.ONLINE
        assert connection.health().statistics.losses == 0


def test_a_server_that_is_gone_meanwhile_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with Peer(next_beat=20_000) as peer, connect(peer, config=PATIENT) as connection:
        online(connection)
        peer.move()
        jump(monkeypatch, 3600)
        until(lambda: connection.health().statistics.losses == 1)
        online(connection)
