"""The hand-written machine does what the chart's does, so both are measured at the same work."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import EVENTS, BeatAnswered, DeadlinePassed, Event, SignedIn, SocketOpened, Start
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation, Session
from tests.benchmarks.hand_written import HandWritten

configs = st.builds(
    Config,
    sign_in_attempt_limit=st.none() | st.integers(1, 3),
    sign_in_interval_min=st.sampled_from((0.0, 5.0, 30.0)),
    unauthorized_spread=st.sampled_from((0.0, 2.0)),
    send_failure_limit=st.integers(1, 3),
    receive_failure_limit=st.integers(1, 3),
    silence_limit=st.integers(1, 3),
    silence_timeout=st.sampled_from((0.5, 15.0)),
    stable_after=st.sampled_from((0.0, 30.0, 1000.0)),
    flapping_limit=st.integers(1, 3),
    probe_time_max=st.sampled_from((1.0, 30.0)),
    failure_instant=st.sampled_from((0.0, 0.5)),
    invitation_window=st.sampled_from((0.0, 5.0)),
    invitation_memory=st.integers(1, 2),
)


def happening(machine: Lifecycle, random: Random) -> Event:
    """What a healthy environment would report next, or anything at all, mostly of the present attempt."""
    if random.random() < 0.4:
        if machine.state is State.OFFLINE:
            return Start()
        if machine.state is State.STOPPING or (machine.state is State.BACKOFF and not machine.socket_open):
            return DeadlinePassed()
        if machine.socket_open and not machine.socket_ready:
            return SocketOpened(machine.attempt)
        if not machine.socket_open:
            return SignedIn(machine.attempt, session(random))
        return BeatAnswered(machine.attempt, 10_000)
    kind = random.choice(EVENTS)
    fields: dict[str, Any] = {
        "attempt": machine.attempt - random.choice((0, 0, 0, 0, 1, -1)),
        "session": session(random),
        "invitation": Invitation("alice", str(random.randrange(3)), 0, "s", "m"),
        "reason": random.choice(("", "refused")),
        "next_beat": random.choice((-(2**63), 0, 4_000, 10_000, 400_000, 2**63 - 1)),
        "retry_after": random.choice((None, -1.0, 0.0, 3.0, 100.0, 1000.0)),
        "rejected": random.random() < 0.5,
    }
    return kind(**{name: fields[name] for name in getattr(kind, "__slots__", ())})


def session(random: Random) -> Session:
    return Session("127.0.0.1", 9000, random.randrange(3), "token")


def later(now: float, machine: Lifecycle, random: Random) -> float:
    """Soon, when something is due, just before that, long after, or never (a clock that runs backwards)."""
    due = min(machine.deadline, now + 1000)
    return random.choice((now, now + random.random(), due, due - 0.01, due + 100 * random.random(), now - 1))


@settings(max_examples=300)
@given(configs, st.integers(0, 2**32), st.integers(1, 1000))
def test_hand_written_agrees(config: Config, seed: int, events: int) -> None:
    compiled = Lifecycle(config, Random(seed))
    by_hand = HandWritten(config, Random(seed))
    life = Random(seed)
    now = 0.0
    for _ in range(events):
        now = later(now, compiled, life)
        event = happening(compiled, life)
        assert by_hand.handle(event, now) == compiled.handle(event, now)
        assert by_hand.deadline == compiled.deadline
        assert by_hand.snapshot() == compiled.snapshot()
        assert by_hand.statistics == compiled.statistics
