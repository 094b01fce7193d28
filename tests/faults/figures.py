"""``python -m tests.faults.figures``: how fast the connection is back, and at what cost, with the field's own timings.

Each figure is printed beside its target.  Long measurements run on many connections at once, each in a process of its
own: about four minutes in all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from agentcp_fsm import Config, Session
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    DeadlinePassed,
    SignedIn,
    SignInFailed,
    SocketOpened,
    Start,
    Unauthorized,
)
from agentcp_fsm.lifecycle.machine import Lifecycle
from tests.faults import crowd_deeds, deeds
from tests.faults.application import NOTHING, Application
from tests.faults.bench import identity
from tests.faults.page import parts, show, write
from tests.faults.process import Process
from tests.server_process import ServerProcess
from tests.waiting import until

HEADINGS = ("figure", "measured", "at most", "")
RUNS = 20
OUTAGE = 40.0
"""Seconds."""
FIELD_BEAT = 5.0
"""Seconds between heartbeats that a server asks for in the field."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, and what it is to be at most."""

    what: str
    measured: float
    target: float
    unit: str = "s"

    @property
    def reached(self) -> bool:
        return self.measured <= self.target


class Agents:
    """Connections, each in a process of its own, with one server; a context manager."""

    def __init__(self, number: int, config: Config, next_beat: float) -> None:
        self._stack = ExitStack()
        self.server = self._stack.enter_context(ServerProcess(next_beat=next_beat))
        self.processes: list[Process[Application]] = []
        for index in range(number):
            agent_id = f"agent{index}.agentid.pub"
            folder = self._stack.enter_context(TemporaryDirectory())
            process = Process(Application, self.server.url, identity(agent_id), config, Path(folder) / "log", agent_id)
            self.processes.append(self._stack.enter_context(process))

    def each(self, function: Callable[..., Any], *arguments: Any, timeout: float = 60.0) -> list[Any]:
        """Call it in all of them, at the same time."""
        for process in self.processes:
            process.begin(function, *arguments)
        return [process.result(timeout) for process in self.processes]

    def online(self) -> None:
        self.each(Application.start)
        self.each(Application.recovered, time.monotonic())

    def __enter__(self) -> Agents:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def after_401(runs: int, spread: float) -> list[Figure]:
    """From the 401 to the next heartbeat that is answered, where the least time between sign-ins has passed."""
    config = Config(
        interval_min=0.1, sign_in_interval_min=0.05, unauthorized_spread=spread, stable_after=0.0, flapping_span=0.0
    )
    took = []
    with Agents(1, config, 0.1) as agents:
        agents.online()
        for number in range(runs):
            until(lambda: agents.each(deeds.seconds_online) > [config.sign_in_interval_min])
            agents.server("restart")
            agents.each(Application.lost, number + 1)
            took += agents.each(deeds.seconds_to_return)
    return [
        Figure(f"401 to the next good heartbeat, spread {spread:g} s, the longest of {runs}", max(took), 0.1 + spread)
    ]


def after_an_outage(
    runs: int, outage: float, config: Config, next_beat: float, fault: str, back: float
) -> list[Figure]:
    """Everybody loses the session while no sign-in succeeds, and returns once the service is back.

    ONLINE counts as lasting from its beginning on: what is measured is an outage, not flapping.
    """
    with Agents(runs, replace(config, stable_after=0.0), next_beat) as agents:
        agents.online()
        begun = agents.each(Application.reading)
        agents.server(f"fault sign_in {fault}")
        agents.server("restart")
        agents.each(Application.lost, 1)
        ends = time.monotonic() + outage
        until(lambda: time.monotonic() >= ends, timeout=outage + 10)
        over = agents.each(Application.reading)
        agents.server("ok")
        ended = time.monotonic()
        returned = [at - ended for at in agents.each(Application.recovered, ended, timeout=120)]
    attempts = [after.attempts - before.attempts for before, after in zip(begun, over, strict=True)]
    processor = [after.processor - before.processor for before, after in zip(begun, over, strict=True)]
    what = f"sign-in {fault.removeprefix('status ')} for {outage:g} s, {runs} runs"
    return [
        Figure(f"{what}: back after it ended, on the average", mean(returned), back),
        Figure(f"{what}: back after it ended, at the most", max(returned), config.recovery_bound),
        Figure(f"{what}: sign-ins in the outage, at the most", max(attempts), 10, ""),
        Figure(f"{what}: processor time in the outage, at the most", max(processor), 0.2),
    ]


