"""Rule 6: a connection that is lost before ONLINE has lasted is an attempt that failed."""

from typing import Any

import pytest

from agentcp_fsm.lifecycle.effects import (
    CloseSocket,
    Effect,
    ReportError,
    SignOut,
)
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    BeatSent,
    Event,
    ReceiveFailed,
    Reconnect,
    RetryNow,
    SendFailed,
    SignInFailed,
    SocketFailed,
    Unauthorized,
)
from tests.lifecycle.life import BRITTLE, SESSION, Life, sign_in


def lose(life: Life, kind: str, after: float) -> list[Effect]:
    """The connection, ONLINE just now, is lost so many seconds later; the last step's effects."""
    now, attempt = life.machine.now + after, life.machine.attempt
    if kind == "silence":
        while life.state in ("ONLINE", "DEGRADED"):
            effects = life.wake()
        return effects
    if kind == "send":
        return life.fail_sends(life.machine.config.send_failure_limit, now, SendFailed)
    if kind == "receive":
        return life.fail_sends(life.machine.config.receive_failure_limit, now, ReceiveFailed)
    return life.does(Unauthorized(attempt) if kind == "401" else SocketFailed(attempt, "no"), now)


STRAIGHT: dict[str, Any] = {**BRITTLE, "silence_limit": 1}
"""Every way to be lost leads straight from ONLINE."""


def degrade(life: Life) -> None:
    """A send fails, the next works; DEGRADED it remains."""
    life.tell(SendFailed(life.machine.attempt, "no"), life.machine.now)
    life.tell(BeatSent(life.machine.attempt), life.machine.now)
    assert life.state == "DEGRADED"


def return_online(life: Life) -> None:
    """The wait passes, and the next session is answered at once."""
    for _ in range(100):
        if life.state != "BACKOFF":
            break
        life.wake()
    life.prove(life.machine.now)
    life.tell(BeatAnswered(life.machine.attempt, 5000), life.machine.now)
    assert life.state == "ONLINE"


KINDS = ["silence", "send", "receive", "401", "socket"]


@pytest.mark.parametrize("kind", KINDS)
def test_6_the_first_early_loss_is_followed_by_a_sign_in_each_further_one_by_a_backoff(kind: str) -> None:
    life = Life(unauthorized_spread=0.0, flapping_limit=100).online()
    lose(life, kind, 6.0)
    assert life.state == "RECONNECTING"
    for failures, wait in ((2, 2.0), (3, 4.0), (4, 8.0)):
        return_online(life)
        assert CloseSocket(life.machine.attempt) in lose(life, kind, 6.0)
        assert (life.state, life.machine.failures) == ("BACKOFF", failures)
        assert life.machine.timeout_at == pytest.approx(life.machine.now + wait)
    assert life.machine.statistics.failed_attempts == life.machine.statistics.losses == 4


@pytest.mark.parametrize("kind", ["send", "receive", "401", "socket"])
def test_6_a_backoff_comes_on_top_of_what_is_left_of_the_minimum(kind: str) -> None:
    life = Life(unauthorized_spread=0.0).backoff()
    return_online(life)
    signed_in_at = life.machine.now
    lose(life, kind, 2.0)
    assert life.machine.timeout_at == pytest.approx(signed_in_at + 5.0 + 2.0)


def test_6_so_it_does_after_silence() -> None:
    life = Life(unauthorized_spread=0.0, interval_min=1.0).backoff()
    return_online(life)
    signed_in_at = life.machine.now
    life.tell(BeatAnswered(life.machine.attempt, 1000), signed_in_at)
    lose(life, "silence", 4.0)
    assert life.machine.now == pytest.approx(signed_in_at + 4.0)
    assert life.machine.timeout_at == pytest.approx(signed_in_at + 5.0 + 2.0)


@pytest.mark.parametrize("kind", KINDS)
def test_6_a_loss_after_failed_sign_ins_goes_on_where_they_ended(kind: str) -> None:
    life = Life(unauthorized_spread=0.0).backoff()
    return_online(life)
    lose(life, kind, 6.0)
    assert (life.state, life.machine.failures) == ("BACKOFF", 2)


