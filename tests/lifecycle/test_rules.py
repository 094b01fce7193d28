"""The rules of the specification, one small example for each of their sentences.

The names of the tests begin with the number of the rule.
"""

from random import Random
from typing import Any

import pytest

from agentcp_fsm.lifecycle.chart import ALIVE, CHART, State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import (
    AbandonSignIn,
    AnswerInvitation,
    CloseSocket,
    ConfirmSession,
    DeliverInvitation,
    Effect,
    OpenSocket,
    ReportError,
    ReportTransition,
    SendHeartbeat,
    SignIn,
    SignOut,
)
from agentcp_fsm.lifecycle.events import (
    EVENTS,
    BeatAnswered,
    BeatSent,
    DeadlinePassed,
    Event,
    Invited,
    Malformed,
    ReceiveFailed,
    Reconnect,
    RetryNow,
    SendFailed,
    SignedIn,
    SignedOut,
    SignInFailed,
    SocketFailed,
    SocketOpened,
    Start,
    Stop,
    Unauthorized,
)
from agentcp_fsm.lifecycle.machine import NEVER, Lifecycle
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.testing import Watched

SESSION = Session("192.0.2.1", 5000, 42, "token")
SECOND_SESSION = Session("192.0.2.2", 5001, 43, "token 2")
INVITATION = Invitation("alice.agentid.example", "code", 1, "session", "https://message.example")


class Fixed(Random):
    """Draws what it is told to, between 0 (no jitter) and 1."""

    def __init__(self, drawn: float) -> None:
        super().__init__()
        self.drawn = drawn

    def random(self) -> float:
        return self.drawn


class Life:
    """One watched machine, and the shortest ways to its states."""

    def __init__(self, drawn: float = 0.0, **config: Any) -> None:
        self.machine = Lifecycle(Config(**config), Fixed(drawn))
        self.watched = Watched(self.machine)

    @property
    def state(self) -> str:
        return self.machine.state

    @property
    def deadline(self) -> float:
        return self.machine.deadline

    def tell(self, event: Event, now: float) -> list[Effect]:
        return self.watched.handle(event, now)

    def does(self, event: Event, now: float) -> list[Effect]:
        """`tell`, without the reports of transitions."""
        return [effect for effect in self.tell(event, now) if not isinstance(effect, ReportTransition)]

    def wake(self) -> list[Effect]:
        """The deadline passes, on time."""
        return self.does(DeadlinePassed(), self.deadline)

    def signing_in(self, now: float = 0.0) -> "Life":
        self.tell(Start(), now)
        return self

    def proving(self, now: float = 0.0) -> "Life":
        """The first heartbeat is sent at `now`, and not answered."""
        self.signing_in(now)
        return self.prove(now)

    def prove(self, now: float, session: Session = SESSION) -> "Life":
        self.tell(SignedIn(self.machine.attempt, session), now)
        self.tell(SocketOpened(self.machine.attempt), now)
        return self

    def online(self, now: float = 0.0, next_beat: int = 5000) -> "Life":
        self.proving(now)
        self.tell(BeatAnswered(self.machine.attempt, next_beat), now)
        assert self.state == "ONLINE"
        return self

    def degraded(self, now: float = 0.0) -> "Life":
        """A receive failed at `now`."""
        self.online(now)
        self.tell(ReceiveFailed(self.machine.attempt, "refused"), now)
        assert self.state == "DEGRADED"
        return self

    def backoff(self, now: float = 0.0) -> "Life":
        self.signing_in(now)
        self.tell(SignInFailed(1, "no"), now)
        assert self.state == "BACKOFF"
        return self

    def stopping(self, now: float = 0.0) -> "Life":
        self.online(now)
        self.tell(Stop(), now)
        assert self.state == "STOPPING"
        return self

    def reconnecting(self, now: float = 0.0) -> "Life":
        """Lost at `now`, ten seconds after the sign-in."""
        self.online(now - 10)
        self.tell(Reconnect(), now)
        assert self.state == "RECONNECTING"
        return self


BRITTLE = {"send_failure_limit": 1, "receive_failure_limit": 1}


def in_state(state: str, **config: Any) -> Life:
    """A life that is in the state at 0."""
    life = Life(**config)
    if state != "OFFLINE":
        getattr(life, state.lower())()
    return life


def beats(effects: list[Effect]) -> int:
    return sum(isinstance(effect, SendHeartbeat) for effect in effects)


# Getting there --------------------------------------------------------------------------------------------------------


def test_it_begins_at_rest() -> None:
    life = Life()
    assert (life.state, life.deadline) == ("OFFLINE", NEVER)
    assert life.machine.attempt == 0
    assert life.machine.session is None


def test_start_begins_a_sign_in_then_a_socket_then_heartbeats() -> None:
    life = Life()
    assert life.does(Start(), 0.0) == [SignIn(1)]
    assert (life.state, life.deadline) == ("SIGNING_IN", 30.0)
    assert life.does(SignedIn(1, SESSION), 2.0) == [OpenSocket(1, SESSION)]
    assert (life.state, life.deadline) == ("SIGNING_IN", 7.0)
    assert life.does(SocketOpened(1), 3.0) == [SendHeartbeat(1, 1, SESSION)]
    assert (life.state, life.deadline) == ("SIGNING_IN", 4.0)
    assert life.does(BeatAnswered(1, 7000), 3.5) == [ConfirmSession(SESSION)]
    assert (life.state, life.deadline) == ("ONLINE", 10.0)


