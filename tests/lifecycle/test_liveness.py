"""L1 to L4: from any state that a random sequence reaches."""

from dataclasses import replace
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.lifecycle.chart import CONNECTING, SERVING, State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import DeadlinePassed, Event, Start, Stop
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.testing import Watched, World, strategies
from agentcp_fsm.testing.machine import next_event


def countable(config: Config) -> Config:
    """The same, but no phase of a life lasts for more than a thousand heartbeats: they are simulated one by one."""
    least = max(config.backoff_bound, config.silence_timeout) / 1000
    return replace(
        config,
        interval_min=max(config.interval_min, least),
        interval_max=max(config.interval_max, least),
        retransmission_min=max(config.retransmission_min, config.silence_timeout / 1000),
        probe_interval=max(config.probe_interval, config.probe_time_max / 1000),
    )


def latency(config: Config) -> float:
    """Seconds that a call takes in a healthy world: far less than anything that is configured."""
    quickest = min(
        config.sign_in_timeout, config.socket_timeout, config.probe_interval, config.sign_out_timeout,
        config.interval_min, config.retransmission_min, config.silence_timeout,
    )  # fmt: skip
    return min(0.05, quickest / 10)


@st.composite
def reached(draw: st.DrawFn, *, attempt_limit: bool = False) -> World:
    """A world that cares for a machine from now on, in whatever state a random life left it; its calls are lost."""
    config = countable(draw(strategies.configs(attempt_limit=attempt_limit)))
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
    return World(watched, now=machine.now if now < machine.now else now, latency=latency(config))


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
    config = countable(config)
    world = World(Lifecycle(config, Random(1)), latency=latency(config))
    world.next_beat = next_beat
    world.tell(Start())
    world.run_until("ONLINE", config.recovery_bound)
    world.run_for(min(after, 100 * config.interval_min))
    world.heartbeats = "silent" if sending else "unsendable"
    interval = min(max(next_beat / 1000, config.interval_min), config.interval_max)
    patience = min(config.silence_limit * interval, interval + config.silence_timeout)
    patience += min(config.retransmission_min, interval, config.silence_timeout)
    limit = max(patience, interval + min(interval, config.silence_timeout)) + world.latency
    assert limit <= config.silence_bound + world.latency
    began = world.now
    assert world.run_until(tuple(state for state in State if state not in SERVING), allowed(limit, world)) > 0
    assert world.now - began <= allowed(limit, world)


@pytest.mark.parametrize(("seconds", "limit"), [(5, 16.0), (10, 26.0), (30, 46.0), (300, 46.0)])
def test_l3_with_the_defaults_within_three_intervals_and_one_second_and_one_interval_and_16_seconds(
    seconds: int, limit: float
) -> None:
    world = World(Lifecycle(Config(), Random(1)))
    world.next_beat = seconds * 1000
    world.tell(Start())
    world.run_until("ONLINE", 10.0)
    world.run_for(100.0)
    world.heartbeats = "silent"
    began = world.machine.answered_at
    world.run_until("RECONNECTING", limit)
    assert world.now - began <= limit


Outage = tuple[Literal["silent", "unsendable"], Literal["fail", "hang"]]


@given(
    config=strategies.configs(attempt_limit=False),
    next_beat=st.integers(0, 40_000),
    before=st.floats(0, 100),
    lasting=st.floats(0, 1000),
    outage=st.tuples(st.sampled_from(["silent", "unsendable"]), st.sampled_from(["fail", "hang"])),
    proven=st.booleans(),
)
def test_l4_when_only_the_network_fails_it_is_back_one_interval_after_its_return(
    config: Config, next_beat: int, before: float, lasting: float, outage: Outage, proven: bool
) -> None:
    config = countable(config)
    world = World(Lifecycle(config, Random(1)), latency=latency(config))
    world.next_beat = next_beat
    if not proven:
        world.heartbeats = "silent"
    world.tell(Start())
    world.run_until(("ONLINE", "BACKOFF"), config.recovery_bound)
    assert proven == (world.state == "ONLINE")
    world.run_for(min(before, 100 * config.interval_min))
    world.heartbeats, world.sign_ins = outage
    world.run_for(min(lasting, 1000 * config.interval_min))
    world.heartbeats, world.sign_ins = "answered", "succeed"
    if world.state in CONNECTING and world.machine.session is None:  # its end, unless it was to succeed
        world.run_until(("BACKOFF", "ONLINE"), config.sign_in_timeout + 10 * world.latency)
    if world.state != "ONLINE":
        world.run_until("ONLINE", allowed(config.return_bound + 10 * world.latency, world))


@pytest.mark.parametrize("seconds", [8.0, 60.0, 300.0, 3600.0])
@pytest.mark.parametrize("kind", ["silent", "unsendable"])
def test_l4_with_the_defaults(seconds: float, kind: Literal["silent", "unsendable"]) -> None:
    """An outage costs no sign-in that succeeds: the session is the same afterwards."""
    took = []
    for seed in range(20):
        world = World(Lifecycle(Config(), Random(seed)))
        world.tell(Start())
        world.run_until("ONLINE", 10.0)
        world.run_for(100.0 + seed / 4)
        session = world.machine.session
        world.heartbeats, world.sign_ins = kind, "fail"
        world.run_for(seconds)
        world.heartbeats, world.sign_ins = "answered", "succeed"
        took.append(0.0 if world.state == "ONLINE" else world.run_until("ONLINE", 6.0))
        if world.machine.session != session:
            assert world.machine.attempt > 1
    assert max(took) <= (1.5 if seconds == 8.0 and kind == "silent" else 6.0)


def test_l4_a_first_start_whose_heartbeats_were_not_answered_recovers_by_a_probe_too() -> None:
    world = World(Lifecycle(Config(), Random(1)))
    world.heartbeats = "silent"
    world.tell(Start())
    world.run_until("BACKOFF", 5.0)
    world.sign_ins = "fail"
    world.run_for(100.0)
    attempts = world.machine.statistics.attempts
    world.heartbeats = "answered"
    assert world.run_until("ONLINE", 5.1) < 5.1
    assert world.machine.statistics.attempts <= attempts + 1


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
