"""Runs of a scenario, alone or many at once, and what comes of them."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.simulation.fleet import Fleet
from agentcp_fsm.simulation.scenarios import SCENARIOS
from agentcp_fsm.testing.network import Weather

STARTING = 30.0
"""Seconds in which the agents start."""
SETTLED = 40.0
"""Seconds after which a fleet is disturbed."""
PATIENCE = 600.0
"""Seconds in which an agent recovers, or is counted as lost."""
STEP = 0.25
"""Seconds between two looks at whether all have recovered."""
REPEATS = 3
"""How often runs whose process died are begun again."""

Progress = Callable[[float, int], object]
"""Called with the seconds of the clock, and the agents that are ONLINE, about once a second of the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that decides a run."""

    scenario: str
    agents: int
    seed: int = 0
    config: Config = field(default_factory=Config)
    weather: Weather = field(default_factory=lambda: Weather(jitter=0.01))

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise ConfigError(f"{self.scenario!r} is no scenario; there are {', '.join(SCENARIOS)}")
        if self.agents < 1:
            raise ConfigError(f"agents={self.agents!r}: give 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """One second of a run, from `SETTLED` on."""

    second: int
    """Since the disturbance."""
    online: int
    """Agents ONLINE at its end."""
    sign_ins: int
    """Sign-ins that arrived at the server in it."""
    heartbeats: int
    """Heartbeats that arrived at the server in it."""
    losses: int
    """Connections that were lost in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run."""

    run: Run
    recoveries: tuple[float, ...]
    """Seconds from when a recovery was possible to ONLINE, ascending; of each agent that recovered."""
    absent: int
    """Agents that were not ONLINE at the end."""
    load: tuple[Second, ...]
    transitions: int
    digest: str

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the agents that were lost has recovered, from 0 to 1; infinite if they
        have not, and 0 if none was lost."""
        lost = len(self.recoveries) + self.absent
        if not lost:
            return 0.0
        index = math.ceil(share * lost) - 1
        return self.recoveries[max(index, 0)] if index < len(self.recoveries) else math.inf

    @property
    def busiest(self) -> int:
        """The most sign-ins that arrived in a second."""
        return max((each.sign_ins for each in self.load), default=0)

    def seconds_above(self, sign_ins: float) -> int:
        """The longest stretch of seconds, in each of which more sign-ins than that arrived."""
        longest = present = 0
        for each in self.load:
            present = present + 1 if each.sign_ins > sign_ins else 0
            longest = max(longest, present)
        return longest


def simulate(run: Run, progress: Progress | None = None, *, digested: bool = False) -> Outcome:
    """Run it; `progress` is called about once a second of the virtual clock."""
    with _without_collection():
        fleet = Fleet(
            run.agents, run.seed, config=run.config, weather=run.weather, starting=STARTING, digested=digested
        )
        clock = fleet.clock
        online: list[int] = []

        def pass_until(time: float) -> None:
            while clock.now < time:
                second = math.floor(clock.now)
                clock.run_until(min(time, clock.now + STEP))
                if math.floor(clock.now) > second:
                    if clock.now > SETTLED:
                        online.append(fleet.online)
                    if progress is not None:
                        progress(clock.now, fleet.online)

        pass_until(SETTLED)
        possible_at = SETTLED + SCENARIOS[run.scenario].disturb(fleet)
        pass_until(possible_at)
        while clock.now < possible_at + PATIENCE and not fleet.recovered:
            pass_until(clock.now + STEP)
        recovered = sorted(max(at - possible_at, 0.0) for at in fleet.online_at if at > SETTLED)
    end = math.ceil(clock.now)
    server = fleet.server
    first = int(SETTLED)
    load = tuple(
        Second(
            second=second - first,
            online=online[second - first] if second - first < len(online) else fleet.online,
            sign_ins=server.offered[second],
            heartbeats=server.heartbeats[second],
            losses=fleet.losses[second],
        )
        for second in range(first, end)
    )
    return Outcome(
        run=run,
        recoveries=tuple(recovered),
        absent=run.agents - fleet.online,
        load=load,
        transitions=fleet.transitions,
        digest=fleet.digest,
    )


def simulate_all(
    runs: Sequence[Run], workers: int, done: Callable[[Outcome], object] | None = None
) -> tuple[Outcome, ...]:
    """Run them all, in so many processes; the outcomes are in the order of the runs, however many there are.

    `done` is called with each outcome as it comes.  Runs of a process that dies are begun again, a few times.
    Raises BrokenProcessPool if that does not help.
    """
    outcomes: dict[int, Outcome] = {}
    if workers <= 1:
        for number, run in enumerate(runs):
            outcomes[number] = simulate(run)
            if done is not None:
                done(outcomes[number])
    for attempt in range(REPEATS):
        missing = [number for number in range(len(runs)) if number not in outcomes]
        if not missing:
            break
        try:
            chosen = [runs[number] for number in missing]
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                for number, outcome in zip(missing, pool.map(simulate, chosen), strict=True):
                    outcomes[number] = outcome
                    if done is not None:
                        done(outcome)
        except BrokenProcessPool:
            if attempt == REPEATS - 1:
                raise
    return tuple(outcomes[number] for number in range(len(runs)))


@contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage collection: a fleet has millions of objects, none of them garbage, and no cycles on its way."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