def test_a_transition_is_reported_with_its_reasons() -> None:
    life = Life().signing_in()
    reports = [effect for effect in life.tell(SignInFailed(1, "HTTP 500"), 1.0) if isinstance(effect, ReportTransition)]
    reason, detail = "The sign-in failed; it is tried again.", f"HTTP 500; next try in {life.deadline - 1.0:.1f} s"
    assert reports == [ReportTransition("SIGNING_IN", "BACKOFF", "sign_in_failed", reason, detail, 1.0)]
    assert reports[0].text == f"{reason} ({detail})"


def test_a_wait_says_when_the_next_try_is() -> None:
    life = Life(unauthorized_spread=0.0).online()
    told = [effect for effect in life.tell(Unauthorized(1), 2.0) if isinstance(effect, ReportTransition)]
    assert [(report.dest, report.detail) for report in told] == [("BACKOFF", "next try in 3.0 s")]
    assert life.deadline == 5.0


@pytest.mark.parametrize("failure", ["", "HTTP status 500"])
def test_a_sign_out_that_failed_is_not_reported_as_one_that_succeeded(failure: str) -> None:
    life = Life().online()
    life.tell(Stop(), 6.0)
    told = [effect for effect in life.tell(SignedOut(1, failure), 6.5) if isinstance(effect, ReportTransition)]
    reason = "The sign-out failed; the connection is at rest all the same." if failure else "Signed out."
    assert [(report.dest, report.reason, report.detail) for report in told] == [("OFFLINE", reason, failure)]


def test_a_stop_without_an_answer_says_whether_there_was_something_to_sign_out() -> None:
    """It said that there was nothing to sign out, or that it had had its time."""
    reasons = []
    for life in (Life().online(), Life().signing_in()):
        life.tell(Stop(), 6.0)
        told = life.tell(DeadlinePassed(), life.deadline)
        reasons += [effect.reason for effect in told if isinstance(effect, ReportTransition)]
    assert reasons == ["The sign-out has had its time.", "There is nothing to sign out."]


def test_what_stays_in_its_state_is_not_reported() -> None:
    assert not any(isinstance(effect, ReportTransition) for effect in Life().signing_in().tell(Start(), 1.0))


def test_online_is_entered_only_by_an_answer_of_the_present_session() -> None:
    life = Life().proving()
    for event in (BeatSent(1), Invited(1, INVITATION), BeatAnswered(0, 5000), BeatAnswered(2, 5000), Malformed(1)):
        life.tell(event, 0.1)
        assert life.state == "SIGNING_IN"
    life.tell(BeatAnswered(1, 5000), 0.2)
    assert life.state == "ONLINE"


def test_an_answer_before_the_socket_is_open_proves_nothing() -> None:
    life = Life().signing_in()
    life.tell(BeatAnswered(1, 5000), 0.1)
    assert life.state == "SIGNING_IN"
    life.tell(SignedIn(1, SESSION), 0.2)
    life.tell(BeatAnswered(1, 5000), 0.3)
    assert life.state == "SIGNING_IN"
    assert life.machine.statistics.stale == 2


def test_a_session_is_confirmed_when_the_first_of_its_heartbeats_is_answered() -> None:
    life = Life().proving()
    assert life.does(BeatAnswered(1, 5000), 0.1) == [ConfirmSession(SESSION)]
    life.wake()
    assert life.does(BeatAnswered(1, 5000), 5.2) == []
    life.tell(ReceiveFailed(1, "refused"), 5.3)
    assert life.does(BeatAnswered(1, 5000), 5.4) == []
    life.tell(Reconnect(), 10.0)
    life.prove(10.0, SECOND_SESSION)
    assert life.does(BeatAnswered(2, 5000), 10.1) == [ConfirmSession(SECOND_SESSION)]


# 1: heartbeats --------------------------------------------------------------------------------------------------------


def test_1_a_heartbeat_leaves_at_once_when_the_socket_opens_then_at_every_interval() -> None:
    life = Life().online(0.0, 5000)
    assert life.deadline == 5.0
    for number in (2, 3, 4):
        assert life.does(DeadlinePassed(), life.deadline) == [SendHeartbeat(1, number, SESSION)]
        sent = life.machine.now
        life.tell(BeatSent(1), sent)
        life.tell(BeatAnswered(1, 5000), sent + 0.5)
        assert life.deadline == sent + 5.0, "the interval is counted from one heartbeat to the next"


@pytest.mark.parametrize(
    ("next_beat", "interval"),
    [(0, 5.0), (-1, 5.0), (4999, 5.0), (5001, 5.001), (300_000, 300.0), (300_001, 300.0), (2**64 - 1, 300.0)],
)
def test_1_the_interval_is_the_servers_bounded_by_configuration(next_beat: int, interval: float) -> None:
    assert Life().online(0.0, next_beat).deadline == interval


