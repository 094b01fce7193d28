"""Rule 3: repeated heartbeats, DEGRADED, and failures.

The names of the tests begin with the number of the rule.
"""

import pytest

from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    BeatSent,
    Invited,
    ReceiveFailed,
    Reconnect,
    SendFailed,
    SignedOut,
    Start,
    Stop,
)
from tests.lifecycle.life import INVITATION, SECOND_SESSION, Life, beats

# 3: retransmission ----------------------------------------------------------------------------------------------------


def test_3_an_unanswered_heartbeat_is_repeated_after_a_second_until_it_is_answered() -> None:
    life = Life().online()
    states = []
    for _ in range(5):
        assert beats(life.wake()) == 1
        states.append((life.machine.now, str(life.state)))
    assert states == [(5.0, "ONLINE"), (6.0, "DEGRADED"), (7.0, "DEGRADED"), (8.0, "DEGRADED"), (9.0, "DEGRADED")]
    life.tell(BeatAnswered(1, 5000), 9.5)
    assert (life.state, life.deadline) == ("ONLINE", 14.0), "the interval is counted from the last one sent"


@pytest.mark.parametrize(("drawn", "seconds"), [(0.0, 1.0), (0.5, 1.05), (1.0, 1.1)])
def test_3_the_shortest_time_is_spread_between_clients(drawn: float, seconds: float) -> None:
    life = Life(drawn=drawn).online()
    life.wake()
    assert life.deadline == pytest.approx(5.0 + seconds)


def test_3_the_time_follows_measured_round_trips_as_rfc_6298_says() -> None:
    life = Life(interval_min=30.0).online(0.0, 30_000)
    smoothed, variation = 0.0, 0.0  # the first heartbeat was answered at once
    for measured in (0.1, 0.9, 0.5, 0.8, 0.2, 0.0, 0.7):
        sent = life.deadline
        life.wake()
        assert life.deadline - sent == pytest.approx(max(smoothed + 4 * variation, 1.0))
        life.tell(BeatAnswered(1, 30_000), sent + measured)
        variation = 0.75 * variation + 0.25 * abs(smoothed - measured)
        smoothed = 0.875 * smoothed + 0.125 * measured
    assert smoothed + 4 * variation > 1.0, "or the test would show nothing"


def test_3_the_first_measurement_counts_twice_its_half() -> None:
    life = Life().proving()
    life.tell(BeatAnswered(1, 5000), 0.8)
    life.wake()
    assert life.deadline == pytest.approx(5.0 + 0.8 + 4 * 0.4)


def test_3_a_heartbeat_that_was_repeated_measures_nothing() -> None:
    """Karn's rule: nobody can tell which of them was answered."""
    life = Life().online()
    life.wake()
    life.wake()
    life.tell(BeatAnswered(1, 5000), 6.9)
    life.wake()
    assert life.deadline == pytest.approx(life.machine.now + 1.0)


def test_3_a_repetition_that_proves_needless_doubles_the_time() -> None:
    """The second of two answers to a repeated heartbeat says that the first answer was slow, not lost."""
    life = Life().online()
    expected = 1.0
    for _ in range(4):
        life.wake()
        life.wake()
        sent = life.machine.now
        assert sent - life.machine.answered_at >= expected
        for late in (0.1, 0.2, 0.3):  # but once for each heartbeat
            life.tell(BeatAnswered(1, 5000), sent + late)
        expected = min(2 * expected, 5.0)
        life.wake()
        assert life.deadline - life.machine.now == pytest.approx(expected)
        life.wake()  # repeated, too: it measures nothing
        life.tell(BeatAnswered(1, 5000), life.machine.now)
    life.wake()
    life.tell(BeatAnswered(1, 5000), life.machine.now)  # a measurement
    life.wake()
    assert life.deadline - life.machine.now == pytest.approx(1.0)


def test_3_an_answer_that_the_network_doubles_changes_nothing() -> None:
    life = Life().online()
    for _ in range(3):
        life.tell(BeatAnswered(1, 5000), life.machine.now)
    life.wake()
    assert life.deadline - life.machine.now == 1.0


@pytest.mark.parametrize(
    ("config", "next_beat", "seconds"),
    [
        ({"interval_min": 1.0}, 1000, 1.0),
        ({"interval_min": 0.5}, 500, 0.5),
        ({"retransmission_min": 40.0}, 5000, 5.0),
        ({"retransmission_min": 40.0}, 30_000, 15.0),
        ({"retransmission_min": 40.0, "silence_timeout": 3.0}, 30_000, 3.0),
    ],
)
def test_3_the_time_is_at_most_the_interval_and_what_silence_allows(
    config: dict[str, float], next_beat: int, seconds: float
) -> None:
    life = Life(**config).online(0.0, next_beat)
    life.wake()
    assert life.deadline - life.machine.now == pytest.approx(seconds)


