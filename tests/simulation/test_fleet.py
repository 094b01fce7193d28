"""A seed decides a simulation; every scenario ends with every agent ONLINE."""

import math
import subprocess
import sys

import pytest

from agentcp_fsm import Config
from agentcp_fsm.errors import ConfigError
from agentcp_fsm.simulation import SCENARIOS, Fleet, Run, simulate, simulate_all
from agentcp_fsm.testing.network import Weather

STORM = Weather(loss_up=0.2, loss_down=0.1, jitter=0.5, duplication=0.2)
GOLDEN = "f1c6f7533aa1b6a703940dd2abd1e50a"
"""Of `STORMY`, on every Python and system; it changes with the rules of the machine and the world, and only so."""
STORMY = Run(scenario="server-outage", agents=20, seed=7, weather=STORM)


def test_a_seed_gives_the_same_transitions_at_the_same_times_everywhere() -> None:
    assert simulate(STORMY, digested=True).digest == GOLDEN


def test_neither_the_order_of_hashes_nor_another_process_matters() -> None:
    code = (
        "from tests.simulation.test_fleet import STORMY; from agentcp_fsm.simulation import simulate;"
        "print(simulate(STORMY, digested=True).digest)"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=False
        )
        assert done.stdout.strip() == GOLDEN, done.stderr


def test_another_seed_gives_another_run() -> None:
    one, other = (simulate(Run(scenario="overload", agents=60, seed=seed), digested=True) for seed in (1, 2))
    assert one.digest != other.digest
    assert one.load != other.load


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("weather", [Weather(jitter=0.01), STORM], ids=["calm", "storm"])
def test_all_agents_recover_from_each_scenario(name: str, weather: Weather) -> None:
    outcome = simulate(Run(scenario=name, agents=60, weather=weather))
    assert outcome.absent == 0
    assert 0 < len(outcome.recoveries) <= 60
    assert outcome.percentile(0.5) <= outcome.percentile(1.0) == outcome.recoveries[-1] < math.inf
    assert sum(second.sign_ins for second in outcome.load) > 0 or name in ("network-outage", "partition")
    assert outcome.load[-1].online == 60


def test_a_partition_cuts_off_one_half() -> None:
    outcome = simulate(Run(scenario="partition", agents=60))
    assert len(outcome.recoveries) == 30
    assert min(second.online for second in outcome.load) == 30


def test_a_server_of_limited_capacity_works_sign_ins_off_one_after_the_other() -> None:
    outcome = simulate(Run(scenario="overload", agents=300))
    assert outcome.percentile(1.0) >= 50.0
    assert outcome.percentile(1.0) < 300.0


def test_an_agent_whose_router_forgets_it_is_not_answered() -> None:
    def losses(binding_life: float) -> int:
        fleet = Fleet(1, 1, weather=Weather(delay=0.5))
        fleet.binding_life = binding_life
        fleet.clock.run_until(300.0)
        return fleet.transitions

    assert losses(1.0) == 2  # to SIGNING_IN, and to ONLINE
    assert losses(0.9) > 2


def test_the_number_of_processes_does_not_matter() -> None:
    runs = [Run(scenario=name, agents=20, seed=seed) for name in ("overload", "server-move") for seed in (1, 2)]
    done: list[int] = []
    alone = simulate_all(runs, 1, lambda outcome: done.append(outcome.run.seed))
    assert done == [1, 2, 1, 2]
    assert simulate_all(runs, 2) == alone
    assert [outcome.run for outcome in alone] == runs


def test_the_configuration_is_what_counts() -> None:
    slow = simulate(Run(scenario="server-restart", agents=60, config=Config(unauthorized_spread=30.0)))
    fast = simulate(Run(scenario="server-restart", agents=60, config=Config(unauthorized_spread=0.0)))
    assert slow.percentile(1.0) > fast.percentile(1.0) + 10
    assert slow.busiest < fast.busiest


def test_what_cannot_be_run_is_refused() -> None:
    with pytest.raises(ConfigError, match="'flood' is no scenario; there are server-restart"):
        Run(scenario="flood", agents=1)
    with pytest.raises(ConfigError, match="agents=0"):
        Run(scenario="overload", agents=0)