@pytest.mark.parametrize(("next_beat", "interval"), [(10**400, 40.0), (-(10**400), 2.0), (30_000, 30.0)])
def test_1_any_number_is_bounded_by_any_configuration(next_beat: int, interval: float) -> None:
    assert Life(interval_min=2.0, interval_max=40.0).online(0.0, next_beat).deadline == interval


def test_1_an_answer_later_than_the_interval_makes_the_next_heartbeat_due_at_once() -> None:
    life = Life().online()
    life.wake()  # sent at 5
    life.tell(BeatAnswered(1, 5000), 12.0)
    assert life.deadline == 12.0


# 2: proving -----------------------------------------------------------------------------------------------------------


def test_2_unanswered_heartbeats_repeat_every_second_and_three_end_the_attempt() -> None:
    life = Life(drawn=0.0).proving()
    assert life.deadline == 1.0
    assert life.wake() == [SendHeartbeat(1, 2, SESSION)]
    assert life.deadline == 2.0
    assert life.wake() == [SendHeartbeat(1, 3, SESSION)]
    assert life.deadline == 3.0
    assert life.wake() == [CloseSocket(1)]
    assert life.state == "BACKOFF"


def test_2_reconnecting_proves_itself_in_the_same_way() -> None:
    life = Life().reconnecting().prove(0.0, SECOND_SESSION)
    assert [beats(life.wake()) for _ in range(3)] == [1, 1, 0]
    assert (life.state, life.machine.now) == ("BACKOFF", 3.0)


def test_2_the_probes_are_configurable() -> None:
    life = Life(probe_interval=0.25, probe_limit=2).proving()
    assert [beats(life.wake()) for _ in range(2)] == [1, 0]
    assert (life.state, life.machine.now) == ("BACKOFF", 0.5)


def test_2_a_socket_that_does_not_open_in_time_ends_the_attempt() -> None:
    life = Life().signing_in()
    life.tell(SignedIn(1, SESSION), 1.0)
    assert life.deadline == 6.0
    assert life.wake() == [CloseSocket(1)]
    assert life.state == "BACKOFF"


@pytest.mark.parametrize("opened", [False, True])
def test_2_a_socket_that_fails_ends_the_attempt(opened: bool) -> None:
    life = Life().signing_in()
    life.tell(SignedIn(1, SESSION), 0.0)
    if opened:
        life.tell(SocketOpened(1), 0.0)
    assert life.does(SocketFailed(1, "no route"), 0.5) == [CloseSocket(1)]
    assert life.state == "BACKOFF"


@pytest.mark.parametrize("state", ["SIGNING_IN", "RECONNECTING"])
@pytest.mark.parametrize("kind", [SendFailed, ReceiveFailed])
def test_2_three_failures_in_a_row_end_the_attempt(kind: type[SendFailed | ReceiveFailed], state: str) -> None:
    life = in_state(state).prove(0.0)
    attempt = life.machine.attempt
    assert life.does(kind(attempt, "no"), 0.1) == life.does(kind(attempt, "no"), 0.2) == []
    assert life.state == state
    assert life.does(kind(attempt, "no"), 0.3) == [CloseSocket(attempt)]
    assert life.state == "BACKOFF"


def test_2_failures_are_not_carried_from_one_attempt_to_the_next() -> None:
    life = Life().proving()
    for kind in (SendFailed, SendFailed, ReceiveFailed, ReceiveFailed):
        life.tell(kind(1, "no"), 0.1)
    life.tell(SocketFailed(1, "no"), 0.2)
    life.wake()
    life.prove(life.machine.now)
    life.tell(SendFailed(2, "no"), life.machine.now)
    life.tell(ReceiveFailed(2, "no"), life.machine.now)
    assert life.state == "SIGNING_IN"


# 3: degraded ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SendFailed, ReceiveFailed])
def test_3_the_first_failure_degrades_and_an_answer_mends_it(kind: type[SendFailed | ReceiveFailed]) -> None:
    life = Life().online()
    life.tell(kind(1, "no"), 1.0)
    assert life.state == "DEGRADED"
    life.tell(BeatAnswered(1, 5000), 1.5)
    assert life.state == "ONLINE"
    for now in (2.0, 2.1):
        life.tell(kind(1, "no"), now)
    assert life.state == "DEGRADED", "the count starts afresh after an answer"


def test_3_a_heartbeat_unanswered_for_one_interval_degrades() -> None:
    life = Life().online()
    assert beats(life.wake()) == 1
    assert (life.state, life.deadline) == ("ONLINE", 10.0)
    assert beats(life.wake()) == 1, "the next is sent all the same"
    assert life.state == "DEGRADED"


def test_3_heartbeats_go_on_while_degraded() -> None:
    life = Life().degraded()
    assert life.deadline == 5.0
    assert beats(life.wake()) == 1
    assert (life.state, life.deadline) == ("DEGRADED", 10.0)


def test_3_failed_sends_are_retried_after_1_2_4_seconds_bounded_and_never_after_the_next_beat() -> None:
    life = Life(send_failure_limit=10).online(0.0, 40_000)
    waits = []
    for _ in range(6):
        life.wake()
        now = life.machine.now
        life.tell(SendFailed(1, "no"), now)
        waits.append(life.deadline - now)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    life.tell(SendFailed(1, "no"), now + 20.0)
    assert life.deadline == now + 30.0, "another failure moves the retry no further away"


