"""Rules 5, 7 and 9 in BACKOFF: a doubtful session is probed, and a late sign-in is taken."""

import pytest

from agentcp_fsm.lifecycle.effects import (
    AbandonSignIn,
    AnswerInvitation,
    CloseSocket,
    ConfirmSession,
    DeliverInvitation,
    Effect,
    OpenSocket,
    ReportError,
    SendHeartbeat,
    SignIn,
    SignOut,
)
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    BeatSent,
    DeadlinePassed,
    Event,
    Invited,
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
from tests.lifecycle.life import INVITATION, SECOND_SESSION, SESSION, Life, sign_in


def doubting(now: float = 100.0, **config: float) -> Life:
    """Lost by failing sends at `now`, long after it came online; the sign-in failed at once."""
    life = Life(**{"backoff_initial": 20.0, **config}).online(now - 50.0)
    life.fail_sends(3, now)
    assert life.state == "RECONNECTING"
    life.tell(SignInFailed(2, "no"), now)
    assert (life.state, life.deadline) == ("BACKOFF", now)
    return life


def probing(now: float = 100.0, **config: float) -> Life:
    """The same, and the first probe has left."""
    life = doubting(now, **config)
    assert life.does(DeadlinePassed(), now) == [OpenSocket(3, SESSION)]
    assert life.does(SocketOpened(3), now) == [SendHeartbeat(3, 2, SESSION)]
    return life


def probes(life: Life) -> list[float]:
    """When probes leave in this BACKOFF; nothing answers."""
    times = []
    while life.state == "BACKOFF":
        for effect in life.wake():
            if isinstance(effect, OpenSocket):
                assert life.does(SocketOpened(effect.attempt), life.machine.now)
                times.append(life.machine.now)
    return times


def lose(life: Life, kind: str) -> list[Effect]:
    if kind == "silence":
        while life.state in ("ONLINE", "DEGRADED"):
            effects = life.wake()
        return effects
    if kind == "socket":
        return life.does(SocketFailed(1, "no"), 2.0)
    return life.fail_sends(3, 2.0, SendFailed if kind == "send" else ReceiveFailed)


@pytest.mark.parametrize("kind", ["silence", "send", "receive", "socket"])
def test_5_a_session_lost_by_silence_or_failures_is_probed_at_once_on_a_fresh_socket(kind: str) -> None:
    life = Life(interval_min=1.0).online(0.0, 1000)
    assert lose(life, kind)[0] == CloseSocket(1)
    now = life.machine.now
    assert (life.state, life.deadline) == ("BACKOFF", now)
    assert life.machine.doubtful == SESSION
    assert life.wake() == [OpenSocket(2, SESSION)]
    assert life.does(SocketOpened(2), now) == [SendHeartbeat(2, life.machine.sequence, SESSION)]


@pytest.mark.parametrize("kind", ["401", "reconnect"])
def test_5_a_session_that_ended_is_not_probed(kind: str) -> None:
    life = Life().online()
    life.tell(Unauthorized(1) if kind == "401" else Reconnect(), 2.0)
    assert (life.state, life.machine.doubtful) == ("BACKOFF", None)
    assert [type(effect) for effect in life.wake()] == [SignIn]


@pytest.mark.parametrize("kind", ["silence", "send", "receive", "socket", "opening"])
def test_5_the_session_of_an_attempt_that_failed_is_probed_too(kind: str) -> None:
    life = Life().signing_in()
    life.tell(SignedIn(1, SESSION), 0.0)
    if kind != "opening":
        life.tell(SocketOpened(1), 0.0)
    if kind == "socket":
        life.tell(SocketFailed(1, "no"), 2.0)
    elif kind in ("send", "receive"):
        life.fail_sends(3, 1.0, SendFailed if kind == "send" else ReceiveFailed)
    else:
        life.wake_until("BACKOFF")
    assert (life.state, life.machine.doubtful) == ("BACKOFF", SESSION)
    assert life.wake() == [OpenSocket(2, SESSION)]
    life.tell(SocketOpened(2), life.machine.now)
    assert life.does(BeatAnswered(2, 5000), life.machine.now) == [ConfirmSession(SESSION)]
    assert life.state == "ONLINE"