@pytest.mark.parametrize(("after", "failures"), [(29.0, 2), (31.0, 0)])
@pytest.mark.parametrize("kind", ["send", "receive", "401", "socket"])
def test_6_all_starts_afresh_once_online_has_lasted(kind: str, after: float, failures: int) -> None:
    life = Life(unauthorized_spread=0.0).backoff()
    return_online(life)
    lose(life, kind, after)
    assert life.machine.failures == failures
    assert life.state == ("BACKOFF" if failures else "RECONNECTING")


def test_6_what_comes_after_online_does_not_count_for_it() -> None:
    for degraded_at, failures in ((29.0, 1), (31.0, 0)):
        life = Life(receive_failure_limit=1000).online()
        life.tell(ReceiveFailed(1, "no"), degraded_at)
        life.tell(SocketFailed(1, "no"), 40.0)
        assert life.machine.failures == failures


def test_6_degraded_for_a_moment_it_goes_on_lasting() -> None:
    life = Life().online()
    life.tell(ReceiveFailed(1, "no"), 10.0)
    life.tell(BeatAnswered(1, 5000), 10.5)
    life.tell(SocketFailed(1, "no"), 31.0)
    assert life.machine.failures == 0


@pytest.mark.parametrize("stable_after", [0.0, 100.0])
def test_6_how_long_online_must_last_is_configurable(stable_after: float) -> None:
    life = Life(stable_after=stable_after).online()
    life.tell(SocketFailed(1, "no"), 50.0)
    assert life.machine.failures == (1 if stable_after else 0)