def test_3_a_retry_is_never_later_than_the_next_beat() -> None:
    life = Life(send_retry_initial=6.0).online()
    life.wake()
    life.tell(SendFailed(1, "no"), 5.5)
    assert life.deadline == 10.0


def test_3_a_send_that_works_ends_the_row_of_failures() -> None:
    life = Life().online()
    for now in (1.0, 2.0, 3.0, 4.0):
        life.tell(SendFailed(1, "no"), now)
        life.tell(BeatSent(1), now)
    assert life.state == "DEGRADED", "sending works, but only an answer proves the connection"
    assert life.machine.statistics.heartbeats == 4
    assert life.machine.statistics.send_failures == 4


# 4 and 5: lost --------------------------------------------------------------------------------------------------------


def loss(kind: str, life: Life, now: float) -> list[Effect]:
    """Lose the connection at `now`, in one of the ways of rule 4; the last step's effects."""
    attempt = life.machine.attempt
    if kind == "silence":
        while life.deadline < now:
            life.wake()
        return life.does(DeadlinePassed(), now)
    if kind in ("send", "receive"):
        event: Event = SendFailed(attempt, "no") if kind == "send" else ReceiveFailed(attempt, "no")
        life.tell(event, now)
        life.tell(event, now)
        assert life.state == "DEGRADED"
        return life.does(event, now)
    events = {"401": Unauthorized(attempt), "reconnect": Reconnect(), "socket": SocketFailed(attempt, "no")}
    return life.does(events[kind], now)


KINDS = ["silence", "send", "receive", "401", "reconnect", "socket"]


@pytest.mark.parametrize("kind", KINDS)
def test_4_and_5_lost_closes_the_socket_first_and_signs_in_again(kind: str) -> None:
    life = Life(unauthorized_spread=0.0).online()
    assert loss(kind, life, 15.0) == [CloseSocket(1), SignIn(2)]
    assert (life.state, life.deadline) == ("RECONNECTING", 45.0)
    assert life.machine.statistics.losses == 1
    report = life.machine.statistics.last_loss
    assert report is not None
    assert (report.source, report.dest, report.at) == (report.source, "RECONNECTING", 15.0)


@pytest.mark.parametrize("state", ["online", "degraded"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "silence"])
def test_5_lost_soon_after_the_sign_in_waits_for_what_is_left_of_the_minimum(kind: str, state: str) -> None:
    life: Life = getattr(Life(unauthorized_spread=0.0, receive_failure_limit=3 + (state == "degraded")), state)()
    assert loss(kind, life, 2.0) == [CloseSocket(1)]
    assert (life.state, life.deadline) == ("BACKOFF", 5.0)
    assert life.machine.session is None
    assert life.machine.statistics.losses == 1
    assert life.wake() == [SignIn(2)]
    assert life.state == "RECONNECTING"


@pytest.mark.parametrize("kind", [SendFailed, ReceiveFailed])
def test_5_lost_by_the_first_failure_soon_after_the_sign_in_waits_too(kind: type[SendFailed | ReceiveFailed]) -> None:
    life = Life(**BRITTLE).online()
    assert life.does(kind(1, "no"), 2.0) == [CloseSocket(1)]
    assert (life.state, life.deadline) == ("BACKOFF", 5.0)


def test_5_lost_by_silence_soon_after_the_sign_in_waits_too() -> None:
    life = Life(interval_min=1.0).online(0.0, 1000)
    assert loss("silence", life, 3.0) == [CloseSocket(1)]
    assert (life.state, life.deadline) == ("BACKOFF", 5.0)
    assert (life.machine.session, life.machine.statistics.losses) == (None, 1)


def test_5_an_impatient_connection_is_lost_straight_from_online() -> None:
    """With a silence limit of 1, the first heartbeat without an answer is the last."""
    for minimum, state in ((5.0, "BACKOFF"), (1.0, "RECONNECTING")):
        life = Life(interval_min=1.0, silence_limit=1, sign_in_interval_min=minimum).online(0.0, 1000)
        life.wake()
        assert life.state == "ONLINE"
        assert CloseSocket(1) in life.wake()
        assert (life.state, life.machine.now) == (state, 2.0)


@pytest.mark.parametrize("kind", ["send", "receive", "401", "reconnect", "socket"])
def test_5_the_minimum_is_over_when_it_is_over(kind: str) -> None:
    life = Life(unauthorized_spread=0.0).online()
    loss(kind, life, 5.0)
    assert life.state == "RECONNECTING"


@pytest.mark.parametrize("kind", KINDS)
def test_4_lost_while_degraded_is_lost_all_the_same(kind: str) -> None:
    life = Life(unauthorized_spread=0.0, receive_failure_limit=4).degraded()
    loss(kind, life, 15.0)
    assert life.state == "RECONNECTING"


def test_4_three_intervals_without_an_answer() -> None:
    life = Life().online()
    states = []
    while life.state != "RECONNECTING":
        life.wake()
        states.append((life.machine.now, str(life.state)))
    assert states == [(5.0, "ONLINE"), (10.0, "DEGRADED"), (15.0, "RECONNECTING")]


def test_4_silence_is_counted_from_the_last_answer() -> None:
    life = Life().online()
    life.wake()
    life.tell(BeatAnswered(1, 10_000), 7.0)
    while life.state != "RECONNECTING":
        life.wake()
    assert life.machine.now == 7.0 + 3 * 10.0


