"""What the machine counts of heartbeats: round trips, missed ones, the loss rate, and the words of a silence."""

from agentcp_fsm.lifecycle.events import BeatAnswered, BeatSent, Stop, Unauthorized
from agentcp_fsm.lifecycle.statistics import LOSS_GAIN
from tests.lifecycle.life import Life


def test_the_last_round_trip_is_that_of_a_heartbeat_sent_once() -> None:
    life = Life().online()
    life.wake()
    life.tell(BeatAnswered(1, 5000), life.machine.now + 0.25)
    assert life.machine.statistics.round_trip == 0.25
    life.wake()
    life.wake()  # the repetition
    life.tell(BeatAnswered(1, 5000), life.machine.now + 0.5)
    assert life.machine.statistics.round_trip == 0.25, "which of the two was answered, nobody knows"


def test_each_heartbeat_is_answered_or_missed() -> None:
    life = Life().online()
    for answered in (True, False, False, True, True, False):
        life.wake()
        life.tell(BeatSent(1), life.machine.now)
        if answered:
            life.tell(BeatAnswered(1, 5000), life.machine.now)
    counted = life.machine.statistics
    assert (counted.answers - 1, counted.missed) == (3, 2), "of the last one, nothing is known yet"
    life.tell(Stop(), life.machine.now)
    assert counted.missed == 2, "nor ever"


def test_a_refused_heartbeat_was_not_missed() -> None:
    life = Life().online()
    life.wake()
    life.tell(Unauthorized(1), life.machine.now)
    assert (life.machine.statistics.missed, life.machine.statistics.loss_rate) == (0, 0.0)


def test_the_loss_rate_follows_the_last_heartbeats() -> None:
    life = Life(silence_limit=1000, silence_timeout=1e6, interval_max=5.0).online()
    assert life.machine.statistics.loss_rate == 0
    for number in range(1, 65):
        life.wake()
        expected = 1 - (1 - LOSS_GAIN) ** (number - 1)
        assert abs(life.machine.statistics.loss_rate - expected) < 1e-9
    for _ in range(64):
        life.tell(BeatAnswered(1, 5000), life.machine.now)
        life.wake()
    assert 0 < life.machine.statistics.loss_rate < 0.15


def test_4_a_silence_is_described() -> None:
    life = Life().online()
    while life.state != "RECONNECTING":
        life.wake()
    loss = life.machine.statistics.last_loss
    assert loss is not None
    beats = life.machine.statistics.missed + 1
    assert loss.detail == f"{beats} heartbeats unanswered, last answer {loss.at - life.machine.answered_at:.1f} s ago"
