"""The rows of seconds on real sockets: real connections and a real server, in the fault bench's network of two hosts.

Several agents, each in a process of its own and started at another time, meet the same weather, so each round yields
as many moments between two heartbeats.  All timings are those of the default configuration.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from agentcp_fsm import Config, State
from tests.faults.application import Application
from tests.faults.bench import identity
from tests.faults.network import SERVER, Lab, site, within
from tests.faults.process import Process
from tests.faults.wire import Impairment
from tests.server_process import ServerProcess
from tests.waiting import until
from tests.weather.habits import ROUND_TRIP
from tests.weather.outages import recovery
from tests.weather.row import Measured

AGENTS = 8
ROUNDS = 3
"""Rounds of a short outage; a long one has one."""
STAGGER = 5.0
"""Seconds within which the agents are started."""
SETTLING = 35.0
"""Seconds until a connection counts as one that lasts."""
PATIENCE = 120.0
"""Seconds within which any of them recovers, or never."""
SERVING = (State.ONLINE, State.DEGRADED)

Agents = list[Process[Application]]


def pass_by(seconds: float) -> None:
    """Let real time pass: how long the weather lasts is what it is known by."""
    ends = time.monotonic() + seconds
    until(lambda: time.monotonic() >= ends, timeout=seconds + 10)


@contextmanager
def agents_of(lab: Lab, server: ServerProcess, number: int) -> Iterator[Agents]:
    """Agents on the client's host, each in a process of its own, not started."""
    with ExitStack() as stack:
        server("ok")
        server("restart")  # forget earlier agents' sessions
        agents = []
        for index in range(number):
            agent_id = f"agent{index}.agentid.pub"
            log = Path(stack.enter_context(TemporaryDirectory())) / "log"
            arguments: tuple[Any, ...] = (server.url, identity(agent_id), Config(), log, agent_id)
            agents.append(stack.enter_context(Process(within, lab.client.pid, Application, *arguments)))
        yield agents


def settle(agents: Agents) -> None:
    """Start them, one after the other, and let them be online for long enough."""
    random = Random(1)
    for agent in agents:
        agent.call(Application.start)
        pass_by(STAGGER / len(agents) * 2 * random.random())
    for agent in agents:
        agent.call(Application.wait_for, State.ONLINE)
    pass_by(SETTLING)


def recovered(agents: Agents, since: float) -> list[float]:
    """How long after `since` each is online by an answered heartbeat."""
    for agent in agents:
        agent.begin(Application.recovered, since, PATIENCE)
    return [agent.result(PATIENCE + 10) - since for agent in agents]


def measure_outage(seconds: float, rounds: int, *, forgotten: bool = False) -> Measured:
    """Outages that say nothing, both ways, for all traffic."""
    lab, server = site().lab, site().server(SERVER, 5.0)
    times = []
    with agents_of(lab, server, AGENTS) as agents:
        settle(agents)
        for _ in range(rounds):
            with lab.outage():
                pass_by(seconds / 2)
                if forgotten:
                    server("restart")
                pass_by(seconds / 2)
                ended = time.monotonic()
            times += recovered(agents, ended)
            pass_by(STAGGER * len(times) / (AGENTS * rounds))  # another moment between two heartbeats
    return recovery(times)


def measure_round_trip() -> Measured:
    """From the start on, every packet takes 2 s each way."""
    lab, server = site().lab, site().server(SERVER, 5.0)
    with agents_of(lab, server, AGENTS) as agents, lab.impaired(Impairment(delay=ROUND_TRIP / 2)):
        begun = time.monotonic()
        for agent in agents:
            agent.call(Application.start)
        until(
            lambda: (
                all(agent.call(Application.reading).answers for agent in agents) or time.monotonic() > begun + PATIENCE
            ),
            timeout=PATIENCE + 60,
        )
        came = [
            next((step.at - begun for step in agent.call(Application.life) if step.dest == State.ONLINE), math.inf)
            for agent in agents
        ]
        attempts = [agent.call(Application.reading).attempts for agent in agents]
    figures = {"online after": max(came), "sign-ins in the hour": max(attempts)}
    said = f"online within {max(came):.1f} s" if max(came) < math.inf else f"not online within {PATIENCE:g} s"
    return Measured(figures=figures, text=f"{said}, {max(attempts)} sign-ins")


def measure_silence() -> Measured:
    """The server, which asks for a heartbeat every 30 s, falls silent."""
    lab, server = site().lab, site().server(SERVER, 30.0)

    def lost_at(agent: Process[Application]) -> float:
        life = agent.call(Application.life)
        return next((one.at for one in life if one.source in SERVING and one.dest not in SERVING), math.inf)

    with agents_of(lab, server, AGENTS) as agents:
        settle(agents)
        server("fault silent on")
        begun = time.monotonic()
        until(lambda: all(lost_at(agent) < math.inf for agent in agents), timeout=PATIENCE)
        times = [lost_at(agent) - begun for agent in agents]
        server("ok")
    return Measured(figures={"max": max(times), "mean": mean(times)}, text=f"{max(times):.1f} s at most")


MEASURES: dict[str, Callable[[], Measured]] = {
    "outage 8": lambda: measure_outage(8.0, ROUNDS),
    "outage 60": lambda: measure_outage(60.0, 1),
    "forgotten 60": lambda: measure_outage(60.0, 1, forgotten=True),
    "round trip": measure_round_trip,
    "silence": measure_silence,
}
"""By the names of the rows whose targets they are held to."""