def test_4_a_server_that_answers_invitations_only_is_silent() -> None:
    life = Life().online()
    while life.state != "RECONNECTING":
        life.wake()
        life.tell(Invited(life.machine.attempt, INVITATION), life.machine.now)
    assert life.machine.now == 15.0


def test_4_the_reason_is_kept_and_reported() -> None:
    life = Life().online()
    told = [effect for effect in life.tell(SocketFailed(1, "unplugged"), 9.0) if isinstance(effect, ReportTransition)]
    assert [(report.reason, report.detail) for report in told] == [("The socket is lost.", "unplugged")]
    assert life.machine.statistics.last_loss == told[0]
    assert told[0].lost


def test_5_a_new_session_is_used_after_the_loss() -> None:
    life = Life().reconnecting().prove(0.0, SECOND_SESSION)
    assert life.machine.session == SECOND_SESSION
    life.tell(BeatAnswered(2, 5000), 0.5)
    assert life.state == "ONLINE"
    assert life.wake() == [SendHeartbeat(2, 3, SECOND_SESSION)]


# 6: backing off -------------------------------------------------------------------------------------------------------


def failed_waits(life: Life, times: int, **failure: Any) -> list[float]:
    """The backoffs after several failed sign-ins in a row, each an hour after its sign-in began."""
    waits = []
    for _ in range(times):
        now = life.machine.now + min(3.0, life.deadline - life.machine.now)
        life.tell(SignInFailed(life.machine.attempt, "no", **failure), now)
        waits.append(round(life.deadline - now, 6))
        life.wake()
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
    assert life.wake() == [SignIn(2)]


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
        (True, "The session's server answers no heartbeat; the attempt is over."),
    ):
        life = in_state(state)
        if proving:
            life.prove(0.0)
        while life.state == state:
            effects = life.tell(DeadlinePassed(), life.deadline)
        assert [effect.reason for effect in effects if isinstance(effect, ReportTransition)] == [reason]


def test_6_it_is_retried_in_the_state_of_the_first_session_until_there_was_one() -> None:
    life = Life().backoff()
    assert life.wake() == [SignIn(2)]
    assert life.state == "SIGNING_IN"
    life = Life().reconnecting()
    life.tell(SignInFailed(2, "no"), 0.0)
    assert life.wake() == [SignIn(3)]
    assert life.state == "RECONNECTING"


def test_6_attempts_and_backoff_start_afresh_once_online() -> None:
    life = Life(drawn=0.0, sign_in_interval_min=0.0).signing_in()
    failed_waits(life, 4)
    life.prove(life.machine.now)
    life.tell(BeatAnswered(life.machine.attempt, 5000), life.machine.now)
    life.tell(Reconnect(), life.machine.now)
    assert failed_waits(life, 3) == [1.0, 2.0, 4.0]


def test_6_a_session_that_was_never_proven_does_not_reset_the_backoff() -> None:
    life = Life(drawn=0.0, sign_in_interval_min=0.0).signing_in()
    life.prove(0.0)
    life.tell(SocketFailed(1, "no"), 0.0)
    life.wake()
    assert failed_waits(life, 1) == [2.0]


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
    assert life.wake() == [SignIn(attempt + 1)]
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
    detail = ": broken" if kind in ("sign-in", "socket", "send", "receive") else ""
    assert ReportError(f"gave up after 2 attempts{detail}") in effects
    assert (CloseSocket(attempt) in effects) == session_in_hand
    assert (SignOut(attempt, SESSION) in effects) == session_in_hand
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


# 7: 401 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("drawn", "deadline"), [(0.0, 20.0), (0.5, 21.0), (1.0, 22.0)])
def test_7_sign_ins_after_a_401_are_spread(drawn: float, deadline: float) -> None:
    life = Life(drawn=drawn).online()
    assert life.does(Unauthorized(1), 20.0) == [CloseSocket(1)]
    assert (life.state, life.deadline) == ("BACKOFF", deadline)
    assert (life.machine.session, life.machine.statistics.losses) == (None, 1)
    life.wake()
    assert life.state == "RECONNECTING"


def test_7_a_401_while_degraded_is_no_other() -> None:
    life = Life(drawn=0.5).degraded()
    life.tell(Unauthorized(1), 20.0)
    assert (life.state, life.deadline) == ("BACKOFF", 21.0)


def test_7_the_span_begins_when_a_sign_in_may() -> None:
    life = Life(drawn=0.5, unauthorized_spread=10.0).online()
    life.tell(Unauthorized(1), 2.0)
    assert life.deadline == 10.0


def test_7_a_401_of_a_session_not_yet_proven_backs_off() -> None:
    life = Life(drawn=0.0, sign_in_interval_min=0.0).proving()
    assert life.does(Unauthorized(1), 0.5) == [CloseSocket(1)]
    assert (life.state, life.deadline) == ("BACKOFF", 1.5)


# 8: leaving -----------------------------------------------------------------------------------------------------------


