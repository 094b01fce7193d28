"""A fleet: many agents, one clock, one server, and the networks between them.  One seed decides everything.

The only source of chance is `random.Random.random`, whose algorithm Python promises to keep; what happens at the same
time happens in the order in which it was planned.  So a seed gives the same run on every Python and system.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from random import Random

from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.events import Start
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.simulation.agent import Agent
from agentcp_fsm.simulation.server import Server
from agentcp_fsm.testing.clock import Clock
from agentcp_fsm.testing.network import Network, Outage, Weather

MakeAgent = Callable[["Fleet", int, Lifecycle, Network], Agent]


class Fleet:
    """So many agents of one configuration; they start within the first `starting` seconds, evenly spread.

    Every second agent is in the second of the two networks, so that one half can be cut off.
    """

    def __init__(
        self,
        agents: int,
        seed: int,
        *,
        config: Config | None = None,
        weather: Weather | None = None,
        starting: float = 30.0,
        make_agent: MakeAgent = Agent,
        digested: bool = False,
    ) -> None:
        self.random = Random(seed)  # noqa: S311 - chance of a simulation
        self.clock = Clock()
        self.config = config or Config()
        self.server = Server(self.clock, self.random.random)
        self.networks = tuple(Network(self.clock, self.random, weather) for _ in range(2))
        self.binding_life = math.inf
        """Seconds that routers remember the way back to a socket that sends nothing."""
        self.online = 0
        """Agents that are ONLINE now."""
        self.online_at = array("d", [math.nan]) * agents
        """When each agent last became ONLINE."""
        self.losses = Counter[int]()
        """Connections lost, by the second of the clock."""
        self.transitions = 0
        self._digest = blake2b(digest_size=16) if digested else None
        self.agents: list[Agent] = []
        for number in range(agents):
            machine = Lifecycle(self.config, self.random)
            agent = make_agent(self, number, machine, self.networks[number % 2])
            self.agents.append(agent)
            self.clock.after(starting * self.random.random(), agent.tell, START)

    @property
    def digest(self) -> str:
        """A number made of all transitions, their agents and their exact times; empty unless it is `digested`."""
        return "" if self._digest is None else self._digest.hexdigest()

    @property
    def recovered(self) -> bool:
        """Whether every agent is ONLINE, with a session that the server knows, where the server takes heartbeats."""
        if self.online < len(self.agents):
            return False
        known, port = self.server.sessions, self.server.port
        sessions = (agent.machine.session for agent in self.agents)
        return all(session is not None and session.cookie in known and session.port == port for session in sessions)

    def note(self, agent: Agent, transition: ReportTransition) -> None:
        """Take a transition into the books."""
        self.transitions += 1
        if transition.dest == "ONLINE":
            self.online += 1
            self.online_at[agent.number] = transition.at
        elif transition.source == "ONLINE":
            self.online -= 1
        if transition.lost:
            self.losses[int(transition.at)] += 1
        if self._digest is not None:
            step = f"{agent.number} {transition.at.hex()} {transition.source} {transition.dest} {transition.trigger}\n"
            self._digest.update(step.encode())

    def break_for(self, seconds: float, outage: Outage, *, half: bool = False) -> None:
        """An outage of the network begins now and ends by itself; of one `half` of the agents, or of all."""
        for network in self.networks[: 1 if half else None]:
            network.break_for(seconds, outage)


START = Start()
