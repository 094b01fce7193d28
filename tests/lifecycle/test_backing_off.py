"""Rule 6: attempts that fail.

The names of the tests begin with the number of the rule.
"""

from typing import Any

import pytest

from agentcp_fsm.lifecycle.effects import (
    AbandonSignIn,
    CloseSocket,
    Effect,
    ReportError,
    ReportTransition,
    SignIn,
    SignOut,
)
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    DeadlinePassed,
    Event,
    ReceiveFailed,
    Reconnect,
    RetryNow,
    SendFailed,
    SignInFailed,
    SocketFailed,
    Start,
    Unauthorized,
)
from agentcp_fsm.lifecycle.variables import NEVER
from tests.lifecycle.life import BRITTLE, SESSION, Life, in_state, sign_in

# 6: backing off -------------------------------------------------------------------------------------------------------


def failed_waits(life: Life, times: int, **failure: Any) -> list[float]:
    """The backoffs after several failed sign-ins in a row, each an hour after its sign-in began."""
    waits, state = [], life.state
    for _ in range(times):
        now = life.machine.now + min(3.0, life.deadline - life.machine.now)
        life.tell(SignInFailed(life.machine.attempt, "no", **failure), now)
        waits.append(round(life.machine.timeout_at - now, 6))
        life.wake_until(state)
    return waits


def test_6_the_delay_is_exponential_to_a_cap() -> None:
    life = Life(sign_in_interval_min=0.0).signing_in()
    assert failed_waits(life, 7) == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_6_the_exponent_may_grow_for_ever() -> None:
    life = Life(sign_in_interval_min=0.0).signing_in()
    assert failed_waits(life, 1200)[-1] == 30.0


def test_6_jitter_is_applied_after_the_cap() -> None:
    life = Life(drawn=1.0, sign_in_interval_min=0.0, backoff_jitter=0.75).signing_in()
    assert failed_waits(life, 7) == [0.25, 0.5, 1.0, 2.0, 4.0, 7.5, 7.5]


def test_6_without_jitter_nothing_is_random() -> None:
    life = Life(drawn=1.0, sign_in_interval_min=0.0, backoff_jitter=0.0).signing_in()
    assert failed_waits(life, 3) == [1.0, 2.0, 4.0]


def test_6_the_random_part_comes_after_what_must_be_waited_anyway() -> None:
    for drawn, deadline in ((0.0, 6.0), (1.0, 5.25)):
        life = Life(drawn=drawn, backoff_jitter=0.75).signing_in()
        life.tell(SignInFailed(1, "no"), 0.5)
        assert life.deadline == deadline


def test_6_the_cap_holds_for_the_sum() -> None:
    life = Life(drawn=0.0, sign_in_interval_min=10.0, backoff_initial=30.0).signing_in()
    life.tell(SignInFailed(1, "no"), 0.0)
    assert life.deadline == 30.0


def test_6_the_random_part_stays_worth_its_name_after_a_long_compulsory_wait() -> None:
    life = Life(drawn=0.0, sign_in_interval_min=20.0, backoff_initial=30.0).signing_in()
    life.tell(SignInFailed(1, "no"), 0.0)
    assert life.deadline == 40.0


@pytest.mark.parametrize("asked", [12.0, 100.0])
def test_6_never_less_than_a_retry_after(asked: float) -> None:
    life = Life(drawn=1.0, backoff_jitter=1.0).signing_in()
    life.tell(SignInFailed(1, "busy", asked), 1.0)
    assert life.deadline == 1.0 + asked
    assert life.does(RetryNow(), 2.0) == []
    assert life.deadline == 1.0 + asked
    assert life.wake() == [sign_in(2)]


@pytest.mark.parametrize("asked", [601.0, 1e9, float("inf"), 10**400])
def test_6_no_retry_after_silences_a_connection_for_ever(asked: float) -> None:
    life = Life(drawn=1.0, backoff_jitter=1.0).signing_in()
    life.tell(SignInFailed(1, "busy", asked), 0.0)
    assert life.deadline == 600.0


@pytest.mark.parametrize("asked", [None, 0.0, -5.0, float("nan"), float("-inf")])
def test_6_a_retry_after_without_meaning_is_none(asked: float | None) -> None:
    life = Life(drawn=0.0).signing_in()
    life.tell(SignInFailed(1, "busy", asked), 5.0)
    assert life.deadline == 6.0


def test_6_a_shorter_retry_after_does_not_shorten_the_backoff() -> None:
    life = Life(drawn=0.0).signing_in()
    life.tell(SignInFailed(1, "busy", 0.5), 1.0)
    assert life.deadline == 6.0