@pytest.mark.parametrize("degraded", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_6_an_early_loss_may_be_the_last_attempt_allowed(kind: str, degraded: bool) -> None:
    life = Life(sign_in_attempt_limit=2, unauthorized_spread=0.0, **({} if degraded else STRAIGHT)).online()
    lose(life, "socket", 6.0)
    assert life.state == "RECONNECTING"
    return_online(life)
    attempt = life.machine.attempt
    if degraded:
        degrade(life)
    effects = lose(life, kind, 6.0)
    assert life.state == "STOPPING"
    causes = {"401": "the server does not know the session (401)", "silence": "the time is over"}
    error = ReportError(f"gave up after 2 attempts: {causes.get(kind, 'no')}")
    assert effects == [CloseSocket(attempt), error, *([] if kind == "401" else [SignOut(attempt, SESSION)])]
    assert life.machine.statistics.last_loss is not None
    assert life.machine.statistics.last_loss.dest == "STOPPING"
    assert life.machine.statistics.losses == life.machine.statistics.failed_attempts == 2
    life.wake()
    assert life.state == "OFFLINE"


@pytest.mark.parametrize("degraded", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_6_a_connection_that_flaps_backs_off_whatever_its_state(kind: str, degraded: bool) -> None:
    life = Life(unauthorized_spread=0.0, **({} if degraded else STRAIGHT)).backoff()
    return_online(life)
    if degraded:
        degrade(life)
    assert lose(life, kind, 6.0)[0] == CloseSocket(life.machine.attempt)
    assert (life.state, life.machine.failures) == ("BACKOFF", 2)
    assert life.machine.timeout_at == pytest.approx(life.machine.now + 2.0)


@pytest.mark.parametrize("kind", ["send", "receive", "401", "socket"])
def test_5_straight_from_online_within_the_minimum_it_waits(kind: str) -> None:
    life = Life(unauthorized_spread=0.0, **STRAIGHT).online()
    lose(life, kind, 2.0)
    assert (life.state, life.machine.timeout_at) == ("BACKOFF", 5.0)


@pytest.mark.parametrize("kind", KINDS)
def test_6_a_loss_after_online_has_lasted_is_not(kind: str) -> None:
    life = Life(sign_in_attempt_limit=1, unauthorized_spread=0.0, stable_after=0.0).online()
    lose(life, kind, 6.0)
    assert life.state == "RECONNECTING"


@pytest.mark.parametrize("limit", [None, 1])
def test_6_the_applications_reconnect_is_no_failed_attempt(limit: int | None) -> None:
    life = Life(sign_in_attempt_limit=limit).online()
    for _ in range(5):
        life.tell(Reconnect(), life.machine.now + 6.0)
        assert (life.state, life.machine.failures) == ("RECONNECTING", 0)
        life.tell(Reconnect(), life.machine.now + 6.0)
        return_online(life)
    assert life.machine.statistics.failed_attempts == 0


def test_6_reconnect_does_not_start_anything_afresh_before_online_has_lasted() -> None:
    for after, failures in ((29.0, 1), (31.0, 0)):
        life = Life().backoff()
        return_online(life)
        life.tell(Reconnect(), life.machine.now + after)
        assert life.machine.failures == failures


# 401 in a row ---------------------------------------------------------------------------------------------------------


def refusals(life: Life, times: int) -> list[ReportError]:
    """So many connections in a row that a 401 ends six seconds after they came online; the last one's errors."""
    effects: list[Effect] = []
    for _ in range(times):
        if life.state not in ("ONLINE", "DEGRADED"):
            return_online(life)
        effects = lose(life, "401", 6.0)
    return [effect for effect in effects if isinstance(effect, ReportError)]


def test_6_three_early_401s_in_a_row_are_reported_and_wait_for_long() -> None:
    life = Life(drawn=1.0).online()
    assert refusals(life, 2) == []
    (error,) = refusals(life, 1)
    assert "another copy of this agent may be signing in" in error.reason
    assert "3 sessions in a row" in error.reason
    assert (life.state, life.machine.doubtful) == ("BACKOFF", None)
    assert life.deadline - life.machine.now == pytest.approx(45.0 + 4.0 * 0.35 + 2.0)
    (error,) = refusals(life, 1)
    assert "4 sessions in a row" in error.reason


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_6_so_are_those_of_a_degraded_connection(spread: float) -> None:
    life = Life(unauthorized_spread=spread).online()
    for errors in (0, 0, 1):
        if life.state != "ONLINE":
            return_online(life)
        degrade(life)
        assert len(refusals(life, 1)) == errors
    assert life.deadline >= life.machine.now + 45.0


def test_6_the_limit_of_attempts_comes_first() -> None:
    life = Life(sign_in_attempt_limit=3).online()
    (error,) = refusals(life, 3)
    assert "gave up after 3 attempts" in error.reason
    assert life.state == "STOPPING"


def test_6_at_most_60_sign_ins_an_hour_come_of_a_server_that_forgets_at_once() -> None:
    life = Life(drawn=1.0).online()
    while life.machine.now < 3600.0:
        refusals(life, 1)
    assert life.machine.statistics.attempts <= 60


@pytest.mark.parametrize("event", [RetryNow(), Reconnect()])
def test_6_hurry_ends_that_wait(event: Event) -> None:
    life = Life().online()
    refusals(life, 3)
    assert life.does(event, life.machine.now) == [sign_in(4)]


def test_6_the_row_is_broken_by_online_that_lasts_for_long() -> None:
    life = Life().online()
    refusals(life, 2)
    return_online(life)
    lose(life, "401", 90.0)
    assert refusals(life, 2) == []
    assert len(refusals(life, 1)) == 1


@pytest.mark.parametrize("degraded", [False, True])
def test_6_two_copies_are_noticed_though_the_one_is_online_for_as_long_as_the_other_waits(degraded: bool) -> None:
    """ONLINE for 60 s counts as a connection made, so nothing failed; but the 401s after it are in a row."""
    life = Life().online()
    for errors in (0, 0, 1, 1):
        if life.state != "ONLINE":
            return_online(life)
        if degraded:
            life.tell(BeatAnswered(life.machine.attempt, 5000), life.machine.now + 54.0)
            degrade(life)
        effects = lose(life, "401", 6.0 if degraded else 60.0)
        assert sum(isinstance(effect, ReportError) for effect in effects) == errors
        assert life.machine.failures == 0
    assert life.deadline >= life.machine.now + 45.0


@pytest.mark.parametrize("after", [2.0, 60.0])
@pytest.mark.parametrize("kind", ["silence", "send", "receive", "socket"])
def test_6_the_row_is_broken_by_another_loss_after_online_has_lasted(kind: str, after: float) -> None:
    life = Life(interval_min=0.6).online()
    for _ in range(2):
        lose(life, "401", 60.0)
        return_online(life)
    life.tell(BeatAnswered(life.machine.attempt, 600), life.machine.now)
    assert life.machine.refusals == 2
    lose(life, kind, after)
    assert life.state == ("RECONNECTING" if after == 60.0 and kind != "silence" else "BACKOFF")
    assert life.machine.refusals == 0


def test_6_the_row_is_broken_by_silence_after_which_a_sign_in_follows_at_once() -> None:
    life = Life().online()
    for _ in range(2):
        lose(life, "401", 60.0)
        return_online(life)
    lose(life, "silence", 16.0)
    assert (life.state, life.machine.refusals) == ("RECONNECTING", 0)


def test_6_how_soon_a_401_counts_is_configurable() -> None:
    life = Life(flapping_span=6.0, flapping_limit=1).online()
    assert refusals(life, 1) == []
    return_online(life)
    assert [effect for effect in lose(life, "401", 5.9) if isinstance(effect, ReportError)]


@pytest.mark.parametrize("after", [2.0, 6.0])
@pytest.mark.parametrize("kind", ["silence", "send", "receive", "socket"])
def test_6_the_row_is_broken_by_another_loss(kind: str, after: float) -> None:
    life = Life().online()
    refusals(life, 2)
    return_online(life)
    lose(life, kind, after)
    assert (life.machine.refusals, life.machine.failures) == (0, 3)
    assert refusals(life, 2) == []
    assert len(refusals(life, 1)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_6_an_early_loss_within_the_minimum_is_a_failed_attempt_too(kind: str) -> None:
    life = Life(unauthorized_spread=0.0, interval_min=0.6).online(0.0, 600)
    lose(life, kind, 2.0)
    assert (life.state, life.machine.failures) == ("BACKOFF", 1)
    assert life.machine.timeout_at == 5.0
    assert life.machine.refusals == (1 if kind == "401" else 0)


def test_6_the_row_is_not_broken_by_failed_sign_ins() -> None:
    life = Life().online()
    refusals(life, 2)
    life.wake()
    life.tell(SignInFailed(life.machine.attempt, "no"), life.machine.now)
    assert len(refusals(life, 1)) == 1


def test_6_the_length_of_the_row_and_the_wait_are_configurable() -> None:
    life = Life(flapping_limit=1, flapping_wait=100.0).online()
    assert len(refusals(life, 1)) == 1
    assert life.deadline >= life.machine.now + 100.0


def test_6_the_wait_has_a_whole_backoff_even_after_connections_that_lasted() -> None:
    life = Life(drawn=0.0).online()
    for _ in range(3):
        if life.state != "ONLINE":
            return_online(life)
        lose(life, "401", 60.0)  # as long as a connection that lasts, yet soon enough for another copy
    assert life.machine.failures == 0
    assert life.deadline - life.machine.now == 45.0 + 1.0


def test_7_an_early_401_that_backs_off_is_spread_too() -> None:
    life = Life(drawn=0.5, backoff_jitter=0.0, unauthorized_spread=10.0).backoff()
    return_online(life)
    lose(life, "401", 6.0)
    assert life.deadline - life.machine.now == pytest.approx(2.0 + 5.0)


def test_7_so_is_a_401_to_an_attempts_session() -> None:
    life = Life(drawn=0.5, backoff_jitter=0.0, unauthorized_spread=10.0, sign_in_interval_min=0.0).proving()
    life.tell(Unauthorized(1), 0.0)
    assert life.deadline == pytest.approx(1.0 + 5.0)
