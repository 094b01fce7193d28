"""The pace that the bench holds a connection to is that of the machine at its fastest: neither looser nor stricter."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm import Config, ReportTransition, Session, State
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    DeadlinePassed,
    Event,
    SignedIn,
    SignInFailed,
    SocketFailed,
    SocketOpened,
    Start,
    Unauthorized,
)
from agentcp_fsm.lifecycle.machine import Lifecycle
from tests.faults.pace import attempts, haste

ROUNDING = 1e-6


class Greatest(Random):
    """Draws the most there is, each time: the shortest backoff."""

    def random(self) -> float:
        return 1.0


class Hasty:
    """A machine that is told everything at the first moment, and all that it did."""

    def __init__(self, config: Config) -> None:
        self.machine = Lifecycle(config, Greatest())
        self.now = 1000.0
        self.life: list[ReportTransition] = []
        self.tell(Start())

    def tell(self, event: Event) -> None:
        effects = self.machine.handle(event, self.now)
        self.life += [effect for effect in effects if isinstance(effect, ReportTransition)]

    def fail(self, after: float, retry_after: float | None, rejected: bool) -> None:
        """The attempt under way fails, and the wait that follows is over."""
        self.now += after
        self.tell(SignInFailed(self.machine.attempt, "", retry_after, rejected))
        self._wait()

    def lose(self, after: float, event: Callable[[int], Event]) -> None:
        """The attempt under way succeeds; then the connection is lost, and what wait there is, is over."""
        attempt = self.machine.attempt
        self.tell(SignedIn(attempt, Session("127.0.0.1", 1, 0, "")))
        self.tell(SocketOpened(attempt))
        self.tell(BeatAnswered(attempt, 5000))
        self.now += after
        self.tell(event(attempt))
        self._wait()

    def _wait(self) -> None:
        """A wait, if there is one, passes; nothing answers the probes in it."""
        while self.machine.state is State.BACKOFF:
            self.now = self.machine.deadline
            self.tell(DeadlinePassed())


seconds = st.floats(0.001, 60.0)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    backoff_max = draw(seconds)
    return Config(
        sign_in_interval_min=draw(st.just(0.0) | st.floats(0.001, backoff_max)),
        sign_in_timeout=1e6,
        backoff_initial=draw(st.floats(0.001, backoff_max)),
        backoff_max=backoff_max,
        backoff_jitter=draw(st.floats(0.0, 1.0)),
        unauthorized_spread=0.0,
        stable_after=draw(st.just(0.0) | st.floats(0.001, 60.0)),
        flapping_limit=draw(st.integers(1, 4)),
        flapping_wait=draw(seconds),
        flapping_span=draw(seconds),
    )


moments = st.just(0.0) | st.floats(0.0, 60.0)
losses = st.tuples(moments, st.sampled_from((Unauthorized, partial(SocketFailed, reason=""))))


@given(configs(), st.lists(moments | losses, max_size=12), st.sampled_from(("", "retry after", "rejected")), seconds)
def test_the_machine_in_its_greatest_haste_keeps_exactly_this_pace(
    config: Config, course: list[float | tuple[float, Callable[[int], Event]]], kind: str, asked: float
) -> None:
    hasty = Hasty(config)
    for step in course:
        if isinstance(step, tuple):
            hasty.lose(*step)
        else:
            hasty.fail(step, asked if kind == "retry after" else None, kind == "rejected")
    found = attempts(hasty.life, config, {"": 0.0, "retry after": asked, "rejected": config.backoff_max}[kind])
    assert len(found) == len(course) + 1
    assert [each.failed for each in found[:-1]] == [isinstance(step, float) for step in course]
    for step, before, after in zip(course, found, found[1:], strict=False):
        # Without a wait, a loss is followed by the sign-in at once, which is as late as the loss was.
        earliest = max(after.earliest, before.at + step[0]) if isinstance(step, tuple) else after.earliest
        assert after.at == pytest.approx(earliest, abs=ROUNDING)
    assert haste(found) <= ROUNDING
