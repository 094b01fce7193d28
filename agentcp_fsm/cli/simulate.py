"""``agentcp-fsm simulate``: a fleet through a scenario, and the swarm."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentcp_fsm.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress

    from agentcp_fsm.simulation import Outcome

app = typer.Typer()
FOUND = 1
"""The exit status if a world broke an invariant, or an agent did not recover."""
SHOWN = 20
"""Lines of the load that are printed; each stands for as many seconds as it takes."""
BAR = 40
"""Characters of the longest bar."""


class ScenarioName(StrEnum):
    """The scenarios of `agentcp_fsm.simulation.scenarios`."""

    SERVER_RESTART = "server-restart"
    SERVER_MOVE = "server-move"
    SERVER_OUTAGE = "server-outage"
    NETWORK_OUTAGE = "network-outage"
    PARTITION = "partition"
    OVERLOAD = "overload"
    RATE_LIMIT = "rate-limit"
    SIGN_IN_FAILURE = "sign-in-failure"


@app.command(
    help="""Simulate many agents through a scenario, in virtual time; one seed decides everything.

    It prints how soon agents are ONLINE again, and what the server is offered meanwhile.  With --swarm it lives that
    many small worlds instead, each with another configuration, weather and faults, and holds every machine to the
    invariants.  The exit status is 1 if an agent did not recover, or an invariant broke; then its script is printed.
    """,
)
def simulate(
    agents: Annotated[int, typer.Option(min=1, help="How many agents.")] = 1000,
    scenario: Annotated[ScenarioName, typer.Option(help="What they go through.")] = ScenarioName.SERVER_RESTART,
    seed: Annotated[int, typer.Option(min=0, help="What all chance is made from; the first one of several.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, one run each.")] = 1,
    loss: Annotated[float, typer.Option(min=0, max=1, help="The share of packets that is lost.")] = 0.0,
    workers: Annotated[int, typer.Option(min=0, help="Processes for several seeds; 0: one a processor.")] = 0,
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", help="A .csv, .parquet, .png or .svg of the first run (repeatable)."),
    ] = None,
    swarm: Annotated[int, typer.Option(min=0, help="Live so many small worlds instead.")] = 0,
) -> None:
    processes = workers or os.cpu_count() or 1
    if swarm:
        raise typer.Exit(_swarm(seed, swarm, processes))
    from agentcp_fsm.simulation.report import check_writable, write

    for file in output or ():
        check_writable(file)
    outcomes = _outcomes(agents, str(scenario), range(seed, seed + seeds), loss, processes)
    for outcome in outcomes:
        _print(outcome)
    for file in output or ():
        try:
            write(outcomes[0], file)
        except OSError as error:
            raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    raise typer.Exit(FOUND if any(outcome.absent for outcome in outcomes) else 0)


def _outcomes(agents: int, scenario: str, seeds: range, loss: float, workers: int) -> tuple[Outcome, ...]:
    from agentcp_fsm import simulation
    from agentcp_fsm.testing.network import Weather

    weather = Weather(jitter=0.01, loss_up=loss, loss_down=loss)
    runs = [simulation.Run(scenario=scenario, agents=agents, seed=seed, weather=weather) for seed in seeds]
    with _progress() as shown:
        task = shown.add_task(scenario, total=len(runs) if len(runs) > 1 else None)
        if len(runs) > 1:
            return simulation.simulate_all(runs, workers, lambda _: shown.advance(task))

        def look(now: float, online: int) -> None:
            shown.update(task, description=f"{scenario}: {now:.0f} s, {online:,} of {agents:,} ONLINE")

        return (simulation.simulate(runs[0], look),)


def _print(outcome: Outcome) -> None:
    from agentcp_fsm.simulation.scenarios import SCENARIOS

    run = outcome.run
    typer.echo(f"{run.scenario}, {run.agents:,} agents, seed {run.seed}: {SCENARIOS[run.scenario].text}")
    shares = {f"{share:.1%}".replace(".0%", "%"): outcome.percentile(share) for share in (0.5, 0.9, 0.99, 0.999, 1.0)}
    back = ", ".join(f"{share} {seconds:.1f} s" for share, seconds in shares.items() if math.isfinite(seconds))
    typer.echo(f"ONLINE again: {back or 'none'}; never: {outcome.absent:,}")
    typer.echo(f"sign-ins offered: {outcome.busiest:,} in the busiest second")
    span = math.ceil(len(outcome.load) / SHOWN)
    for start in range(0, len(outcome.load), span):
        seconds = outcome.load[start : start + span]
        most = max(each.sign_ins for each in seconds)
        bar = "█" * round(BAR * most / max(outcome.busiest, 1))
        typer.echo(f"{start:4} s {seconds[-1].online:9,} ONLINE {most:8,} sign-ins a second {bar}".rstrip())


def _swarm(first: int, worlds: int, workers: int) -> int:
    from agentcp_fsm.simulation import swarm

    failed = 0
    with _progress() as shown:
        task = shown.add_task("worlds", total=worlds)
        for lived, failures in swarm(range(first, first + worlds), workers):
            shown.advance(task, lived)
            for failure in failures:
                failed += 1
                typer.echo(f"seed {failure.seed}: {failure.text.splitlines()[0]}\n{failure.script}")
    typer.echo(f"{worlds:,} worlds, seeds {first} to {first + worlds - 1}: {failed or 'none'} broke an invariant")
    return FOUND if failed else 0


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on the terminal, if there is one."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        yield shown