def test_8_stop_closes_the_socket_signs_out_and_comes_to_rest() -> None:
    life = Life().online()
    assert life.does(Stop(), 1.0) == [CloseSocket(1), SignOut(1, SESSION)]
    assert (life.state, life.deadline) == ("STOPPING", 4.0)
    assert life.does(SignedOut(1), 2.0) == []
    assert (life.state, life.deadline) == ("OFFLINE", NEVER)
    assert life.machine.session is None


def test_8_the_sign_out_is_bounded() -> None:
    life = Life(sign_out_timeout=7.0).stopping()
    assert life.deadline == 7.0
    life.wake()
    assert life.state == "OFFLINE"


def test_8_stop_abandons_the_sign_in_in_flight() -> None:
    life = Life().signing_in()
    assert life.does(Stop(), 1.0) == [AbandonSignIn(1)]
    assert (life.state, life.deadline) == ("STOPPING", 1.0)
    life.wake()
    assert life.state == "OFFLINE"


@pytest.mark.parametrize("rested", [False, True])
def test_8_a_sign_in_that_still_succeeds_is_signed_out(rested: bool) -> None:
    life = Life().signing_in()
    life.tell(Stop(), 1.0)
    if rested:
        life.wake()
    assert life.does(SignedIn(1, SESSION), 1.0) == [SignOut(1, SESSION)]
    life.tell(SignedOut(1), 1.0)
    life.tell(DeadlinePassed(), 1.0)
    assert (life.state, life.machine.session) == ("OFFLINE", None)
    assert life.machine.statistics.stale >= 1


@pytest.mark.parametrize("state", list(State))
def test_8_stop_from_any_state_and_twice(state: str) -> None:
    life = in_state(state)
    life.tell(Stop(), 1.0)
    expected = "OFFLINE" if state == "OFFLINE" else "STOPPING"
    assert life.state == expected
    deadline = life.deadline
    ignored = life.machine.statistics.ignored
    assert life.tell(Stop(), 1.0) == []
    assert (life.state, life.deadline) == (expected, deadline)
    assert life.machine.statistics.ignored == ignored + 1


@pytest.mark.parametrize("state", [*ALIVE, "BACKOFF"])
def test_8_start_is_idempotent(state: str) -> None:
    life = in_state(state)
    before = life.machine.snapshot()
    assert life.tell(Start(), life.machine.now) == []
    assert life.machine.snapshot() == before
    assert life.machine.statistics.ignored == 1


@pytest.mark.parametrize("ended", [SignedOut(1), DeadlinePassed()])
def test_8_a_start_while_stopping_is_kept_for_afterwards(ended: Event) -> None:
    life = Life().stopping()
    assert life.tell(Start(), 1.0) == []
    assert life.tell(Start(), 1.0) == []
    assert life.machine.statistics.ignored == 1
    assert life.does(ended, 3.0) == [SignIn(2)]
    assert (life.state, life.deadline) == ("SIGNING_IN", 33.0)
    assert life.machine.attempts == 1
    life.tell(Stop(), 4.0)
    life.tell(DeadlinePassed(), 4.0)
    assert life.state == "OFFLINE", "the wish is granted once"


def test_8_a_stop_takes_the_start_back() -> None:
    life = Life().stopping()
    life.tell(Start(), 1.0)
    life.tell(Stop(), 1.5)
    assert life.machine.statistics.ignored == 0
    life.tell(SignedOut(1), 2.0)
    assert life.state == "OFFLINE"


def test_8_a_new_life_forgets_the_old_one() -> None:
    life = Life().online()
    life.tell(Invited(1, INVITATION), 1.0)
    life.tell(Stop(), 1.0)
    life.tell(SignedOut(1), 1.0)
    life.tell(Start(), 1.0)
    assert life.machine.known_invitations == ()
    life.tell(SignInFailed(2, "no"), 1.0)
    life.wake()
    assert life.state == "SIGNING_IN", "it has not been online in this life"


def test_8_start_by_the_application_need_not_wait() -> None:
    life = Life().signing_in()
    life.tell(Stop(), 0.1)
    life.tell(DeadlinePassed(), 0.1)
    assert life.does(Start(), 0.2) == [SignIn(2)]


# 9: what is late ------------------------------------------------------------------------------------------------------


def edge_events(attempt: int) -> list[Event]:
    return [
        SignedIn(attempt, SECOND_SESSION), SignInFailed(attempt, "no"), SignedOut(attempt), SocketOpened(attempt),
        SocketFailed(attempt, "no"), BeatSent(attempt), SendFailed(attempt, "no"), ReceiveFailed(attempt, "no"),
        BeatAnswered(attempt, 9000), Unauthorized(attempt), Invited(attempt, INVITATION),
    ]  # fmt: skip


@pytest.mark.parametrize("attempt", [-1, 1, 3])
@pytest.mark.parametrize("state", [*ALIVE, "BACKOFF"])
def test_9_what_belongs_to_another_attempt_is_counted_and_ignored(state: str, attempt: int) -> None:
    for event in edge_events(attempt):
        life = Life().online(-100.0)
        life.tell(Reconnect(), -50.0)
        life.tell(SignedIn(2, SESSION), 0.0)
        life.tell(SocketOpened(2), 0.0)
        if state == "SIGNING_IN":
            life = Life().backoff(-50.0)
            life.wake()
            life.prove(0.0)
        elif state in ("ONLINE", "DEGRADED"):
            life.tell(BeatAnswered(2, 5000), 0.0)
            if state == "DEGRADED":
                life.tell(ReceiveFailed(2, "no"), 0.0)
        elif state == "BACKOFF":
            life.tell(SocketFailed(2, "no"), 0.0)
        assert life.state == state
        before, stale = life.machine.snapshot(), life.machine.statistics.stale
        assert life.tell(event, 0.0) == [], event
        assert life.machine.snapshot() == before, event
        assert life.machine.statistics.stale == stale + 1, event