def test_5_the_session_of_an_attempt_that_a_401_ended_is_not() -> None:
    life = Life().proving()
    life.tell(Unauthorized(1), 0.5)
    assert (life.state, life.machine.doubtful) == ("BACKOFF", None)


def test_5_an_answer_to_a_probe_is_online_at_once() -> None:
    life = probing()
    assert life.does(BeatAnswered(3, 6000), 100.2) == [ConfirmSession(SESSION)]
    assert (life.state, life.deadline) == ("ONLINE", 106.0)
    assert (life.machine.session, life.machine.doubtful) == (SESSION, None)
    assert life.wake() == [SendHeartbeat(3, 3, SESSION)]
    assert life.machine.statistics.times_online == 2
    life.tell(BeatAnswered(3, 6000), life.machine.now)
    life.tell(Reconnect(), 107.0)
    assert life.state == "RECONNECTING"


def test_5_a_probe_measures_the_round_trip() -> None:
    life = probing()
    life.tell(BeatAnswered(3, 30_000), 104.0)
    life.wake()
    assert life.deadline - life.machine.now > 4.0


def test_5_probes_leave_after_1_2_4_seconds_bounded_by_the_interval() -> None:
    life = doubting(backoff_initial=30.0)
    assert probes(life) == pytest.approx([100.0, 101.0, 103.0, 107.0, 112.0, 117.0, 122.0, 127.0])
    assert life.machine.now == 130.0
    assert life.machine.statistics.probes == 8


def test_5_the_first_gap_is_configurable() -> None:
    life = doubting(backoff_initial=30.0, probe_interval=2.0)
    assert probes(life)[:5] == pytest.approx([100.0, 102.0, 106.0, 111.0, 116.0])


def test_5_probes_are_never_faster_than_the_retransmission_time() -> None:
    life = doubting(backoff_initial=30.0, retransmission_min=3.0)
    assert probes(life)[:4] == pytest.approx([100.0, 103.0, 106.0, 110.0])


def test_5_the_probes_of_the_next_wait_go_on_where_the_last_ended() -> None:
    """Never faster than heartbeats go in the end, however many waits there are."""
    life = doubting(backoff_initial=10.0)
    assert probes(life) == pytest.approx([100.0, 101.0, 103.0, 107.0, 112.0])
    assert (life.state, life.machine.now) == ("RECONNECTING", 115.0)
    life.tell(SignInFailed(life.machine.attempt, "no"), 115.5)
    assert life.deadline == 117.0
    assert probes(life)[:3] == pytest.approx([117.0, 122.0, 127.0])


def test_5_the_next_doubtful_session_is_probed_at_once_again() -> None:
    life = doubting(backoff_initial=10.0)
    probes(life)
    now = life.machine.now
    life.prove(now, SECOND_SESSION)
    assert life.machine.doubtful is None
    life.tell(SocketFailed(life.machine.attempt, "no"), now)
    assert (life.state, life.deadline) == ("BACKOFF", now)
    assert OpenSocket(life.machine.attempt + 1, SECOND_SESSION) in life.wake()


def test_5_no_datagram_is_sent_while_a_sign_in_is_in_flight() -> None:
    life = probing()
    assert life.does(RetryNow(), 106.0) == [CloseSocket(3), sign_in(4)]
    assert (life.state, life.deadline) == ("RECONNECTING", 136.0)


def test_5_each_probe_has_a_fresh_socket() -> None:
    life = probing()
    assert life.wake() == [CloseSocket(3), OpenSocket(4, SESSION)]
    assert life.tell(BeatAnswered(3, 5000), 101.0) == [], "too late: its socket is closed"
    assert life.machine.statistics.stale == 1


def test_5_a_401_to_a_probe_ends_the_session_and_the_wait() -> None:
    life = probing(drawn=0.5)
    assert life.does(Unauthorized(3), 104.0) == [CloseSocket(3)]
    assert (life.state, life.machine.doubtful) == ("BACKOFF", None)
    assert life.deadline == 106.0, "the least time between sign-ins ended at 105; the spread came on top"
    assert life.wake() == [sign_in(4)]


