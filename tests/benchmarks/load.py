"""1,000 connections in one process, the reference server in another: ``python -m tests.benchmarks.load``.

Each figure is printed beside its target and its floor: the cost of the same beats without any protocol, machine or
library, in a loop that only sends and receives.  Each measurement runs in a fresh process.  All connections use one
agent's identity, which the server allows and the client does not notice: so there is one sign-in, not a thousand.

The cost of a beat depends on how many beats share a wake-up of the loop, which alone costs more than all the rest.  The
default is 10,000 beats a second.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from typing import Any

from rich.console import Console
from rich.table import Table

from agentcp_fsm import Config, Connection, Session, State
from agentcp_fsm.connection import hub
from agentcp_fsm.connection.driver import Driver
from agentcp_fsm.connection.lease import Lease
from agentcp_fsm.wire import codec_named
from tests.waiting import until

AGENT = "alice.agentid.pub"
LOOPS = ("asyncio", "uvloop")
PROCESSOR_TARGETS = {"asyncio": 25.0, "uvloop": 10.0}
"""Microseconds for a heartbeat and its answer."""
FIRST = 32
"""Connections that bring the library's code, its loop and its threads into memory, and are not counted."""
PATIENCE = 60.0
"""Seconds that any one step may take."""
PAGE = os.sysconf("SC_PAGE_SIZE")


class GivenSession:
    """Signs everybody in with what the server gave one agent, as a value of their own."""

    def __init__(self, session: list[Any]) -> None:
        self._session = json.dumps(session)

    def sign_in(self, abandonment: object) -> Session:
        return Session(*json.loads(self._session))

    def sign_out(self, session: Session) -> None:
        """Leave the server's session to the others."""


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def processor_time_each(count: Callable[[], int], seconds: float) -> tuple[float, float]:
    """Microseconds of processor time of the whole process for each of what is counted, and how many a second."""
    before, used, at = count(), time.process_time(), time.monotonic()
    time.sleep(seconds)
    counted, used, passed = count() - before, time.process_time() - used, time.monotonic() - at
    return used / counted * 1e6, counted / passed


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


# What is measured, each in a process of its own -----------------------------------------------------------------------


def measure_connections(session: list[Any], connections: int, beat: float, seconds: float) -> dict[str, float]:
    config = Config(interval_min=beat / 2, sign_in_interval_min=0.0)
    authenticator = GivenSession(session)
    started: list[Connection] = []

    def start(number: int) -> None:
        """Start as many, spread over a second, and wait until they are online and the pool's threads have ended."""
        begun = time.monotonic()
        for index in range(number):
            time.sleep(max(begun + index / number - time.monotonic(), 0.0))
            connection = Connection(AGENT, authenticator=authenticator, config=config)
            connection.start()
            started.append(connection)
        until(lambda: all(each.state is State.ONLINE for each in started), PATIENCE, "not everybody came online")
        until(lambda: "agentcp-http" not in {each.name for each in threading.enumerate()}, PATIENCE, "the pool is busy")

    def total(name: str) -> int:
        return sum(getattr(each._attachment.driver.lifecycle.statistics, name) for each in started)

    try:
        start(FIRST)
        memory = resident()
        start(connections - FIRST)
        memory = resident() - memory
        threads = threading.active_count()
        losses = total("losses")
        microseconds, rate = processor_time_each(lambda: total("answers"), seconds)
        with lateness_of_heartbeats() as lateness:
            time.sleep(seconds / 2)
        return {
            "microseconds": microseconds,
            "rate": rate,
            "lost": total("losses") - losses,
            "late": percentile(lateness, 0.99) * 1000,
            "memory": memory / (connections - FIRST) / 1024,
            "threads": threads,
        }
    finally:
        for connection in started:
            connection.stop(timeout=0)


@contextmanager
def lateness_of_heartbeats() -> Iterator[list[float]]:
    """Collect by how many seconds heartbeats leave after they are due."""
    lateness: list[float] = []
    wake = Driver.wake

    def timed(self: Driver, lease: Lease) -> float:
        due, sequence = self.lifecycle.beat_due, self.lifecycle.sequence
        deadline = wake(self, lease)
        if self.lifecycle.sequence != sequence:
            lateness.append(time.monotonic() - due)
        return deadline

    Driver.wake = timed  # type: ignore[method-assign]
    try:
        yield lateness
    finally:
        Driver.wake = wake  # type: ignore[method-assign]


def measure_floor(session: list[Any], connections: int, beat: float, seconds: float) -> dict[str, float]:
    """The same datagrams and as many sockets, with nothing around `send` and `recv` but a heap and a timer."""
    host, port, cookie, _ = session
    datagram = codec_named("agentcp").heartbeat_encoder(AGENT, cookie)(1000)
    loop = hub.new_event_loop()
    sockets = [socket(AF_INET, SOCK_DGRAM) for _ in range(connections)]
    answers = 0

    def reader(receive: Callable[[int], bytes]) -> Callable[[], None]:
        def readable() -> None:
            nonlocal answers
            receive(1537)
            answers += 1

        return readable

    begun = time.monotonic()
    heap = [(begun + beat * index / connections, index) for index in range(connections)]
    senders = [each.send for each in sockets]
    lateness: list[float] = []

    def wake() -> None:
        now = time.monotonic()
        while heap[0][0] <= now:
            due, index = heap[0]
            senders[index](datagram)
            lateness.append(time.monotonic() - due)
            heapq.heapreplace(heap, (now + beat, index))
        loop.call_later(max(heap[0][0] - time.monotonic(), 0.001), wake)

    for each in sockets:
        each.setblocking(False)
        each.connect((host, port))
        loop.add_reader(each.fileno(), reader(each.recv))
    loop.call_soon(wake)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        until(
            lambda: answers >= 2 * connections, PATIENCE, "not every heartbeat was answered"
        )  # all that is done once is done
        lateness.clear()
        microseconds, rate = processor_time_each(lambda: answers, seconds)
        return {"microseconds": microseconds, "rate": rate, "late": percentile(lateness, 0.99) * 1000}
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        for each in sockets:
            each.close()


