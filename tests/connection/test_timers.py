"""One timer for all: each is woken once for each deadline, never before it, even if others move meanwhile."""

import asyncio
import logging
import math
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcp_fsm.connection.hub import new_event_loop
from agentcp_fsm.connection.timers import Timers

milliseconds = st.integers(0, 20)


class Sleeper:
    """Wants to be woken at each of some deadlines, one after the other."""

    def __init__(self, begun: float, waits: list[int]) -> None:
        self.armed_at = math.inf
        self.waits = waits
        self.woken: list[tuple[float, float]] = []
        self.rested = asyncio.Event()
        self.deadline = begun
        self._next()

    def _next(self) -> None:
        if self.waits:
            self.deadline += self.waits.pop(0) / 1000
        else:
            self.deadline = math.inf
            self.rested.set()

    def wake(self) -> float:
        now = time.monotonic()
        if self.deadline <= now:
            self.woken.append((self.deadline, now))
            self._next()
        return self.deadline


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, new_event_loop])
@settings(max_examples=15, deadline=None)
@given(
    waits=st.lists(st.lists(milliseconds, min_size=1, max_size=3), min_size=1, max_size=10),
    moves=st.lists(st.tuples(milliseconds, st.integers(0, 9)), max_size=5),
)
def test_everybody_is_woken_for_each_deadline(
    make_loop: Callable[[], asyncio.AbstractEventLoop], waits: list[list[int]], moves: list[tuple[int, int]]
) -> None:
    async def scenario() -> list[Sleeper]:
        loop = asyncio.get_running_loop()
        timers = Timers(loop)
        begun = time.monotonic()
        sleepers = [Sleeper(begun, list(each)) for each in waits]
        for sleeper in sleepers:
            timers.arm(sleeper, sleeper.deadline)

        def move(sleeper: Sleeper) -> None:
            """As a driver does when an event brings its deadline forward."""
            if sleeper.deadline < math.inf:
                sleeper.deadline = min(sleeper.deadline, time.monotonic())
                if sleeper.deadline < sleeper.armed_at:
                    timers.arm(sleeper, sleeper.deadline)

        for after, index in moves:
            loop.call_later(after / 1000, move, sleepers[index % len(sleepers)])
        async with asyncio.timeout(10):
            for sleeper in sleepers:
                await sleeper.rested.wait()
        return sleepers

    with asyncio.Runner(loop_factory=make_loop) as runner:
        sleepers = runner.run(scenario())
    assert [len(sleeper.woken) for sleeper in sleepers] == [len(each) for each in waits]
    assert all(deadline <= at for sleeper in sleepers for deadline, at in sleeper.woken)
    assert {sleeper.armed_at for sleeper in sleepers} == {math.inf}


def test_one_that_fails_silences_neither_the_others_nor_itself(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Sleeper):
        failures = 0

        def wake(self) -> float:
            self.failures += 1
            if self.failures == 1:
                raise ZeroDivisionError
            return super().wake()

    async def scenario() -> None:
        timers = Timers(asyncio.get_running_loop())
        begun = time.monotonic()
        sleepers = [Failing(begun, [1]), Sleeper(begun, [1])]
        for sleeper in sleepers:
            timers.arm(sleeper, sleeper.deadline)
        async with asyncio.timeout(10):
            for sleeper in sleepers:
                await sleeper.rested.wait()

    with caplog.at_level(logging.ERROR, "agentcp_fsm"):
        asyncio.run(scenario())
    assert len(caplog.records) == 1
