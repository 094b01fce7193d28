"""Rule 9: a sign-in that succeeds after its time is taken, as long as none was begun since."""

import pytest

from agentcp_fsm.lifecycle.effects import (
    AbandonSignIn,
    CloseSocket,
    OpenSocket,
)
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    Reconnect,
    RetryNow,
    SignedIn,
    SignInFailed,
    SocketFailed,
    SocketOpened,
)
from tests.lifecycle.life import SECOND_SESSION, SESSION, Life
from tests.lifecycle.test_probes import doubting


@pytest.mark.parametrize("state", ["SIGNING_IN", "RECONNECTING"])
def test_9_a_sign_in_that_succeeds_after_its_time_is_taken(state: str) -> None:
    life = Life(backoff_initial=20.0)
    life = life.signing_in() if state == "SIGNING_IN" else life.reconnecting()
    attempt = life.machine.attempt
    assert life.wake() == [AbandonSignIn(attempt)]
    assert life.state == "BACKOFF"
    now = life.machine.now + 1.0
    assert life.does(SignedIn(attempt, SESSION), now) == [OpenSocket(attempt + 1, SESSION)]
    assert (life.state, life.deadline) == (state, now + 5.0)
    life.tell(SocketOpened(attempt + 1), now)
    life.tell(BeatAnswered(attempt + 1, 5000), now)
    assert life.state == "ONLINE"
    assert life.machine.statistics.attempts == attempt


def test_9_it_replaces_a_doubtful_session_that_is_being_probed() -> None:
    life = doubting(backoff_initial=1.0)
    life.wake_until("RECONNECTING")
    attempt = life.machine.attempt
    life.wake()
    assert life.state == "BACKOFF"
    life.wake()
    now = life.machine.now
    life.tell(SocketOpened(attempt + 1), now)
    assert life.does(SignedIn(attempt, SECOND_SESSION), now) == [
        CloseSocket(attempt + 1),
        OpenSocket(attempt + 2, SECOND_SESSION),
    ]
    assert (life.machine.session, life.machine.doubtful) == (SECOND_SESSION, None)
    assert life.deadline == now + 5.0, "no probe is due any longer"


def test_9_so_does_the_first_session_of_a_life() -> None:
    life = Life().proving()
    life.tell(SocketFailed(1, "no"), 0.0)
    life.wake_until("SIGNING_IN")
    attempt = life.machine.attempt
    life.wake()
    life.wake()
    now = life.machine.now
    assert life.does(SignedIn(attempt, SECOND_SESSION), now) == [
        CloseSocket(attempt + 1),
        OpenSocket(attempt + 2, SECOND_SESSION),
    ]
    assert life.state == "SIGNING_IN"


def test_9_once_only() -> None:
    life = Life().signing_in()
    life.wake()
    now = life.machine.now
    life.tell(SignedIn(1, SESSION), now)
    life.tell(SocketFailed(2, "no"), now)
    assert life.state == "BACKOFF"
    assert life.tell(SignedIn(1, SECOND_SESSION), now) == []
    assert life.machine.statistics.stale == 1


@pytest.mark.parametrize("what", ["a newer sign-in", "reconnect", "a failure"])
def test_9_but_not_when_it_belongs_to_the_past(what: str) -> None:
    life = Life(backoff_initial=20.0, sign_in_timeout=2.0).signing_in()
    if what == "a failure":
        life.tell(SignInFailed(1, "no"), 1.0)
    else:
        life.wake()
    if what == "reconnect":
        life.tell(Reconnect(), 3.0)
    elif what == "a newer sign-in":
        life.tell(RetryNow(), 6.0)
        life.tell(SignInFailed(2, "no"), 6.0)
    assert life.state == "BACKOFF"
    assert life.tell(SignedIn(1, SESSION), life.machine.now) == []
    assert life.machine.statistics.stale == 1


def test_9_a_late_failure_changes_nothing() -> None:
    life = Life().signing_in()
    life.wake()
    before = life.machine.snapshot()
    assert life.tell(SignInFailed(1, "timed out"), life.machine.now) == []
    assert life.machine.snapshot() == before