def test_5_a_401_to_a_probe_does_not_overrule_a_retry_after() -> None:
    life = Life().online(50.0)
    life.fail_sends(3, 100.0)
    life.tell(SignInFailed(2, "busy", 200.0), 100.0)
    life.wake()
    life.tell(SocketOpened(3), 100.0)
    life.tell(Unauthorized(3), 101.0)
    assert life.deadline == 300.0


def test_5_a_401_to_a_probe_ends_the_wait_after_a_rejection() -> None:
    life = Life().online(50.0)
    life.fail_sends(3, 100.0)
    life.tell(SignInFailed(2, "HTTP 403", rejected=True), 100.0)
    life.wake()
    life.tell(SocketOpened(3), 100.0)
    life.tell(Unauthorized(3), 101.0)
    assert life.deadline == 105.0


def test_5_a_probes_socket_that_fails_is_replaced_with_the_next_probe() -> None:
    life = doubting()
    life.wake()
    assert life.does(SocketFailed(3, "no route"), 100.0) == [CloseSocket(3)]
    assert (life.state, life.deadline) == ("BACKOFF", 101.0)
    assert life.machine.statistics.failed_attempts == 1, "nothing else follows from it"
    assert life.wake() == [OpenSocket(4, SESSION)]
    life.tell(SocketOpened(4), 101.0)
    assert life.does(SocketFailed(4, "no route"), 101.0) == [CloseSocket(4)]
    assert life.does(Stop(), 101.0) == [SignOut(5, SESSION)], "there is no socket to close"


@pytest.mark.parametrize("kind", [SendFailed, ReceiveFailed])
def test_5_failures_of_a_probe_are_counted_and_nothing_more(kind: type[SendFailed | ReceiveFailed]) -> None:
    life = probing()
    before, counted = life.machine.snapshot(), life.machine.statistics
    failures = counted.send_failures + counted.receive_failures
    for now in (100.1, 100.2, 100.3, 100.4):
        assert life.tell(kind(3, "unreachable"), now) == []
    assert life.machine.snapshot() == before._replace(now=100.4)
    assert counted.send_failures + counted.receive_failures == failures + 4


def test_5_a_probe_that_leaves_is_a_heartbeat_that_left() -> None:
    life = probing()
    life.tell(BeatSent(3), 100.0)
    assert life.machine.statistics.heartbeats == 1


def test_5_a_probes_socket_that_takes_too_long_is_replaced_too() -> None:
    life = doubting()
    life.wake()
    assert life.wake() == [CloseSocket(3), OpenSocket(4, SESSION)]
    assert life.tell(SocketOpened(3), life.machine.now) == [], "an earlier probe's"


def test_5_what_ends_backoff_by_time_closes_the_probes_socket_first() -> None:
    life = probing(backoff_initial=10.0)
    while life.state == "BACKOFF":
        effects = life.wake()
    assert effects == [CloseSocket(life.machine.attempt - 1), sign_in(life.machine.attempt)]
    assert life.state == "RECONNECTING"


def test_5_the_first_wait_of_a_life_ends_in_signing_in_and_closes_the_probes_socket_too() -> None:
    life = Life().proving()
    life.tell(SocketFailed(1, "no"), 0.0)
    life.wake()
    effects: list[Effect] = []
    while life.state == "BACKOFF":
        effects = life.wake()
    assert [type(effect) for effect in effects] == [CloseSocket, SignIn]
    assert life.state == "SIGNING_IN"


def test_5_online_by_a_probe_is_not_for_ever() -> None:
    life = probing()
    life.tell(BeatAnswered(3, 5000), 100.1)
    life.fail_sends(3, 103.0)
    assert life.state == "BACKOFF", "the attempt before had failed, and ONLINE had not lasted"
    assert life.machine.doubtful == SESSION


def test_5_a_retry_after_holds_when_a_probe_brought_it_online_meanwhile() -> None:
    life = Life(stable_after=0.0).online(50.0)
    life.fail_sends(3, 100.0)
    life.tell(SignInFailed(2, "busy", 200.0), 100.0)
    life.wake()
    life.tell(SocketOpened(3), 100.0)
    life.tell(BeatAnswered(3, 5000), 100.1)
    life.fail_sends(3, 110.0)
    assert (life.state, life.machine.timeout_at) == ("BACKOFF", 300.0)