def test_3_the_time_follows_the_interval_down_and_up() -> None:
    life = Life(interval_min=0.5).online(0.0, 500)
    for next_beat, seconds in ((30_000, 0.5), (500, 1.0), (500, 0.5)):
        life.wake()
        assert life.deadline - life.machine.now == pytest.approx(seconds)
        life.tell(BeatAnswered(1, next_beat), life.machine.now)


def test_3_what_was_measured_outlives_the_session() -> None:
    life = Life().proving()
    life.tell(BeatAnswered(1, 5000), 0.8)
    life.tell(Reconnect(), 10.0)
    life.prove(10.0, SECOND_SESSION)
    for _ in range(2):
        life.wake()
    life.tell(BeatAnswered(2, 5000), 12.5)  # measures nothing
    life.wake()
    assert life.deadline - life.machine.now == pytest.approx(2.4)


def test_3_a_new_life_measures_anew() -> None:
    life = Life().proving()
    life.tell(BeatAnswered(1, 30_000), 0.8)
    for event in (Stop(), SignedOut(1), Start()):
        life.tell(event, 1.0)
    life.prove(1.0)
    life.tell(BeatAnswered(2, 5000), 1.0)
    life.wake()
    assert life.deadline - life.machine.now == 1.0


# 3: degraded ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SendFailed, ReceiveFailed])
def test_3_the_first_failure_degrades_and_an_answer_mends_it(kind: type[SendFailed | ReceiveFailed]) -> None:
    life = Life().online()
    life.tell(kind(1, "no"), 1.0)
    assert life.state == "DEGRADED"
    life.tell(BeatAnswered(1, 5000), 1.5)
    assert life.state == "ONLINE"
    life.fail_sends(2, 2.1, kind)
    assert life.state == "DEGRADED", "the count starts afresh after an answer"


def test_3_heartbeats_go_on_while_degraded() -> None:
    life = Life().degraded()
    assert life.deadline == 5.0
    assert beats(life.wake()) == 1
    assert (life.state, life.deadline) == ("DEGRADED", 6.0)


def test_3_failed_sends_are_retried_after_1_2_4_seconds_bounded_and_never_after_the_next_beat() -> None:
    life = Life(send_failure_limit=10, interval_max=40.0, silence_timeout=1000.0).online(0.0, 40_000)
    waits = []
    for _ in range(6):
        life.wake()
        now = life.machine.now
        life.tell(SendFailed(1, "no"), now)
        waits.append(life.deadline - now)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    life.tell(SendFailed(1, "no"), now + 20.0)
    assert life.deadline == now + 40.0, "the next beat is due"


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


@pytest.mark.parametrize("state", ["proving", "online", "degraded"])
@pytest.mark.parametrize("kind", [SendFailed, ReceiveFailed])
def test_3_failures_in_the_same_instant_are_one(kind: type[SendFailed | ReceiveFailed], state: str) -> None:
    life: Life = getattr(Life(receive_failure_limit=4), state)()
    for late in (0.0, 0.0, 0.001, 0.005, 0.009):
        life.tell(kind(1, "no"), 1.0 + late)
    assert life.state == ("SIGNING_IN" if state == "proving" else "DEGRADED")
    counted = life.machine.statistics
    assert (counted.send_failures, counted.receive_failures - (state == "degraded")) in ((5, 0), (0, 5))
    life.tell(kind(1, "no"), 1.02)
    assert (life.machine.send_failures, life.machine.receive_failures - (state == "degraded")) in ((2, 0), (0, 2))


def test_3_three_invitations_whose_answers_cannot_be_sent_are_one_failure() -> None:
    """It used to be a lost connection."""
    life = Life().online()
    for _ in range(3):
        life.tell(Invited(1, INVITATION), 2.0)
        life.tell(SendFailed(1, "no buffer space"), 2.0)
    assert (life.state, life.deadline) == ("DEGRADED", 3.0)


def test_3_a_failure_counts_again_when_what_came_between_says_so() -> None:
    life = Life(send_failure_limit=2).online()
    for _ in range(3):
        life.tell(SendFailed(1, "no"), 1.0)
        assert life.state == "DEGRADED"
        life.tell(BeatAnswered(1, 5000), 1.0)
        assert life.state == "ONLINE"


def test_3_the_instant_is_configurable() -> None:
    life = Life(failure_instant=0.0).online()
    for now in (1.0, 1.0, 1.001):
        life.tell(SendFailed(1, "no"), now)
    assert life.machine.send_failures == 2