@pytest.mark.parametrize("state", ["OFFLINE", "BACKOFF", "STOPPING"])
def test_9_what_the_present_attempt_left_behind_is_counted_and_ignored(state: str) -> None:
    for event in edge_events(1):
        if isinstance(event, SignedIn | SignedOut) and state != "BACKOFF":
            continue
        life = in_state(state)
        before = life.machine.snapshot()
        assert life.tell(event, life.machine.now if state != "OFFLINE" else -float("inf")) == [], event
        assert life.machine.snapshot() == before, event
        assert life.machine.statistics.stale == 1, event


@pytest.mark.parametrize("event", [SignedIn(1, SECOND_SESSION), SignInFailed(1, "no"), SocketOpened(1)])
@pytest.mark.parametrize("state", ["proving", "online", "degraded"])
def test_9_what_comes_twice_is_ignored(state: str, event: Event) -> None:
    life: Life = getattr(Life(), state)()
    before = life.machine.snapshot()
    assert life.tell(event, 0.0) == []
    assert life.machine.snapshot() == before
    assert life.machine.statistics.stale == 1


def test_9_nothing_of_a_socket_counts_before_it_is_open() -> None:
    early: list[Event] = [SocketOpened(1), SocketFailed(1, "no"), SignedOut(1)]
    for event in early:
        life = Life().signing_in()
        assert life.tell(event, 0.0) == []
        assert life.machine.statistics.stale == 1
    early = [BeatSent(1), SendFailed(1, ""), ReceiveFailed(1, ""), Unauthorized(1), Invited(1, INVITATION)]
    for event in early:
        life = Life().signing_in()
        life.tell(SignedIn(1, SESSION), 0.0)
        before = life.machine.snapshot()
        assert life.tell(event, 0.0) == []
        assert life.machine.snapshot() == before
        assert life.machine.statistics.stale == 1


def test_9_the_sign_out_of_another_session_does_not_end_the_wait() -> None:
    life = Life().stopping()
    life.tell(SignedOut(0), 1.0)
    assert (life.state, life.machine.statistics.stale) == ("STOPPING", 1)
    life.tell(Start(), 1.0)
    life.tell(SignedOut(0), 1.0)
    assert (life.state, life.machine.statistics.stale) == ("STOPPING", 2)
    life = Life().signing_in()
    life.tell(Stop(), 1.0)
    life.tell(SignedOut(1), 1.0)
    assert (life.state, life.machine.statistics.stale) == ("STOPPING", 1)


@pytest.mark.parametrize("proving", [False, True])
@pytest.mark.parametrize("state", ["SIGNING_IN", "RECONNECTING"])
def test_9_what_is_late_does_not_end_the_last_attempt_either(state: str, proving: bool) -> None:
    life = in_state(state, sign_in_attempt_limit=1)
    attempt = life.machine.attempt
    if proving:
        life.prove(0.0)
    for event in edge_events(attempt - 1) + edge_events(attempt + 1):
        assert life.tell(event, 0.1) == []
    assert life.state == state
    if proving:
        assert [beats(life.wake()) for _ in range(3)] == [1, 1, 0]
        assert life.state == "STOPPING"


# 10 and 11: datagrams -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["proving", "online", "degraded"])
def test_10_an_invitation_is_answered_and_delivered_once(state: str) -> None:
    life: Life = getattr(Life(), state)()
    before = life.state
    assert life.does(Invited(1, INVITATION), 0.1) == [
        AnswerInvitation(1, 2, SESSION, INVITATION),
        DeliverInvitation(INVITATION),
    ]
    assert life.does(Invited(1, INVITATION), 0.2) == [AnswerInvitation(1, 3, SESSION, INVITATION)]
    assert life.state == before
    assert (life.machine.statistics.invitations, life.machine.statistics.duplicates) == (1, 1)


def test_10_it_is_remembered_across_sessions() -> None:
    life = Life().online(-10.0)
    life.tell(Invited(1, INVITATION), -9.0)
    life.tell(Reconnect(), 0.0)
    life.prove(0.0)
    assert life.does(Invited(2, INVITATION), 0.1) == [AnswerInvitation(2, 4, SESSION, INVITATION)]


def test_10_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    life = Life(invitation_memory=2).online()
    others = [Invitation("bob", "code", number, "session", "") for number in range(3)]
    for invitation in others:
        assert DeliverInvitation(invitation) in life.does(Invited(1, invitation), 0.1)
    assert life.machine.known_invitations == (others[1], others[2])
    assert DeliverInvitation(others[0]) in life.does(Invited(1, others[0]), 0.1)


