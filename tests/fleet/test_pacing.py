"""The pace of starts, without any agent."""

from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.fleet.pacing import ASKED_MAX, FIRST, PAUSE_FIRST, PAUSE_MAX, Pace


def begin_all(pace: Pace, now: float) -> list[int]:
    begun = []
    while (number := pace.begin(now)) is not None:
        begun.append(number)
    return begun


def pace(at_once_max: int = 64) -> Pace:
    return Pace(at_once_max, lambda: 0.5)


def test_it_grows_with_each_success_up_to_the_limit() -> None:
    growing = pace(20)
    assert len(begin_all(growing, 0.0)) == FIRST
    for _ in range(FIRST):
        growing.succeeded()
    assert len(begin_all(growing, 0.0)) == 2 * FIRST
    for _ in range(2 * FIRST):
        growing.succeeded()
    assert len(begin_all(growing, 0.0)) == 20


def test_refusals_at_once_halve_it_once() -> None:
    refused = pace()
    numbers = begin_all(refused, 0.0)
    for number in numbers:
        refused.failed(number, 0.0, 5.0)
    assert begin_all(refused, 4.9) == []
    assert len(begin_all(refused, 5.0)) == FIRST // 2


def test_it_grows_slowly_after_a_refusal() -> None:
    careful = pace()
    for number in begin_all(careful, 0.0):
        careful.failed(number, 0.0, 0.0)
    for _ in range(4):
        for _ in begin_all(careful, 100.0):
            careful.succeeded()
    assert FIRST // 2 < len(begin_all(careful, 100.0)) <= FIRST // 2 + 4


def test_a_server_that_does_not_answer_is_left_alone_for_longer_and_longer() -> None:
    dead, now, pauses = pace(), 0.0, []
    for _ in range(8):
        for number in begin_all(dead, now):
            dead.failed(number, now, None)
        pauses.append(dead.held_until - now)
        now = dead.held_until
    assert pauses == [min(PAUSE_FIRST * 2**n, PAUSE_MAX) * 0.75 for n in range(8)]
    assert len(begin_all(dead, now)) == 1
    dead.succeeded()
    (again,) = begin_all(dead, now)[:1]
    dead.failed(again, now, None)
    assert dead.held_until - now == PAUSE_FIRST * 0.75, "a success lets it begin afresh"


def test_an_absurd_request_to_wait_is_bounded() -> None:
    asked = pace()
    asked.failed(begin_all(asked, 0.0)[0], 0.0, 1e9)
    assert asked.held_until == ASKED_MAX


@given(st.lists(st.sampled_from(["succeeded", "failed", "paused", "ended", "time"])), st.integers(1, 100))
def test_there_are_never_more_than_the_limit_and_it_never_stands_still(steps: list[str], limit: int) -> None:
    any_pace, now = pace(limit), 0.0
    under_way: list[int] = []
    for step in steps:
        under_way += begin_all(any_pace, now)
        assert len(under_way) == any_pace.under_way <= limit
        if step == "time" or not under_way:
            now = max(now + 1.0, any_pace.held_until)
            continue
        number = under_way.pop(0)
        if step == "succeeded":
            any_pace.succeeded()
        elif step == "ended":
            any_pace.ended()
        else:
            any_pace.failed(number, now, 3.0 if step == "paused" else None)
    for _ in under_way:
        any_pace.ended()
    assert begin_all(any_pace, now + ASKED_MAX), "some can begin when the pauses are over"
