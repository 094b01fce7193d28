"""L1 to L3: from any state that a random sequence reaches."""

from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import DeadlinePassed, Event, Start, Stop
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.testing import Watched, World, strategies
from agentcp_fsm.testing.machine import next_event


@st.composite
def reached(draw: st.DrawFn, *, attempt_limit: bool = False) -> World:
    """A world that cares for a machine from now on, in whatever state a random life left it; its calls are lost."""
    config = draw(strategies.configs(attempt_limit=attempt_limit))
    watched = Watched(Lifecycle(config, Random(draw(st.integers(0, 1000)))))
    machine, now = watched.machine, 0.0
    for kind in draw(st.lists(st.sampled_from(["good", "good", "good", "due", "any"]), max_size=12)):
        if kind == "good":
            event: Event = next_event(machine)
            now += draw(st.sampled_from([0.0, 0.0, 0.1]))
            if isinstance(event, DeadlinePassed):
                now = max(now, machine.deadline)
        elif kind == "due" and machine.state != "OFFLINE":
            event, now = DeadlinePassed(), max(now, machine.deadline)
        else:
            event = draw(strategies.events(machine.attempt))
            now += draw(st.sampled_from([0.0, 0.01, 1.0]))
        watched.handle(event, now)
    quickest = min(config.sign_in_timeout, config.socket_timeout, config.probe_interval, config.sign_out_timeout)
    return World(watched, now=machine.now if now < machine.now else now, latency=min(0.05, quickest / 10))


def allowed(bound: float, world: World) -> float:
    """The bound, and what sums of floats may add to it."""
    return bound + 1e-6 * (1.0 + abs(world.now) * 1e-6 + bound * 1e-3)


@given(world=reached(), strangers=st.sampled_from(["silent", "unauthorized"]))
def test_l1_a_healthy_world_leads_to_online(world: World, strangers: Literal["silent", "unauthorized"]) -> None:
    world.strangers = strangers
    if world.machine.state in ("OFFLINE", "STOPPING"):
        world.tell(Start())
    bound = allowed(world.machine.config.recovery_bound, world)
    if world.state == "ONLINE":  # by an answer of old: the server does not know the session any longer
        bound -= world.run_until(tuple(state for state in State if state != "ONLINE"), bound)
    world.run_until("ONLINE", bound)
    world.run_for(min(3 * world.machine.config.interval_min, 300 * world.latency))


@given(world=reached(attempt_limit=True), hangs=st.booleans())
def test_l2_stop_leads_to_offline(world: World, hangs: bool) -> None:
    world.sign_outs = "hang" if hangs else "succeed"
    world.tell(Stop())
    world.run_until("OFFLINE", allowed(world.machine.config.stop_bound, world))


@given(
    config=strategies.configs(attempt_limit=False),
    next_beat=st.integers(0, 400_000),
    after=st.floats(0, 10),
    sending=st.booleans(),
)
def test_l3_silence_is_noticed(config: Config, next_beat: int, after: float, sending: bool) -> None:
    quickest = min(config.sign_in_timeout, config.socket_timeout, config.probe_interval, config.interval_min)
    world = World(Lifecycle(config, Random(1)), latency=min(0.05, quickest / 10))
    world.next_beat = next_beat
    world.tell(Start())
    world.run_until("ONLINE", config.recovery_bound)
    world.run_for(min(after, 100 * config.interval_min))
    world.heartbeats = "silent" if sending else "unsendable"
    interval = min(max(next_beat / 1000, config.interval_min), config.interval_max)
    limit = max(config.silence_limit, 2) * interval + 1.0
    assert limit <= config.silence_bound + 1.0
    began = world.now
    while world.state in ("ONLINE", "DEGRADED"):
        world.run_for(interval / 2)
        assert world.now - began <= limit + interval / 2


@pytest.mark.parametrize("seconds", [5, 60, 300])
def test_l3_with_the_defaults_within_three_intervals_and_one_second(seconds: int) -> None:
    world = World(Lifecycle(Config(), Random(1)))
    world.next_beat = seconds * 1000
    world.tell(Start())
    world.run_until("ONLINE", 10.0)
    world.heartbeats = "silent"
    assert world.run_until("RECONNECTING", 3 * seconds + 1.0) > 2 * seconds


def test_l1_a_start_that_waits_for_a_long_sign_out_is_within_the_bound() -> None:
    """recovery_bound used to leave out the time that the sign-out of the life before may take."""
    config = Config(sign_out_timeout=5000.0)
    world = World(Lifecycle(config, Random(1)))
    world.tell(Start())
    world.run_until("ONLINE", 10.0)
    world.sign_outs = "hang"
    world.tell(Stop())
    world.tell(Start())
    assert world.run_until("ONLINE", config.recovery_bound) > 5000.0


@pytest.mark.parametrize(
    ("field", "trouble"),
    [
        ("sign_ins", "fail"), ("sign_ins", "rejected"), ("sign_ins", "hang"), ("sockets", "fail"), ("sockets", "hang"),
        ("heartbeats", "silent"), ("heartbeats", "unsendable"),
    ],
)  # fmt: skip
def test_l1_trouble_of_every_kind_passes(field: str, trouble: str) -> None:
    config = Config()
    world = World(Lifecycle(config, Random(1)))
    setattr(world, field, trouble)
    world.tell(Start())
    world.run_for(1234.5)
    assert world.state != "ONLINE"
    assert world.machine.statistics.attempts > 10
    setattr(world, field, {"sign_ins": "succeed", "sockets": "open", "heartbeats": "answered"}[field])
    world.run_until("ONLINE", config.recovery_bound)


def test_a_restarted_server_is_found_again() -> None:
    world = World(Lifecycle(Config(), Random(1)))
    world.tell(Start())
    world.run_until("ONLINE", 10.0)
    world.run_for(100.0)
    world.known.clear()
    world.run_until("BACKOFF", 5.1)
    world.run_until("ONLINE", 5.0)
    assert world.machine.statistics.losses == 1
    world.run_for(3600.0)
    assert world.machine.statistics.losses == 1
    assert world.machine.statistics.answers > 700


def test_the_world_tells_when_a_state_is_not_reached() -> None:
    world = World(Lifecycle(Config(), Random(1)))
    with pytest.raises(TimeoutError, match=r"still OFFLINE after 3.0 s, not ONLINE"):
        world.run_until("ONLINE", 3.0)
    assert world.now == 3.0