def test_10_an_answer_that_cannot_be_sent_is_a_failed_send() -> None:
    life = Life().online()
    life.tell(Invited(1, INVITATION), 0.1)
    life.tell(SendFailed(1, "no buffer space"), 0.1)
    assert (life.state, life.deadline) == ("DEGRADED", 1.1)


def test_10_what_is_received_ends_the_row_of_receive_failures() -> None:
    life = Life().online()
    for _ in range(4):
        life.tell(ReceiveFailed(1, "no"), 0.1)
        life.tell(Invited(1, INVITATION), 0.1)
    assert life.state == "DEGRADED"


@pytest.mark.parametrize("state", list(State))
def test_11_noise_is_counted_and_has_no_other_effect(state: str) -> None:
    life = in_state(state)
    now = life.machine.now
    before = life.machine.snapshot()
    for _ in range(5):
        assert life.tell(Malformed(1), now) == []
    assert life.machine.snapshot() == before
    assert life.machine.statistics.malformed == 5
    life.machine.statistics.malformed = 0
    assert life.machine.statistics == in_state(state).machine.statistics


# 12: time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("earlier", [-100.0, float("nan"), float("-inf")])
def test_12_time_never_runs_backwards(earlier: float) -> None:
    life = Life().online(0.0)
    life.tell(BeatSent(1), 4.0)
    life.tell(ReceiveFailed(1, "no"), earlier)
    assert life.machine.now == 4.0
    life.tell(Reconnect(), earlier)
    assert (life.state, life.deadline) == ("BACKOFF", 5.0)


def test_12_a_process_that_was_suspended_acts_once() -> None:
    life = Life().online()
    assert beats(life.does(DeadlinePassed(), 10_000.0)) == 1, "one heartbeat finds out how things are"
    assert (life.state, life.deadline) == ("ONLINE", 10_005.0)
    assert life.does(DeadlinePassed(), 10_000.0) == []
    assert life.does(DeadlinePassed(), 10_005.0) == [CloseSocket(1), SignIn(2)]
    assert life.state == "RECONNECTING"


def test_12_a_suspended_process_with_a_live_session_stays_online() -> None:
    life = Life().online()
    life.tell(DeadlinePassed(), 10_000.0)
    life.tell(BeatAnswered(1, 5000), 10_000.1)
    assert (life.state, life.deadline) == ("ONLINE", 10_005.0)


def test_12_an_event_after_the_deadline_makes_it_due_at_once() -> None:
    """S10: the deadline used to stay where it was, in the past."""
    life = Life().online()
    life.tell(Malformed(1), 100.0)
    assert life.deadline == 100.0
    assert beats(life.does(DeadlinePassed(), 100.0)) == 1


@pytest.mark.parametrize("state", [state for state in State if state != "OFFLINE"])
def test_12_a_wake_before_the_deadline_has_no_effect(state: str) -> None:
    life = in_state(state)
    before = life.machine.snapshot()
    assert life.tell(DeadlinePassed(), life.machine.now) == []
    assert life.machine.snapshot() == before
    assert life.machine.statistics.ignored == 1


def test_12_nothing_is_due_at_rest() -> None:
    life = Life()
    assert life.tell(DeadlinePassed(), 1.0) == []
    assert (life.state, life.machine.statistics.ignored) == ("OFFLINE", 1)


# The application's hurry ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [RetryNow(), Reconnect()])
@pytest.mark.parametrize(("failed_at", "asked_at", "deadline"), [(0.0, 1.0, 5.0), (6.0, 6.1, None)])
def test_a_backoff_ends_early_but_not_before_the_minimum(
    event: Event, failed_at: float, asked_at: float, deadline: float | None
) -> None:
    life = Life(drawn=0.0, backoff_initial=20.0).signing_in()
    life.tell(SignInFailed(1, "no"), failed_at)
    effects = life.does(event, asked_at)
    if deadline is None:
        assert effects == [SignIn(2)]
        assert life.state == "SIGNING_IN"
    else:
        assert effects == []
        assert (life.state, life.deadline) == ("BACKOFF", deadline)
        assert life.wake() == [SignIn(2)]


@pytest.mark.parametrize("event", [RetryNow(), Reconnect()])
def test_a_backoff_after_a_loss_ends_early_in_reconnecting(event: Event) -> None:
    life = Life(drawn=1.0, unauthorized_spread=100.0).online()
    life.tell(Unauthorized(1), 10.0)
    assert life.does(event, 11.0) == [SignIn(2)]
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
    assert life.does(Reconnect(), 10.0) == [AbandonSignIn(attempt + 1), SignIn(attempt + 2)]
    assert (life.state, life.deadline) == (state, 40.0)
    life.tell(SignedIn(attempt + 2, SESSION), 20.0)
    assert life.does(Reconnect(), 20.0) == [CloseSocket(attempt + 2), SignIn(attempt + 3)]
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


# 13: all is decided ---------------------------------------------------------------------------------------------------


def test_13_every_pair_is_decided() -> None:
    CHART.check(Lifecycle)
    assert set(CHART.triggers) == {kind.trigger for kind in EVENTS}
    assert set(CHART.state_names) == set(State)
    for state in State:
        for kind in EVENTS:
            assert CHART.cell(state, kind.trigger), (state, kind)


def test_every_row_says_why() -> None:
    for row in CHART.rows:
        assert row.reason.endswith("."), row