def by_the_machine_alone(runs: int, outage: float, config: Config, back: float) -> list[Figure]:
    """The same outage, met by the machine in no time: so many runs that chance makes no difference."""
    returned = []
    random = Random(0)
    for _ in range(runs):
        machine = Lifecycle(config, random)
        online = -config.stable_after - 10.0  # it has lasted: what is measured is an outage, not flapping
        machine.handle(Start(), online)
        machine.handle(SignedIn(1, Session("127.0.0.1", 1, 0, "")), online)
        machine.handle(SocketOpened(1), online)
        machine.handle(BeatAnswered(1, 5000), online)
        machine.handle(Unauthorized(1), 0.0)
        while (now := machine.deadline) < outage:
            machine.handle(DeadlinePassed(), now)
            machine.handle(SignInFailed(machine.attempt, "an outage"), now)
        returned.append(now - outage)
    what = f"sign-in refused for {outage:g} s, {runs:,} runs of the machine alone: back after it ended, on the average"
    return [Figure(what, mean(returned), back)]


def in_silence(outage: float, config: Config, next_beat: float) -> list[Figure]:
    """Sign-ins succeed, and no heartbeat is answered."""
    with Agents(5, config, next_beat) as agents:
        agents.online()
        begun = agents.each(Application.reading)
        agents.server("fault drop 1")
        ends = time.monotonic() + outage
        until(lambda: time.monotonic() >= ends, timeout=outage + 10)
        over = agents.each(Application.reading)
    processor = [after.processor - before.processor for before, after in zip(begun, over, strict=True)]
    return [Figure(f"datagrams lost for {outage:g} s: processor time, at the most", max(processor), 0.2)]


def stopping(runs: int, config: Config) -> list[Figure]:
    """Stop while a sign-in hangs, with the field's own bounds."""
    took, left = [], []
    with Agents(1, config, FIELD_BEAT) as agents:
        for fault in ("hang", "hang-after-headers", "slow"):
            agents.server(f"fault sign_in {fault}")
            for _ in range(runs):
                calls = agents.server.count("calls")
                agents.each(Application.start)
                until(lambda calls=calls: agents.server.count("calls") > calls)  # type: ignore[misc]
                took += agents.each(Application.stop)
                left += agents.each(Application.left)
    return [
        Figure(f"stop while a sign-in hangs, the longest of {3 * runs}", max(took), 0.5 + config.sign_out_timeout),
        Figure("threads and descriptors left after it", sum(each != NOTHING for each in left), 0, ""),
    ]


def crowd(number: int, config: Config) -> list[Figure]:
    """As many connections in one process, all hit by one 401."""
    with Agents(1, config, FIELD_BEAT) as agents:
        agents.each(crowd_deeds.gather_crowd, number, timeout=300)
        begun = agents.each(Application.reading)
        agents.server("restart")
        (back,) = agents.each(crowd_deeds.crowd_back, timeout=300)
        over = agents.each(Application.reading)
        agents.each(crowd_deeds.disperse_crowd, timeout=300)
    what = f"{number} connections hit by one 401"
    return [
        Figure(f"{what}: first sign-in", back.first, FIELD_BEAT + config.unauthorized_spread),
        Figure(f"{what}: the sign-in in the middle", back.median, config.recovery_bound),
        Figure(f"{what}: last sign-in", back.last, config.recovery_bound),
        Figure(f"{what}: all back", back.back, config.recovery_bound),
        Figure(f"{what}: sign-ins", back.attempts, number, ""),
        Figure(f"{what}: processor time for each", (over[0].processor - begun[0].processor) / number, 0.05),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.figures", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this page")
    options = parser.parse_args()
    if options.write:
        parts(options.write, "figures")  # before anything takes minutes
    field = Config()
    measurements: list[Callable[[], list[Figure]]] = [
        lambda: after_401(RUNS, 0.0),
        lambda: after_401(RUNS, 1.0),
        lambda: after_an_outage(RUNS, OUTAGE, field, FIELD_BEAT, "refused", 8.0),
        lambda: after_an_outage(RUNS, OUTAGE, field, FIELD_BEAT, "status status 503", 8.0),
        # A sign-in that hangs when the service comes back is given up only after the whole read timeout.
        lambda: after_an_outage(RUNS, OUTAGE, field, FIELD_BEAT, "hang", 8.0 + field.read_timeout),
        lambda: by_the_machine_alone(10_000, OUTAGE, field, 8.0),
        lambda: in_silence(OUTAGE, field, FIELD_BEAT),
        lambda: stopping(5, replace(field, sign_in_interval_min=0.0)),
        lambda: crowd(2000, field),
    ]
    figures = []
    for number, measure in enumerate(measurements, 1):
        print(f"{number} of {len(measurements)}", file=sys.stderr)
        figures += measure()
    rows = [
        (
            each.what,
            f"{each.measured:.4g} {each.unit}",
            f"{each.target:.4g} {each.unit}",
            "" if each.reached else "MISSED",
        )
        for each in figures
    ]
    show(HEADINGS, rows)
    if options.write:
        write(options.write, "figures", HEADINGS, rows)
    raise SystemExit(0 if all(each.reached for each in figures) else 1)


if __name__ == "__main__":
    main()
