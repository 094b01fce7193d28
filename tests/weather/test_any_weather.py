"""Any weather at all, one after the other; then it clears, and the agent is reachable within the bound."""

from dataclasses import replace
from random import Random

import pytest

from agentcp_fsm.lifecycle.events import Reconnect, RetryNow
from agentcp_fsm.testing.agents import VirtualAgent
from agentcp_fsm.testing.network import Outage, Weather
from agentcp_fsm.testing.servers import Refusal
from tests.weather.habits import invitation
from tests.weather.scene import Scene, alone, weather

CHANGES = 30
LONGEST = 90.0
"""Seconds that a weather lasts at most."""


def change(scene: Scene, agent: VirtualAgent, random: Random, number: int) -> None:
    """One thing changes, for better or worse."""
    network, server = scene.network, scene.server
    share = random.choice([0.0, 0.1, 0.5, 0.9])
    match random.randrange(14):
        case 0:
            network.outage = random.choice(list(Outage))
        case 1:
            network.weather = Weather(loss_up=share, delay=random.choice([0.02, 0.5, 2.5]))
        case 2:
            network.weather = replace(network.weather, loss_down=share, jitter=random.choice([0.0, 1.0]))
        case 3:
            network.weather = weather()
        case 4:
            agent.nat.change()
        case 5:
            agent.nat.strand()
        case 6:
            server.restart()
        case 7:
            server.deaf, server.flaps = random.choice([(False, False), (True, False), (False, True)])
        case 8:
            server.strangers_ignored = random.random() < 0.5
        case 9:
            server.refusal = random.choice([None, Refusal("403", rejected=True), Refusal("503", 20.0), Refusal("500")])
        case 10:
            server.next_beat = random.choice([0, 5000, 20_000, 300_000, 2**70])
        case 11:
            for _ in range(3):
                server.invite(agent.agent_id, invitation(number))
        case 12:
            agent.tell(random.choice([Reconnect(), RetryNow()]))
        case _:
            network.outage = Outage.NONE
            server.refusal, server.deaf, server.flaps = None, False, False


@pytest.mark.parametrize("seed", range(40))
def test_any_weather_clears(seed: int) -> None:
    random = Random(seed)
    scene, agent = alone(seed)
    for number in range(CHANGES):
        change(scene, agent, random, number)
        scene.clock.run_for(LONGEST * random.random())
    scene.network.outage = Outage.NONE
    scene.network.weather = weather()
    server = scene.server
    server.deaf = server.flaps = server.strangers_ignored = False
    server.refusal, server.next_beat = None, 5000
    begun = scene.clock.now
    bound = agent.machine.config.recovery_bound
    back = scene.clock.run_for(bound, lambda: agent.online and agent.answered_at > begun)
    assert back, f"{agent.state} {bound} s after the weather cleared"
    scene.clock.run_for(60.0)
    losses = agent.losses
    scene.clock.run_for(600.0)
    assert (agent.losses, agent.online) == (losses, True)
