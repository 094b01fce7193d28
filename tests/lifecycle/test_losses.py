"""Rules 4, 5 and 7: lost connections.

The names of the tests begin with the number of the rule.
"""

import pytest

from agentcp_fsm.lifecycle.effects import (
    CloseSocket,
    Effect,
    ReportTransition,
    SendHeartbeat,
)
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    DeadlinePassed,
    Event,
    Invited,
    ReceiveFailed,
    Reconnect,
    SendFailed,
    SignInFailed,
    SocketFailed,
    Start,
    Stop,
    Unauthorized,
)
from tests.lifecycle.life import BRITTLE, INVITATION, SECOND_SESSION, Life, beats, sign_in

# 4 and 5: lost --------------------------------------------------------------------------------------------------------


def loss(kind: str, life: Life, now: float) -> list[Effect]:
    """Lose the connection at `now`, in one of the ways of rule 4; the last step's effects."""
    attempt = life.machine.attempt
    if kind == "silence":
        while life.deadline < now:
            life.wake()
        return life.does(DeadlinePassed(), now)
    if kind in ("send", "receive"):
        failure = SendFailed if kind == "send" else ReceiveFailed
        life.fail_sends(2, now - 0.1, failure)
        assert life.state == "DEGRADED"
        return life.fail_sends(1, now, failure)
    events: dict[str, Event] = {
        "401": Unauthorized(attempt), "reconnect": Reconnect(), "socket": SocketFailed(attempt, "no")
    }  # fmt: skip
    return life.does(events[kind], now)


KINDS = ["silence", "send", "receive", "401", "reconnect", "socket"]
LONG_AGO = {"stable_after": 0.0}
"""A connection that has always lasted."""


@pytest.mark.parametrize("config", [{}, LONG_AGO])
@pytest.mark.parametrize("kind", KINDS)
def test_4_and_5_lost_closes_the_socket_first_and_signs_in_again(kind: str, config: dict[str, float]) -> None:
    life = Life(unauthorized_spread=0.0, **config).online()
    assert loss(kind, life, 16.0) == [CloseSocket(1), sign_in(2)]
    assert (life.state, life.deadline) == ("RECONNECTING", 46.0)
    assert life.machine.statistics.losses == 1
    report = life.machine.statistics.last_loss
    assert report is not None
    assert report.lost
    assert (report.source, report.dest, report.at) == (report.source, "RECONNECTING", 16.0)


@pytest.mark.parametrize("config", [{}, LONG_AGO])
@pytest.mark.parametrize("state", ["online", "degraded"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "silence"])
def test_5_lost_soon_after_the_sign_in_waits_for_what_is_left_of_the_minimum(
    kind: str, state: str, config: dict[str, float]
) -> None:
    life: Life = getattr(
        Life(unauthorized_spread=0.0, receive_failure_limit=3 + (state == "degraded"), **config), state
    )()
    assert loss(kind, life, 2.0) == [CloseSocket(1)]
    assert (life.state, life.machine.timeout_at) == ("BACKOFF", 5.0)
    assert life.machine.session is None
    assert life.machine.statistics.losses == 1
    life.wake_until("RECONNECTING")
    assert life.machine.now == 5.0


@pytest.mark.parametrize("kind", [SendFailed, ReceiveFailed])
def test_5_lost_by_the_first_failure_soon_after_the_sign_in_waits_too(kind: type[SendFailed | ReceiveFailed]) -> None:
    life = Life(**BRITTLE).online()
    assert life.does(kind(1, "no"), 2.0) == [CloseSocket(1)]
    assert (life.state, life.machine.timeout_at) == ("BACKOFF", 5.0)


def test_5_lost_by_silence_soon_after_the_sign_in_waits_too() -> None:
    life = Life(interval_min=1.0).online(0.0, 1000)
    assert loss("silence", life, 4.0) == [CloseSocket(1)]
    assert (life.state, life.machine.timeout_at) == ("BACKOFF", 5.0)
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
    loss(kind, life, 16.0)
    assert life.state == "RECONNECTING"


