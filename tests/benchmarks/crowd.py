"""10,000 agents of one process, far from their server, which restarts: ``python -m tests.benchmarks.crowd``.

How soon all of them are back depends on how many sign-ins run at once (`Config.blocking_calls_max`): each takes two
round trips and one more for each connection that is made.  So agents, server and the wire between them are processes,
in network namespaces of their own; it needs root.  The configuration is the default one, and so is the interval of the
heartbeats, by which an agent learns that its session is gone: 30 s at the most.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console
from rich.table import Table

from agentcp_fsm import Config, Connection, Credentials
from tests.faults.network import SERVER, Lab
from tests.faults.wire import Impairment
from tests.server_process import ServerProcess
from tests.sign_in.certificates import make_identity

TARGET = 60.0
"""Seconds in which all are to be back."""
PATIENCE = 600.0
"""Seconds that any one step may take."""


class Crowd:
    """The agents, in a process of their own."""

    def __init__(self, url: str, agents: int, calls: int) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        config = Config(blocking_calls_max=calls)
        self.connections: list[Connection] = []
        for number in range(agents):
            name = f"agent{number}.agentid.pub"
            identity = make_identity(name, key=key)
            credentials = Credentials.from_pem(name, identity.key_pem, identity.certificate_pem)
            self.connections.append(
                Connection(name, url, credentials=credentials, config=config, allow_insecure_http=True)
            )

    def wait(self, times: int, begun: float) -> dict[str, float]:
        """Wait until everybody was online so often; returns the seconds since `begun`, and those of the processor."""
        used = time.process_time()
        # Without handlers, which would take a thread each, and without `health`, which would take a copy each.
        missing = [connection._attachment.driver.lifecycle.statistics for connection in self.connections]
        while missing := [each for each in missing if each.times_online < times]:
            assert time.monotonic() - begun < PATIENCE, f"{len(missing)} of {len(self.connections)} are missing"
            threading.Event().wait(0.2)
        return {"seconds": time.monotonic() - begun, "processor": time.process_time() - used}


def live(url: str, agents: int, calls: int) -> None:
    """Be the crowd: a line of results whenever all are online, and on from there with each line that comes."""
    logging.disable(logging.CRITICAL)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd = Crowd(url, agents, calls)
    begun = time.monotonic()
    for connection in crowd.connections:
        connection.start()
    print(json.dumps(crowd.wait(1, begun)), flush=True)
    sys.stdin.readline()
    print(json.dumps(crowd.wait(2, time.monotonic())), flush=True)


def measure(agents: int, calls: int, round_trip: float) -> tuple[dict[str, float], dict[str, float]]:
    """How all came online, and how all came back after a restart."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab(Path(folder)) as lab,
        lab.impaired(Impairment(delay=round_trip / 2)),
    ):
        server = ServerProcess("--host", SERVER, next_beat=30.0, launcher=lab.server.command())
        command = lab.client.command(
            sys.executable,
            "-m",
            "tests.benchmarks.crowd",
            "--live",
            server.url,
            "--agents",
            str(agents),
            "--calls",
            str(calls),
        )
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
            assert crowd.stdin is not None
            assert crowd.stdout is not None
            try:
                first = json.loads(crowd.stdout.readline())
                server("restart")
                crowd.stdin.write("\n")
                crowd.stdin.flush()
                again = json.loads(crowd.stdout.readline())
            finally:
                crowd.kill()
                server.kill()
    return first, again


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.crowd", description=__doc__)
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--calls", type=int, action="append", help="how many calls run at once (repeatable)")
    parser.add_argument("--round-trip", type=float, default=0.05, help="in seconds")
    parser.add_argument("--live", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    calls = options.calls or [Config().blocking_calls_max]
    if options.live:
        live(options.live, options.agents, calls[0])
        return
    title = f"{options.agents:,} agents of one process, a round trip of {options.round_trip * 1000:g} ms"
    table = Table("calls at once", "all online", "all back", "target", "processor", title=title)
    for count in calls:
        first, again = measure(options.agents, count, options.round_trip)
        table.add_row(
            str(count),
            f"{first['seconds']:.1f} s",
            f"{again['seconds']:.1f} s",
            f"{TARGET:g} s",
            f"{again['processor']:.1f} s",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
