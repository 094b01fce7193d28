"""A fleet in one process, the reference server in another: ``python -m tests.benchmarks.fleet``.

Two things are measured, for each number of agents, each in fresh processes:

- steady: processor time for a heartbeat and its answer, lateness and memory, with the floor beside it: a bare loop that
  sends and receives the same datagrams (`load.measure_floor`).  All agents use one session, as in `load`.
- coming online: how soon all are, each with an identity of its own, over a wire with a round trip.  The wire is one of
  network namespaces and needs root; without root this part is left out, and says so.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console
from rich.table import Table

from agentcp_fsm import AsyncConnection, Config, Credentials
from agentcp_fsm.fleet import Fleet, Member
from tests.benchmarks.load import (
    AGENT,
    FIRST,
    GivenSession,
    lateness_of_heartbeats,
    measure_floor,
    percentile,
    processor_time_each,
    resident,
    server_with_session,
)
from tests.faults.network import SERVER, Lab
from tests.faults.wire import Impairment
from tests.server_process import ServerProcess
from tests.sign_in.certificates import make_identity
from tests.waiting import until

PATIENCE = 600.0
"""Seconds that any one step may take."""
BEATS = 10_000
"""Heartbeats a second of all agents together, at most."""
SHORTEST = 0.1
"""Seconds between two heartbeats of an agent, at least."""
RATIO, LATE, MEMORY, ONLINE = 1.7, 20.0, 10.0, 60.0
"""The targets: of the processor time, in milliseconds, in KB, in seconds."""


def measure_steady(session: list[Any], agents: int, beat: float, seconds: float) -> dict[str, float]:
    config = Config(interval_min=beat / 2, sign_in_interval_min=0.0)
    authenticator = GivenSession(session)

    def members(first: int, last: int) -> list[Member]:
        def make() -> AsyncConnection:
            return AsyncConnection(AGENT, authenticator=authenticator, config=config)

        return [Member(f"agent{number}.agentid.pub", make, None) for number in range(first, last)]

    fleet = Fleet(members(0, FIRST))
    fleet.start()
    try:
        assert fleet.wait_until_online(PATIENCE)
        memory = resident()
        fleet.apply(members(0, FIRST + agents))
        assert fleet.wait_until_online(PATIENCE)
        until(lambda: not {"agentcp-http"} & {each.name for each in threading.enumerate()}, PATIENCE)
        time.sleep(2 * beat)
        memory = resident() - memory
        machines = [each._attachment.driver.lifecycle for each in fleet if isinstance(each, AsyncConnection)]

        def total(name: str) -> int:
            return sum(getattr(each.statistics, name) for each in machines)

        losses = total("losses")
        microseconds, rate = processor_time_each(lambda: total("answers"), seconds)
        with lateness_of_heartbeats() as lateness:
            time.sleep(seconds / 2)
        return {
            "microseconds": microseconds,
            "rate": rate,
            "lost": total("losses") - losses,
            "late": percentile(lateness, 0.99) * 1000,
            "memory": memory / agents / 1024,
        }
    finally:
        fleet.stop(timeout=0.0)


def come_online(url: str, agents: int) -> dict[str, float]:
    """Start a fleet of as many identities, and stop it."""
    logging.disable(logging.CRITICAL)
    key = ec.generate_private_key(ec.SECP256R1())
    members = []
    for number in range(agents):
        name = f"agent{number}.agentid.pub"
        identity = make_identity(name, key=key)
        credentials = Credentials.from_pem(name, identity.key_pem, identity.certificate_pem)
        members.append(Member.of(name, url, credentials=credentials, allow_insecure_http=True))
    fleet = Fleet(members)
    begun, used = time.monotonic(), time.process_time()
    fleet.start()
    assert fleet.wait_until_online(PATIENCE), fleet.progress()
    result = {"online": time.monotonic() - begun, "processor": time.process_time() - used}
    begun = time.monotonic()
    assert fleet.stop(PATIENCE)
    return result | {"stopped": time.monotonic() - begun}


def begin(kind: str, arguments: dict[str, Any]) -> None:
    """Measure in this process and print the result."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    measures: dict[str, Callable[..., dict[str, float]]] = {
        "steady": measure_steady,
        "floor": measure_floor,
        "online": come_online,
    }
    print(json.dumps(measures[kind](**arguments)))


def measured(kind: str, arguments: dict[str, Any], *launcher: str) -> dict[str, float]:
    """Measure in a fresh process."""
    command = [*launcher, sys.executable, "-m", "tests.benchmarks.fleet", "--measure", kind]
    done = subprocess.run(
        command, input=json.dumps(arguments), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"measuring {kind} failed:\n{done.stdout}{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def measured_online(agents: int, round_trip: float) -> dict[str, float]:
    """How soon all are online, over a wire with this round trip."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab(Path(folder)) as lab,
        lab.impaired(Impairment(delay=round_trip / 2)),
    ):
        server = ServerProcess("--host", SERVER, next_beat=30.0, launcher=lab.server.command())
        try:
            return measured("online", {"url": server.url, "agents": agents}, *lab.client.command())
        finally:
            server.kill()


def table_of(sizes: list[int], seconds: float, round_trip: float) -> Table:
    table = Table(
        "agents", "processor time a beat", "floor", "ratio", "p99 lateness", "memory an agent",
        "all online", "all signed out", "lost",
        title=f"A fleet in one process; coming online at a round trip of {round_trip * 1000:g} ms",
    )  # fmt: skip
    for agents in sizes:
        beat = max(SHORTEST, agents / BEATS)
        with server_with_session(beat) as session:
            common = {"session": session, "beat": beat, "seconds": seconds}
            floor = measured("floor", common | {"connections": agents})
            steady = measured("steady", common | {"agents": agents})
        online = measured_online(agents, round_trip) if os.geteuid() == 0 else None
        table.add_row(
            f"{agents:,}",
            f"{steady['microseconds']:.1f} µs",
            f"{floor['microseconds']:.1f} µs",
            f"{steady['microseconds'] / floor['microseconds']:.2f}",
            f"{steady['late']:.1f} ms (floor {floor['late']:.1f})",
            f"{steady['memory']:.1f} KB",
            "needs root" if online is None else f"{online['online']:.1f} s",
            "needs root" if online is None else f"{online['stopped']:.1f} s",
            f"{steady['lost']:.0f}",
        )
    table.add_section()
    table.add_row("target", "", "", f"{RATIO:g}", f"{LATE:g} ms", f"{MEMORY:g} KB", f"{ONLINE:g} s", "", "0")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fleet", description=__doc__)
    parser.add_argument("--agents", type=int, action="append", help="how many (repeatable)")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long processor time is measured")
    parser.add_argument("--round-trip", type=float, default=0.05, help="in seconds")
    parser.add_argument("--measure", choices=("steady", "floor", "online"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        begin(options.measure, json.loads(sys.stdin.read()))
        return
    sizes = options.agents or [100, 1000, 10_000]
    Console(width=None if sys.stdout.isatty() else 150).print(table_of(sizes, options.seconds, options.round_trip))


if __name__ == "__main__":
    main()
