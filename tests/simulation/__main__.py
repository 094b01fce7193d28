"""``python -m tests.simulation``: the evidence for the defaults, as tables.

Each setting is varied alone, on a fleet whose server forgets all sessions: one that takes any number of sign-ins, and
one that works them off in a minute.  ``--write FILE`` puts the tables into a page of Markdown, between the marks that
stand there; ``--size`` measures the speed and the memory of a run of so many agents instead.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from statistics import mean
from typing import Any

from agentcp_fsm import Config
from agentcp_fsm.simulation import Outcome, Run, simulate, simulate_all
from agentcp_fsm.simulation.scenarios import MINUTE
from tests.faults.page import parts, show, write

AGENTS, SEEDS = 2000, 3
VALUES: dict[str, tuple[float, ...]] = {
    "unauthorized_spread": (0.0, 2.0, 5.0, 10.0, 30.0, 60.0),
    "backoff_jitter": (0.0, 0.35, 0.65, 1.0),
    "sign_in_interval_min": (0.0, 1.0, 5.0, 15.0),
    "backoff_max": (15.0, 30.0, 60.0),
}
"""What each setting is given, its default among them."""
HEADINGS = (
    "value",
    "restart: back 50 / 99 / 100 %",
    "sign-ins offered in the busiest second",
    "limited server: back 50 / 99 / 100 %",
    "its busiest second, in capacities",
    "seconds in a row above twice its capacity",
    "sign-ins an agent",
)


def figures(outcomes: list[Outcome]) -> tuple[str, str]:
    """When so many are back, in seconds, and the most sign-ins in a second; means over the seeds."""
    back = (mean(outcome.percentile(share) for outcome in outcomes) for share in (0.5, 0.99, 1.0))
    return " / ".join(f"{seconds:.1f}" for seconds in back) + " s", f"{mean(o.busiest for o in outcomes):,.0f}"


def configured(setting: str, value: float) -> Config:
    """The defaults but for one setting."""
    values: dict[str, Any] = {setting: value}
    return Config(**values)


def rows_of(setting: str, agents: int, seeds: int) -> list[tuple[str, ...]]:
    """The table of a setting."""
    default = getattr(Config(), setting)
    runs = [
        Run(scenario=scenario, agents=agents, seed=seed, config=configured(setting, value))
        for value in VALUES[setting]
        for scenario in ("server-restart", "overload")
        for seed in range(seeds)
    ]
    outcomes = iter(simulate_all(runs, os.cpu_count() or 1))
    rows: list[tuple[str, ...]] = []
    for value in VALUES[setting]:
        free = [next(outcomes) for _ in range(seeds)]
        limited = [next(outcomes) for _ in range(seeds)]
        capacity = agents / MINUTE
        shown = f"**{value:g}**" if value == default else f"{value:g}"
        rows.append(
            (
                shown,
                *figures(free),
                figures(limited)[0],
                f"{mean(outcome.busiest for outcome in limited) / capacity:.1f}",
                f"{max(outcome.seconds_above(2 * capacity) for outcome in limited)}",
                f"{mean(sum(each.sign_ins for each in outcome.load) for outcome in limited) / agents:.1f}",
            )
        )
    return rows


def measure_size(agents: int) -> None:
    """Print the seconds and the memory of a run; for systems with `resource`."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, used = time.monotonic(), time.process_time()
    outcome = simulate(Run(scenario="server-restart", agents=agents, seed=7))
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / agents
    print(
        f"{agents:,} agents: {time.process_time() - used:.1f} s of a core, {time.monotonic() - begun:.1f} s in all, "
        f"{memory:.2f} KiB an agent at most, all back after {outcome.percentile(1.0):.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("setting", nargs="*", help="only these")
    parser.add_argument("--agents", type=int, default=AGENTS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--size", type=int, metavar="AGENTS", help="measure a run of so many agents instead")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this page")
    options = parser.parse_args()
    if options.size:
        measure_size(options.size)
        return
    chosen = options.setting or list(VALUES)
    for setting in chosen if options.write else ():
        parts(options.write, setting)
    for setting in chosen:
        begun = time.monotonic()
        rows = rows_of(setting, options.agents, options.seeds)
        print(f"{setting} ({time.monotonic() - begun:.0f} s)", file=sys.stderr)
        show(HEADINGS, rows)
        if options.write:
            write(options.write, setting, HEADINGS, rows)


if __name__ == "__main__":
    main()
