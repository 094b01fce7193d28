"""Many machines, one virtual clock, networks and a server with their faults; one seed decides everything.

    outcome = simulate(Run(scenario="server-restart", agents=10_000, seed=7))
    print(outcome.percentile(0.99), outcome.busiest)

`agentcp-fsm simulate` is its command.  `explore` lives the small worlds of a swarm, whose machines are watched.
"""

from agentcp_fsm.simulation.fleet import Fleet
from agentcp_fsm.simulation.run import Outcome, Run, Second, simulate, simulate_all
from agentcp_fsm.simulation.scenarios import SCENARIOS, Scenario
from agentcp_fsm.simulation.swarm import Failure, explore, swarm

__all__ = [
    "SCENARIOS",
    "Failure",
    "Fleet",
    "Outcome",
    "Run",
    "Scenario",
    "Second",
    "explore",
    "simulate",
    "simulate_all",
    "swarm",
]