@pytest.mark.parametrize(
    ("next_beat", "seconds"), [(5000, 16.0), (7000, 22.0), (7500, 23.5), (8000, 24.0), (20_000, 36.0), (30_000, 46.0)]
)
def test_4_silence_for_3_intervals_or_15_s_after_a_heartbeat_was_due_and_1_s(next_beat: int, seconds: float) -> None:
    life = Life().online(0.0, next_beat)
    life.wake_until("RECONNECTING")
    assert life.machine.now == pytest.approx(seconds)


def test_4_what_silence_means_is_configurable() -> None:
    life = Life(silence_limit=2, silence_timeout=100.0).online(0.0, 30_000)
    life.wake_until("RECONNECTING")
    assert life.machine.now == pytest.approx(61.0)
    life = Life(silence_timeout=4.0).online(0.0, 30_000)
    life.wake_until("RECONNECTING")
    assert life.machine.now == pytest.approx(35.0)


def test_4_a_long_retransmission_time_does_not_put_silence_off_beyond_an_interval() -> None:
    life = Life(retransmission_min=1000.0).online()
    life.wake_until("RECONNECTING")
    assert life.machine.now == 15.0 + 5.0


def test_4_silence_is_counted_from_the_last_answer() -> None:
    life = Life().online()
    life.wake()
    life.tell(BeatAnswered(1, 6000), 7.0)  # sent at 5, so the next is due at 11
    life.wake_until("RECONNECTING")
    assert life.machine.now == 7.0 + 3 * 6.0 + 1.0


def test_4_a_heartbeat_always_has_the_retransmission_time_to_be_answered() -> None:
    life = Life().online()
    assert beats(life.does(DeadlinePassed(), 15.7)) == 1
    life.wake_until("RECONNECTING")
    assert life.machine.now == pytest.approx(16.7)


def test_4_the_last_repetition_can_be_answered() -> None:
    """With the wait for it, an answer to the heartbeat that is due when 3 intervals are over is no loss."""
    life = Life().online()
    while life.deadline <= 15.0:
        assert beats(life.wake()) == 1
    life.tell(BeatAnswered(1, 5000), 15.5)
    assert (life.state, life.machine.now, life.machine.statistics.losses) == ("ONLINE", 15.5, 0)


def test_4_a_server_that_answers_invitations_only_is_silent() -> None:
    life = Life().online()
    while life.state != "RECONNECTING":
        life.wake()
        life.tell(Invited(life.machine.attempt, INVITATION), life.machine.now)
    assert life.machine.now == 16.0


def test_4_the_reason_is_kept_and_reported() -> None:
    life = Life().online()
    told = [effect for effect in life.tell(SocketFailed(1, "unplugged"), 9.0) if isinstance(effect, ReportTransition)]
    assert [(report.reason, report.detail, report.lost) for report in told] == [
        ("The socket failed: the connection is lost.", "unplugged", True)
    ]
    assert life.machine.statistics.last_loss == life.machine.statistics.last_failure == told[0]


def test_the_last_failure_is_known_before_the_next_attempt_begins() -> None:
    """A reader that was woken by BACKOFF, and read in the attempt after it, found no failure."""
    life = Life()
    life.tell(Start(), 0.0)
    life.tell(SignInFailed(1, "refused"), 0.1)
    assert life.state == "BACKOFF"
    life.wake()
    assert life.state == "SIGNING_IN"
    failure = life.machine.statistics.last_failure
    assert failure is not None
    assert (failure.source, failure.dest, failure.at) == ("SIGNING_IN", "BACKOFF", 0.1)
    assert failure.detail.startswith("refused; ")
    life.tell(Stop(), life.machine.now)
    assert life.machine.statistics.last_failure is failure
    assert life.machine.statistics.last_loss is None


def test_5_a_new_session_is_used_after_the_loss() -> None:
    life = Life().reconnecting().prove(0.0, SECOND_SESSION)
    assert life.machine.session == SECOND_SESSION
    life.tell(BeatAnswered(2, 5000), 0.5)
    assert life.state == "ONLINE"
    assert life.wake() == [SendHeartbeat(2, 3, SECOND_SESSION)]


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
