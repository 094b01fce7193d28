"""Rules 1 and 2: heartbeats, and how a connection is proven.

The names of the tests begin with the number of the rule.
"""

import pytest

from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.effects import (
    CloseSocket,
    ConfirmSession,
    OpenSocket,
    ReportTransition,
    SendHeartbeat,
)
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    BeatSent,
    DeadlinePassed,
    Invited,
    Malformed,
    ReceiveFailed,
    Reconnect,
    SendFailed,
    SignedIn,
    SignInFailed,
    SocketFailed,
    SocketOpened,
    Start,
)
from agentcp_fsm.lifecycle.variables import NEVER
from tests.lifecycle.life import INVITATION, SECOND_SESSION, SESSION, Life, beats, in_state, sign_in

# Getting there --------------------------------------------------------------------------------------------------------


def test_it_begins_at_rest() -> None:
    life = Life()
    assert (life.state, life.deadline) == ("OFFLINE", NEVER)
    assert life.machine.attempt == 0
    assert life.machine.session is None


def test_start_begins_a_sign_in_then_a_socket_then_heartbeats() -> None:
    life = Life()
    assert life.does(Start(), 0.0) == [sign_in(1)]
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
    assert reports == [
        ReportTransition(
            State.SIGNING_IN,
            State.BACKOFF,
            "sign_in_failed",
            "The sign-in failed; it is tried again.",
            "HTTP 500; next try in 5.0 s",
            1.0,
            False,
        )
    ]


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
    [(0, 5.0), (-1, 5.0), (4999, 5.0), (5001, 5.001), (30_000, 30.0), (30_001, 30.0), (2**64 - 1, 30.0)],
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


def attempt_lasts(life: Life) -> float:
    """Seconds from the first heartbeat of the next attempt to its end, for want of an answer."""
    life.wake_until("SIGNING_IN")
    began = life.machine.now
    life.prove(began)
    life.wake_until("BACKOFF")
    return life.machine.now - began


def test_2_the_time_allowed_doubles_with_each_attempt_that_nothing_answers() -> None:
    life = Life().signing_in()
    assert [attempt_lasts(life) for _ in range(6)] == pytest.approx([3.0, 6.0, 12.0, 24.0, 30.0, 30.0])
    life.wake_until("SIGNING_IN")
    life.prove(life.machine.now)
    life.tell(BeatAnswered(life.machine.attempt, 5000), life.machine.now)
    life.tell(Reconnect(), life.machine.now)
    life.wake_until("RECONNECTING")
    began = life.machine.now
    life.prove(began)
    life.wake_until("BACKOFF")
    assert life.machine.now - began == pytest.approx(3.0), "it starts afresh with ONLINE"


def test_2_only_attempts_that_nothing_answers_earn_more_time() -> None:
    life = Life().signing_in()
    life.tell(SignInFailed(1, "no"), 0.0)
    life.wake_until("SIGNING_IN")
    life.tell(SignedIn(2, SESSION), life.machine.now)
    life.wake_until("BACKOFF")  # the socket takes too long
    assert attempt_lasts(life) == pytest.approx(3.0)


@pytest.mark.parametrize(("limit", "longest"), [(3, 4.0), (10, 10.0)])
def test_2_the_time_allowed_is_bounded_but_never_below_what_the_limit_gives(limit: int, longest: float) -> None:
    life = Life(probe_limit=limit, probe_time_max=4.0).signing_in()
    attempt_lasts(life)
    assert attempt_lasts(life) == pytest.approx(longest)


def test_2_heartbeats_repeat_every_second_all_the_longer_time() -> None:
    life = Life().signing_in()
    attempt_lasts(life)
    life.wake_until("SIGNING_IN")
    life.prove(life.machine.now)
    assert [beats(life.wake()) for _ in range(6)] == [1, 1, 1, 1, 1, 0]


def test_2_a_round_trip_longer_than_the_first_attempt_gets_through() -> None:
    life = Life().signing_in()
    attempt_lasts(life)
    life.wake_until("SIGNING_IN")
    began = life.machine.now
    life.prove(began)
    for _ in range(4):
        life.wake()
    life.tell(BeatAnswered(life.machine.attempt, 5000), began + 4.0)
    assert life.state == "ONLINE"


@pytest.mark.parametrize("state", ["SIGNING_IN", "RECONNECTING"])
def test_2_a_socket_that_does_not_open_in_time_ends_the_attempt(state: str) -> None:
    life = in_state(state)
    attempt = life.machine.attempt
    life.tell(SignedIn(attempt, SESSION), 1.0)
    assert life.deadline == 6.0
    (close, report) = life.tell(DeadlinePassed(), 6.0)
    assert close == CloseSocket(attempt)
    assert isinstance(report, ReportTransition)
    assert report.reason == "The socket takes too long to open; the attempt is over."
    assert (life.state, life.machine.doubtful, life.machine.late_sign_in) == ("BACKOFF", SESSION, None)


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
    assert life.fail_sends(2, 0.2, kind) == []
    assert life.state == state
    assert life.does(kind(attempt, "no"), 0.3) == [CloseSocket(attempt)]
    assert life.state == "BACKOFF"


def test_2_failures_are_not_carried_from_one_attempt_to_the_next() -> None:
    life = Life().proving()
    life.fail_sends(2, 0.1)
    life.fail_sends(2, 0.3, ReceiveFailed)
    life.tell(SocketFailed(1, "no"), 0.4)
    life.wake_until("SIGNING_IN")
    life.prove(life.machine.now)
    life.fail_sends(1, life.machine.now)
    life.fail_sends(1, life.machine.now, ReceiveFailed)
    assert life.state == "SIGNING_IN"


def test_2_a_send_that_fails_is_tried_again_soon_and_not_later_than_the_repetition() -> None:
    life = Life(send_retry_initial=0.25, probe_limit=10, send_failure_limit=10).proving()
    waits = []
    for _ in range(4):
        now = life.machine.now
        life.tell(SendFailed(1, "no"), now)
        waits.append(life.deadline - now)
        life.wake()
    assert waits == [0.25, 0.5, 1.0, 1.0]