def test_6_a_retry_after_is_obeyed_even_when_rejected() -> None:
    life = Life(drawn=1.0, backoff_jitter=1.0).signing_in()
    life.tell(SignInFailed(1, "busy", 50.0, rejected=True), 1.0)
    assert life.deadline == 51.0


def test_6_a_rejection_waits_the_cap_at_once_and_is_reported_as_an_error() -> None:
    life = Life(drawn=1.0, backoff_jitter=1.0).signing_in()
    assert ReportError("HTTP 403") in life.does(SignInFailed(1, "HTTP 403", rejected=True), 1.0)
    assert (life.state, life.deadline) == ("BACKOFF", 31.0)


def test_6_a_failure_that_may_pass_is_no_error() -> None:
    assert not any(
        isinstance(effect, ReportError) for effect in Life().signing_in().does(SignInFailed(1, "HTTP 500"), 1.0)
    )


def test_6_a_sign_in_without_end_is_abandoned() -> None:
    life = Life().signing_in()
    assert life.deadline == 30.0
    assert life.wake() == [AbandonSignIn(1)]
    assert life.state == "BACKOFF"


@pytest.mark.parametrize("state", ["SIGNING_IN", "RECONNECTING"])
def test_6_the_report_tells_what_took_too_long(state: str) -> None:
    for proving, reason in (
        (False, "The sign-in takes too long; the attempt is over."),
        (True, "The session's server answers no heartbeat; the attempt is over, and the next has more time."),
    ):
        life = in_state(state)
        if proving:
            life.prove(0.0)
        while life.state == state:
            effects = life.tell(DeadlinePassed(), life.deadline)
        assert [effect.reason for effect in effects if isinstance(effect, ReportTransition)] == [reason]


def test_6_it_is_retried_in_the_state_of_the_first_session_until_there_was_one() -> None:
    life = Life().backoff()
    assert life.wake() == [sign_in(2)]
    assert life.state == "SIGNING_IN"
    life = Life().reconnecting()
    life.tell(SignInFailed(2, "no"), 0.0)
    assert life.wake() == [sign_in(3)]
    assert life.state == "RECONNECTING"


@pytest.mark.parametrize(("lasted", "waits"), [(29.5, [16.0, 30.0, 30.0]), (30.5, [1.0, 2.0, 4.0])])
def test_6_attempts_and_backoff_start_afresh_once_online_has_lasted(lasted: float, waits: list[float]) -> None:
    life = Life(drawn=0.0, sign_in_interval_min=0.0).signing_in()
    failed_waits(life, 4)
    life.prove(life.machine.now)
    life.tell(BeatAnswered(life.machine.attempt, 5000), life.machine.now)
    life.tell(Reconnect(), life.machine.now + lasted)
    assert failed_waits(life, 3) == waits


def test_6_a_session_that_was_never_proven_does_not_reset_the_backoff() -> None:
    life = Life(drawn=0.0, sign_in_interval_min=0.0).signing_in()
    life.prove(0.0)
    life.tell(SocketFailed(1, "no"), 0.0)
    life.wake_until("SIGNING_IN")
    assert failed_waits(life, 1) == [2.0]


TIME_OVER = "the time is over"
FAILURES: list[tuple[str, bool]] = [
    ("sign-in", False), ("socket", True), ("send", True), ("receive", True), ("401", True), ("silence", True),
    ("timeout", False),
]  # fmt: skip


def fail(life: Life, kind: str, session_in_hand: bool, rejected: bool = False) -> list[Effect]:
    """End the attempt in one of the ways of FAILURES; the last step's effects."""
    attempt, state = life.machine.attempt, life.state
    if session_in_hand:
        life.prove(life.machine.now)
    effects: list[Effect] = []
    if kind in ("silence", "timeout"):
        while life.state == state:
            effects = life.wake()
        return effects
    event: Event = {
        "sign-in": SignInFailed(attempt, "broken", rejected=rejected), "socket": SocketFailed(attempt, "broken"),
        "send": SendFailed(attempt, "broken"), "receive": ReceiveFailed(attempt, "broken"),
        "401": Unauthorized(attempt),
    }[kind]  # fmt: skip
    return life.does(event, life.machine.now)


