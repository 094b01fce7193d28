"""The simulator's world, in a state that many tests begin with."""

from random import Random

from agentcp_fsm import Config, Lifecycle, State
from agentcp_fsm.lifecycle.events import Start
from agentcp_fsm.testing import World

LIMIT = 1000.0
"""Seconds of the world's own clock in which anything that should come has come."""


def online(config: Config) -> World:
    """A world whose machine has signed in and got its first answer, a moment after 0."""
    world = World(Lifecycle(config, Random(1)))
    world.tell(Start())
    world.run_until(State.ONLINE, LIMIT)
    return world