@pytest.mark.parametrize("hurry", [RetryNow(), Reconnect()])
def test_5_hurry_before_the_minimum_keeps_the_doubtful_session_unless_a_new_one_is_wanted(hurry: Event) -> None:
    life = probing(backoff_initial=20.0)
    effects = life.does(hurry, 101.0)
    assert (life.state, life.machine.timeout_at) == ("BACKOFF", 105.0)
    if isinstance(hurry, Reconnect):
        assert effects == [CloseSocket(3)]
        assert (life.machine.doubtful, life.deadline) == (None, 105.0)
    else:
        assert effects == []
        assert (life.machine.doubtful, life.deadline) == (SESSION, 101.0)


def test_5_reconnect_ends_the_doubtful_session() -> None:
    life = probing()
    assert life.does(Reconnect(), 106.0) == [CloseSocket(3), sign_in(4)]
    life.tell(SignInFailed(4, "no"), 106.0)
    assert life.machine.doubtful is None
    life = doubting()
    life.wake_until("RECONNECTING")
    life.tell(Reconnect(), life.machine.now)
    assert (life.state, life.machine.doubtful) == ("BACKOFF", None), "also while a sign-in is in flight"


@pytest.mark.parametrize("hurry", [RetryNow(), Reconnect()])
def test_5_hurry_in_the_first_wait_of_a_life_closes_the_probes_socket_first(hurry: Event) -> None:
    life = Life(backoff_initial=20.0).proving()
    life.tell(SocketFailed(1, "no"), 0.0)
    life.wake()
    assert life.does(hurry, 6.0) == [CloseSocket(2), sign_in(3)]
    assert life.state == "SIGNING_IN"
    assert life.machine.doubtful == (None if isinstance(hurry, Reconnect) else SESSION)


def test_8_stop_signs_the_doubtful_session_out() -> None:
    life = probing()
    assert life.does(Stop(), 101.0) == [CloseSocket(3), SignOut(4, SESSION)]
    assert (life.state, life.deadline) == ("STOPPING", 104.0)
    life.tell(SignedOut(3), 101.0)
    assert life.state == "STOPPING"
    life.tell(SignedOut(4), 101.0)
    assert life.state == "OFFLINE"


def test_8_stop_signs_it_out_while_another_sign_in_is_in_flight() -> None:
    life = doubting(backoff_initial=1.0)
    life.wake_until("RECONNECTING")
    attempt = life.machine.attempt
    assert life.does(Stop(), life.machine.now) == [AbandonSignIn(attempt), SignOut(attempt + 1, SESSION)]
    assert life.does(SignedIn(attempt, SECOND_SESSION), life.machine.now) == [SignOut(attempt, SECOND_SESSION)]
    life.tell(SignedOut(attempt), life.machine.now)
    assert life.state == "STOPPING", "the other sign-out is still under way"
    life.tell(Start(), life.machine.now)
    life.tell(SignedOut(attempt + 1), life.machine.now)
    assert (life.state, life.machine.session, life.machine.doubtful) == ("SIGNING_IN", None, None)


def test_6_the_doubtful_session_is_signed_out_when_the_connection_gives_up() -> None:
    life = Life(sign_in_attempt_limit=2).proving()
    life.tell(SocketFailed(1, "no"), 0.0)
    life.wake_until("SIGNING_IN")
    attempt = life.machine.attempt
    assert life.does(SignInFailed(attempt, "no"), life.machine.now) == [
        AbandonSignIn(attempt),
        ReportError("gave up after 2 attempts: no"),
        SignOut(attempt + 1, SESSION),
    ]
    assert life.state == "STOPPING"


def test_10_an_invitation_at_a_probes_socket_is_answered_and_delivered_as_anywhere() -> None:
    life = probing()
    assert life.does(Invited(3, INVITATION), 100.1) == [
        AnswerInvitation(3, 3, SESSION, INVITATION),
        DeliverInvitation(INVITATION),
    ]
    assert life.does(Invited(3, INVITATION), 100.2) == [AnswerInvitation(3, 4, SESSION, INVITATION)]
    assert life.state == "BACKOFF", "only an answered heartbeat proves the session"
