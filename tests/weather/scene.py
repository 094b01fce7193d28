"""The scenes that the weather is played in: a clock, a network, a server, and agents that are started at random times.

Each machine has a `Monitor` at its side, unless a scene is too large for that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import Start
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.testing.agents import VirtualAgent
from agentcp_fsm.testing.clock import Clock
from agentcp_fsm.testing.monitor import Watched
from agentcp_fsm.testing.network import Network, Weather
from agentcp_fsm.testing.servers import VirtualServer

HOUR = 3600.0
DAY = 24 * HOUR
DELAY = 0.02
JITTER = 0.01
"""Seconds that a packet is under way, in each direction, unless a row says otherwise: 20 to 30 ms."""
SETTLING = 60.0
"""Seconds until a connection counts as one that lasts."""


def weather(loss: float = 0.0, delay: float = DELAY, jitter: float = JITTER) -> Weather:
    """The same weather in both directions."""
    return Weather(loss_up=loss, loss_down=loss, delay=delay, jitter=jitter)


@dataclass(slots=True)
class Scene:
    """One server and its agents."""

    seed: int
    weather: Weather = field(default_factory=weather)
    config: Config = field(default_factory=Config)
    watched: bool = True
    random: Random = field(init=False)
    clock: Clock = field(init=False)
    network: Network = field(init=False)
    server: VirtualServer = field(init=False)
    agents: list[VirtualAgent] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.clock = Clock()
        self.network = Network(self.clock, self.random, self.weather)
        self.server = VirtualServer(self.clock)

    def enter(self, agent_id: str, within: float = 0.0) -> VirtualAgent:
        """A new agent, started at a random time in the next `within` seconds."""
        machine = Lifecycle(self.config, Random(self.random.random()))
        agent = VirtualAgent(agent_id, Watched(machine) if self.watched else machine, self.network, self.server)
        self.agents.append(agent)
        self.clock.after(within * self.random.random(), agent.tell, Start())
        return agent

    def settle(self) -> None:
        """Let all agents come online and stay so, until a random time between two heartbeats."""
        self.clock.run_for(SETTLING + 30.0 * self.random.random())
        absent = [agent.agent_id for agent in self.agents if not agent.online]
        assert not absent, f"not online in good weather: {absent[:5]}"


def alone(
    seed: int, sky: Weather | None = None, config: Config | None = None, next_beat: float = 5.0
) -> tuple[Scene, VirtualAgent]:
    """A scene with one agent, to be started at once."""
    scene = Scene(seed, sky or weather(), config or Config())
    scene.server.next_beat = round(1000 * next_beat)
    return scene, scene.enter("alice")
