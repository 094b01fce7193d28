"""Rules 9, 12 and 13: what is late, time, and that all is decided.

The names of the tests begin with the number of the rule.
"""

import pytest

from agentcp_fsm.lifecycle.chart import ALIVE, CHART, State
from agentcp_fsm.lifecycle.effects import (
    CloseSocket,
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
from agentcp_fsm.lifecycle.machine import Lifecycle
from tests.lifecycle.life import INVITATION, SECOND_SESSION, SESSION, Life, beats, in_state, sign_in

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
            life.tell(Unauthorized(2), 0.0)
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
    assert (life.state, life.deadline) == ("ONLINE", 10_001.0)
    assert life.does(DeadlinePassed(), 10_000.0) == []
    assert life.does(DeadlinePassed(), 10_001.0) == [CloseSocket(1), sign_in(2)]
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


@pytest.mark.parametrize("kind", [SendFailed, ReceiveFailed])
def test_9_a_failure_of_an_earlier_socket_is_late_in_the_instant_of_another_too(
    kind: type[SendFailed | ReceiveFailed],
) -> None:
    life = Life().online()
    life.tell(kind(1, "no"), 1.0)
    before, counted = life.machine.snapshot(), life.machine.statistics
    failures = (counted.send_failures, counted.receive_failures)
    assert life.tell(kind(0, "no"), 1.0) == []
    assert life.machine.snapshot() == before
    assert (counted.stale, counted.send_failures, counted.receive_failures) == (1, *failures)


def test_9_an_invitation_at_an_earlier_socket_is_late_even_if_it_is_known() -> None:
    life = Life().online()
    life.tell(Invited(1, INVITATION), 1.0)
    assert life.tell(Invited(0, INVITATION), 1.0) == []
    assert (life.machine.statistics.stale, life.machine.statistics.duplicates) == (1, 0)
