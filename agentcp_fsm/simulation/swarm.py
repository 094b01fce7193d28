"""A swarm: small worlds by the thousand, each with another configuration, weather and faults, all under the monitor.

A seed decides all of a world.  One whose machine breaks an invariant becomes a script, as short as it can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from random import Random
from typing import TypeVar

from agentcp_fsm.errors import InvariantError
from agentcp_fsm.lifecycle import events
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.simulation.agent import Agent, Surroundings
from agentcp_fsm.simulation.fleet import Fleet
from agentcp_fsm.testing.monitor import Watched
from agentcp_fsm.testing.network import Network, Outage, Weather
from agentcp_fsm.testing.script import Script, Step

T = TypeVar("T")

LIFE = 120.0
"""Seconds of a world's clock."""
FAULTS = 6
"""The most that happens to a world."""
BATCH = 50
"""Seeds that a process takes at a time."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A world whose machine broke an invariant."""

    seed: int
    script: Script
    """The life of the agent, shortened."""
    text: str
    """What the invariant says of the shortened life."""


class WatchedAgent(Agent):
    """An agent with a monitor, which remembers its life."""

    __slots__ = ("seed", "steps", "watched")

    def __init__(self, fleet: Surroundings, number: int, machine: Lifecycle, network: Network) -> None:
        self.seed = int(fleet.random.random() * 2**32)
        own = Lifecycle(machine.config, Random(self.seed))  # noqa: S311 - so that a script has its draws alone
        super().__init__(fleet, number, own, network)
        self.watched = Watched(own)
        self.steps: list[Step] = []

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What the machine asks for; the monitor looks at it."""
        self.steps.append((event, now))
        return self.watched.handle(event, now)


def explore(seed: int) -> Failure | None:
    """Live the world of a seed; None if all invariants held."""
    chance = Random(seed)  # noqa: S311 - chance of a simulation
    fleet = Fleet(
        1 + int(2 * chance.random()),
        int(chance.random() * 2**32),
        config=_config(chance),
        weather=_weather(chance),
        starting=5.0,
        make_agent=WatchedAgent,
    )
    if chance.random() < 0.3:
        fleet.binding_life = 1.0 + 30.0 * chance.random()
    for _ in range(int((FAULTS + 1) * chance.random())):
        fleet.clock.at(LIFE * chance.random(), _befall, fleet, chance)
    try:
        fleet.clock.run_until(LIFE)
    except InvariantError as error:
        for agent in fleet.agents:
            assert isinstance(agent, WatchedAgent)
            script = Script(fleet.config, agent.seed, tuple(agent.steps))
            if (broken := script.violation()) is not None:
                return _shortened(seed, script, broken)
        raise AssertionError(f"seed {seed}: no replay breaks an invariant as the world did") from error
    return None


def swarm(seeds: Sequence[int], workers: int = 1) -> Iterator[tuple[int, tuple[Failure, ...]]]:
    """Explore the worlds of the seeds, in so many processes; yield, in their order, a number of seeds and those of
    them that failed."""
    batches = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
    if workers <= 1:
        yield from map(_explore_all, batches)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_explore_all, batches)


def _explore_all(seeds: Sequence[int]) -> tuple[int, tuple[Failure, ...]]:
    found = (explore(seed) for seed in seeds)
    return len(seeds), tuple(failure for failure in found if failure is not None)


def _shortened(seed: int, script: Script, broken: InvariantError) -> Failure:
    kind = _kind(broken)

    def fails(shorter: Script) -> bool:
        violation = shorter.violation()
        return violation is not None and _kind(violation) == kind

    best = script.shortened(fails)
    simpler = replace(best, config=Config())
    if fails(simpler):
        best = simpler
    return Failure(seed, best, str(best.violation()))


def _kind(error: InvariantError) -> str:
    """What an error says is broken, before its numbers: S8, rule 6, say."""
    return str(error).split(" broken ")[0]


def _pick(chance: Random, values: Sequence[T]) -> T:
    return values[int(len(values) * chance.random())]


def _config(chance: Random) -> Config:
    """The defaults, or others that a person might choose."""
    if chance.random() < 0.3:
        return Config()
    return Config(
        interval_min=_pick(chance, (1.0, 5.0)),
        interval_max=_pick(chance, (5.0, 30.0)),
        probe_limit=_pick(chance, (1, 2, 3)),
        silence_limit=_pick(chance, (1, 3)),
        silence_timeout=_pick(chance, (3.0, 15.0)),
        sign_in_interval_min=_pick(chance, (0.0, 1.0, 5.0)),
        sign_in_attempt_limit=_pick(chance, (None, None, 3)),
        stable_after=_pick(chance, (0.0, 5.0, 30.0)),
        flapping_limit=_pick(chance, (1, 2, 3)),
        flapping_span=_pick(chance, (0.0, 10.0, 90.0)),
        flapping_wait=_pick(chance, (5.0, 45.0)),
        backoff_jitter=_pick(chance, (0.0, 0.65, 1.0)),
        unauthorized_spread=_pick(chance, (0.0, 2.0)),
        send_failure_limit=_pick(chance, (1, 3)),
        receive_failure_limit=_pick(chance, (1, 3)),
    )


def _weather(chance: Random) -> Weather:
    return Weather(
        loss_up=_pick(chance, (0.0, 0.0, 0.1, 0.3, 0.6)),
        loss_down=_pick(chance, (0.0, 0.0, 0.1, 0.3, 0.6)),
        delay=_pick(chance, (0.001, 0.02, 0.3, 2.0)),
        jitter=_pick(chance, (0.0, 0.01, 0.5, 5.0)),
        duplication=_pick(chance, (0.0, 0.0, 0.5)),
    )


def _befall(fleet: Fleet, chance: Random) -> None:
    """Something happens to a world."""
    server, agent = fleet.server, _pick(chance, fleet.agents)
    match int(11 * chance.random()):
        case 0:
            server.restart()
        case 1:
            server.restart(move=True)
        case 2 | 3:
            fleet.break_for(40.0 * chance.random(), _pick(chance, tuple(Outage)), half=chance.random() < 0.5)
        case 4:
            server.failing = _pick(chance, (0.0, 0.5, 1.0))
        case 5:
            server.limit = _pick(chance, (None, 0, 1))
            server.retry_after = _pick(chance, (None, 0.0, 7.0, 100.0, -1.0))
        case 6:
            server.rate, server.queue = _pick(chance, (None, 0.1, 1.0)), 1
        case 7:
            server.deaf = not server.deaf
        case 8:
            server.next_beat = _pick(chance, (0, 500, 5000, 60_000, 2**64 - 1))
        case 9:
            agent.tell(_pick(chance, (events.Stop(), events.Reconnect(), events.RetryNow(), events.Start())))
        case _:
            agent.tell(events.Stop())
            fleet.clock.after(5.0 * chance.random(), agent.tell, events.Start())
