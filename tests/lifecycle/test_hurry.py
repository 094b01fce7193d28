"""The application's hurry: reconnect and retry_now (rules 5 and 6)."""

import pytest

from agentcp_fsm.lifecycle.chart import ALIVE
from agentcp_fsm.lifecycle.effects import (
    AbandonSignIn,
    CloseSocket,
)
from agentcp_fsm.lifecycle.events import (
    Event,
    Reconnect,
    RetryNow,
    SignedIn,
    SignInFailed,
    Unauthorized,
)
from tests.lifecycle.life import SESSION, Life, in_state, sign_in


@pytest.mark.parametrize("event", [RetryNow(), Reconnect()])
@pytest.mark.parametrize(("failed_at", "asked_at", "deadline"), [(0.0, 1.0, 5.0), (6.0, 6.1, None)])
def test_a_backoff_ends_early_but_not_before_the_minimum(
    event: Event, failed_at: float, asked_at: float, deadline: float | None
) -> None:
    life = Life(drawn=0.0, backoff_initial=20.0).signing_in()
    life.tell(SignInFailed(1, "no"), failed_at)
    effects = life.does(event, asked_at)
    if deadline is None:
        assert effects == [sign_in(2)]
        assert life.state == "SIGNING_IN"
    else:
        assert effects == []
        assert (life.state, life.deadline) == ("BACKOFF", deadline)
        assert life.wake() == [sign_in(2)]


@pytest.mark.parametrize("event", [RetryNow(), Reconnect()])
def test_a_backoff_after_a_loss_ends_early_in_reconnecting(event: Event) -> None:
    life = Life(drawn=1.0, unauthorized_spread=100.0).online()
    life.tell(Unauthorized(1), 10.0)
    assert life.does(event, 11.0) == [sign_in(2)]
    assert life.state == "RECONNECTING"


@pytest.mark.parametrize("event", [RetryNow(), Reconnect()])
def test_a_backoff_after_a_loss_does_not_end_before_the_minimum(event: Event) -> None:
    life = Life(drawn=1.0, unauthorized_spread=100.0).online()
    life.tell(Unauthorized(1), 2.0)
    assert life.deadline == 105.0
    assert life.does(event, 3.0) == []
    assert (life.state, life.deadline) == ("BACKOFF", 5.0)


@pytest.mark.parametrize("event", [RetryNow(), Reconnect()])
def test_hurry_never_prolongs_a_wait(event: Event) -> None:
    life = Life(drawn=1.0, backoff_jitter=1.0).backoff()
    deadline = life.deadline
    life.tell(event, 1.0)
    assert life.deadline == deadline == 5.0


@pytest.mark.parametrize("state", ["SIGNING_IN", "RECONNECTING"])
def test_reconnect_while_connecting_begins_again(state: str) -> None:
    life = Life().reconnecting() if state == "RECONNECTING" else Life().signing_in()
    attempt = life.machine.attempt
    assert life.does(Reconnect(), 1.0) == [AbandonSignIn(attempt)]
    assert (life.state, life.deadline) == ("BACKOFF", 5.0)
    life.wake()
    assert life.state == state
    assert life.does(Reconnect(), 10.0) == [AbandonSignIn(attempt + 1), sign_in(attempt + 2)]
    assert (life.state, life.deadline) == (state, 40.0)
    life.tell(SignedIn(attempt + 2, SESSION), 20.0)
    assert life.does(Reconnect(), 20.0) == [CloseSocket(attempt + 2), sign_in(attempt + 3)]
    life.tell(SignedIn(attempt + 3, SESSION), 20.0)
    assert life.does(Reconnect(), 21.0) == [CloseSocket(attempt + 3)]
    assert (life.state, life.machine.session) == ("BACKOFF", None)
    assert life.machine.statistics.losses == (1 if state == "RECONNECTING" else 0)


@pytest.mark.parametrize(
    ("state", "event"),
    [("OFFLINE", Reconnect()), ("STOPPING", Reconnect()), ("OFFLINE", RetryNow()), ("STOPPING", RetryNow())]
    + [(state, RetryNow()) for state in ALIVE],
)
def test_hurry_without_a_wait_is_ignored(state: str, event: Event) -> None:
    life = in_state(state)
    before = life.machine.snapshot()
    assert life.tell(event, life.machine.now) == []
    assert life.machine.snapshot() == before
    assert life.machine.statistics.ignored == 1


@pytest.mark.parametrize("event", [RetryNow(), Reconnect()])
def test_6_hurry_ends_the_wait_after_a_rejection(event: Event) -> None:
    """A person may have mended what retrying could not."""
    life = Life().signing_in()
    life.tell(SignInFailed(1, "HTTP 403", rejected=True), 1.0)
    assert life.deadline > 31.0
    assert life.does(event, 2.0) == []
    assert life.deadline == 5.0, "not before the least time between sign-ins"
    assert life.wake() == [sign_in(2)]
    life.tell(SignInFailed(2, "HTTP 403", rejected=True), 6.0)
    assert life.does(event, 10.0) == [sign_in(3)]


@pytest.mark.parametrize("event", [RetryNow(), Reconnect()])
def test_6_but_not_a_retry_after(event: Event) -> None:
    life = Life().signing_in()
    life.tell(SignInFailed(1, "HTTP 403", 20.0, rejected=True), 1.0)
    assert life.does(event, 8.0) == []
    assert life.deadline == 21.0