@pytest.mark.parametrize("state", ["SIGNING_IN", "RECONNECTING"])
@pytest.mark.parametrize(("kind", "session_in_hand"), FAILURES)
def test_6_an_attempt_that_fails_in_any_way_is_followed_by_another(
    kind: str, session_in_hand: bool, state: str
) -> None:
    life = Life(**BRITTLE).reconnecting() if state == "RECONNECTING" else Life(**BRITTLE).signing_in()
    attempt = life.machine.attempt
    effects = fail(life, kind, session_in_hand)
    assert life.state == "BACKOFF"
    assert (CloseSocket(attempt) in effects) == session_in_hand
    assert not any(isinstance(effect, ReportError) for effect in effects)
    assert life.machine.statistics.failed_attempts == 1
    assert life.machine.session is None
    effects = life.wake()
    while life.state == "BACKOFF":
        effects = life.wake()
    assert effects[-1] == sign_in(life.machine.attempt)
    assert life.state == state


@pytest.mark.parametrize("state", ["SIGNING_IN", "RECONNECTING"])
def test_6_a_rejected_attempt_is_one_that_failed(state: str) -> None:
    life = Life().reconnecting() if state == "RECONNECTING" else Life().signing_in()
    effects = fail(life, "sign-in", False, rejected=True)
    assert ReportError("broken") in effects
    assert (life.state, life.machine.statistics.failed_attempts) == ("BACKOFF", 1)
    assert life.deadline >= 30.0
    life.wake()
    assert life.state == state


@pytest.mark.parametrize("once_online", [False, True])
@pytest.mark.parametrize(("kind", "session_in_hand"), FAILURES)
def test_6_at_the_limit_of_attempts_it_stops_with_the_reason(
    kind: str, session_in_hand: bool, once_online: bool
) -> None:
    life = Life(sign_in_attempt_limit=2, **BRITTLE)
    if once_online:
        life.reconnecting(0.0)
        fail(life, "sign-in", False)
    else:
        life.backoff()
    life.wake()
    attempt = life.machine.attempt
    effects = fail(life, kind, session_in_hand, rejected=True)
    assert life.state == "STOPPING"
    causes = {"401": "the server does not know the session (401)", "silence": TIME_OVER, "timeout": TIME_OVER}
    gone = CloseSocket(attempt) if session_in_hand else AbandonSignIn(attempt)
    error = ReportError(f"gave up after 2 attempts: {causes.get(kind, 'broken')}")
    known = session_in_hand and kind != "401"  # a session that the server does not know needs no sign-out
    assert effects == [gone, error, *([SignOut(attempt, SESSION)] if known else [])]
    life.wake()
    assert (life.state, life.deadline) == ("OFFLINE", NEVER)
    assert life.machine.statistics.failed_attempts == 2


def test_6_without_a_limit_it_is_retried_for_ever() -> None:
    life = Life().signing_in()
    failed_waits(life, 100)
    assert life.state == "SIGNING_IN"


def test_6_the_limit_counts_anew_after_start() -> None:
    life = Life(sign_in_attempt_limit=1).signing_in()
    life.tell(SignInFailed(1, "no"), 0.0)
    life.wake()
    life.tell(Start(), 1.0)
    life.prove(1.0)
    life.tell(BeatAnswered(2, 5000), 1.0)
    assert life.state == "ONLINE"
    life.tell(Reconnect(), 10.0)
    life.tell(SignInFailed(3, "no"), 10.0)
    assert life.state == "STOPPING"


# 2: long round trips --------------------------------------------------------------------------------------------------


def test_2_each_failed_attempt_gives_the_next_sign_in_more_time_to_connect() -> None:
    life = Life()
    (first,) = life.does(Start(), 0.0)
    allowed = [first]
    for _ in range(4):
        life.tell(SignInFailed(life.machine.attempt, "not connected in time"), life.machine.now)
        allowed += life.wake()
    assert [effect.connect_timeout for effect in allowed if isinstance(effect, SignIn)] == [2.0, 4.0, 8.0, 10.0, 10.0]


def test_2_the_time_to_connect_starts_afresh_once_online_has_lasted() -> None:
    life = Life(unauthorized_spread=0.0).backoff()
    life.wake()
    life.prove(life.machine.now)
    life.tell(BeatAnswered(life.machine.attempt, 5000), life.machine.now)
    assert life.does(Unauthorized(life.machine.attempt), life.machine.now + 31.0)[-1] == SignIn(3, 2.0)


def test_2_the_most_is_never_below_the_least() -> None:
    life = Life(connect_timeout=20.0)
    assert life.does(Start(), 0.0) == [SignIn(1, 20.0)]
    life.tell(SignInFailed(1, "no"), 1.0)
    assert life.wake() == [SignIn(2, 20.0)]