def begin(kind: str, loop: str, arguments: dict[str, Any]) -> None:
    """Measure in this process and print the result."""
    if loop == "asyncio":
        sys.modules["uvloop"] = None  # type: ignore[assignment]  # as if it were not installed
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    measure = {"connections": measure_connections, "floor": measure_floor}[kind]
    print(json.dumps(measure(**arguments)))


# The other end --------------------------------------------------------------------------------------------------------


@contextmanager
def server_with_session(beat: float) -> Iterator[list[Any]]:
    """The reference server in a process of its own, and the session that it gave an agent."""
    from agentcp_fsm.sign_in import Abandonment, AuthClient, Credentials
    from agentcp_fsm.sign_in.identities import make_identity
    from tests.server_process import SERVE

    command = [sys.executable, "-m", "agentcp_fsm", *SERVE, "--next-beat", str(beat)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(PATIENCE, process.kill)  # for the one wait that has no bound of its own
    watchdog.start()
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        watchdog.cancel()
        with tempfile.TemporaryDirectory() as folder:
            make_identity(Path(folder), AGENT, "secret")
            credentials = Credentials.load(Path(folder), AGENT, password="secret")
        session = AuthClient(url).sign_in(credentials, Abandonment())
        yield [session.host, session.port, session.cookie, session.token]
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def measured(kind: str, loop: str, arguments: dict[str, Any]) -> dict[str, float]:
    """Measure in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.load", "--measure", kind, "--loop", loop]
    done = subprocess.run(
        command, input=json.dumps(arguments), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"measuring {kind} on {loop} failed:\n{done.stdout}{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def processor_time_of(*command: str) -> float:
    """Milliseconds of processor time of a command: the least of five."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000

    return min(once() for _ in range(5))


# The table ------------------------------------------------------------------------------------------------------------


def load_table(loops: list[str], connections: int, beat: float, seconds: float) -> Table:
    table = Table("figure", "measured", "target", "floor", title=f"{connections} connections, a beat each {beat:g} s")
    for loop in loops:
        with server_with_session(beat) as session:
            arguments = {"session": session, "connections": connections, "beat": beat, "seconds": seconds}
            floor = measured("floor", loop, arguments)
            result = measured("connections", loop, arguments)
        table.add_section()
        table.add_row(
            f"{loop}: processor time for a heartbeat and its answer",
            f"{result['microseconds']:.1f} µs",
            f"{PROCESSOR_TARGETS[loop]:g} µs",
            f"{floor['microseconds']:.1f} µs",
        )
        late, late_floor = f"{result['late']:.1f} ms", f"{floor['late']:.1f} ms"
        table.add_row("lateness of heartbeats, 99th percentile", late, "20 ms", late_floor)
        table.add_row("resident memory of a connection", f"{result['memory']:.1f} KB", "8 KB", "")
        table.add_row("threads", f"{result['threads']:.0f}", "none a connection", "")
        table.add_row("answers a second", f"{result['rate']:.0f}", "", f"{floor['rate']:.0f}")
        table.add_row("connections lost", f"{result['lost']:.0f}", "", "")
    return table


def start_table() -> Table:
    table = Table("figure", "measured", "target", "floor", title="Starting")
    bare = processor_time_of(sys.executable, "-c", "")
    for what, target, command in (
        ("import agentcp_fsm", "150 ms", [sys.executable, "-c", "import agentcp_fsm"]),
        (
            "from agentcp_fsm import Connection, Credentials, State",
            "",
            [sys.executable, "-c", "from agentcp_fsm import Connection, Credentials, State"],
        ),
        ("agentcp-fsm --help", "400 ms", [sys.executable, "-m", "agentcp_fsm", "--help"]),
    ):
        table.add_row(what, f"{processor_time_of(*command):.0f} ms", target, f"{bare:.0f} ms")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.load", description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--beat", type=float, default=0.1, help="seconds between two heartbeats of a connection")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long processor time is measured")
    parser.add_argument("--loop", choices=LOOPS, help="measure on this one only")
    parser.add_argument("--measure", choices=("connections", "floor"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        begin(options.measure, options.loop, json.loads(sys.stdin.read()))
        return
    if options.connections <= FIRST:
        parser.error(f"--connections {options.connections}: give more than {FIRST}, which are not counted")
    console = Console(width=None if sys.stdout.isatty() else 120)
    loops = [options.loop] if options.loop else list(LOOPS)
    console.print(load_table(loops, options.connections, options.beat, options.seconds))
    console.print(start_table())


if __name__ == "__main__":
    main()
