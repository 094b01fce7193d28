"""Ten minutes of random faults, one after the other, in one life of one process: ``pytest -m soak -s``.

SOAK_SECONDS sets another duration.  SOAK_SEED repeats an earlier run, which printed its seed.  The network's faults are
included where a network can be made (root, see `tests.faults.network`).
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest

from agentcp_fsm.wire import UNAUTHORIZED, HeartbeatResponse, codec_named
from tests.faults import deeds, system_deeds
from tests.faults.application import ALICE, NOTHING, Application, Reading
from tests.faults.bench import Bench, Waiting, bench_of
from tests.faults.case import Case
from tests.faults.network import SERVER, Direction, Lab, needs_network
from tests.faults.network_cases import NETWORKED, lab_of
from tests.faults.wire import Impairment

SECONDS = 600
READINGS = 10
"""How often the application is measured."""
WARM = 5
"""After one of so many parts of the time memory is at home: caches are full, all code has run once."""
MB = 2**20
GROWTH = 4 * MB
"""Bytes of memory that are the allocator's own affair: less than 10 kB for each fault in ten minutes."""
LONGEST = 3.0
"""Seconds that a fault lasts at most."""

Fault = Callable[[Bench], AbstractContextManager[None]]


def console(*commands: str) -> Fault:
    """What commands of the server's console make and "ok" ends."""

    @contextmanager
    def fault(bench: Bench) -> Iterator[None]:
        for command in commands:
            bench.server(command)
        yield
        bench.server("ok")

    return fault


def network(breaking: Callable[[Lab], AbstractContextManager[None]]) -> Fault:
    return lambda bench: breaking(lab_of(bench))


def at_once(happening: Waiting) -> Fault:
    """What happens and is over."""

    @contextmanager
    def fault(bench: Bench) -> Iterator[None]:
        happening(bench)
        yield

    return fault


@contextmanager
def suspended(bench: Bench) -> Iterator[None]:
    bench.agent.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        bench.agent.signal(signal.SIGCONT)


@contextmanager
def descriptor_replaced(bench: Bench) -> Iterator[None]:
    bench.agent.call(system_deeds.replace_descriptor)
    yield
    bench.agent.call(system_deeds.use_replaced_descriptor)


FLOOD = """
import os, socket, sys
address, port, forged = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
    for number in range(2000):
        stranger.sendto(forged if number % 2 else os.urandom(number % 600 + 1), (address, port))
"""


def flooded_by_a_stranger(bench: Bench) -> None:
    """A thousand forged 401s and as many datagrams of noise, from the server's host but not its port."""
    address, port = bench.server.agent(ALICE)["address"]
    forged = codec_named("agentcp").encode(HeartbeatResponse(1, UNAUTHORIZED)).hex()
    command = [sys.executable, "-IS", "-c", FLOOD, address, str(port), forged]
    subprocess.run(bench.lab.server.command(*command) if bench.lab else command, check=True)


SIGN_IN_FAULTS = (
    "refused", "down", "hang", "hang-after-headers", "slow", "status status 400", "status status 503",
    "status status 429 retry_after 1", "redirect", "not-json", "truncated", "huge", "missing-field field nonce",
    "missing-field field server_ip", "port-out-of-range",
)  # fmt: skip
SERVER_FAULTS: dict[str, Fault] = {
    "server restarts": console("restart"),
    "server moves": console("move", "restart"),
    "server moves, 401 at the old port": console("move 401", "restart"),
    **{
        f"server: {fault}": console(f"fault {fault}")
        for fault in (
            "silent on", "drop 0.5", "delay 0.3", "copies 5", "unauthorized on", "stranger on", f"next_beat {2**62}",
            "next_beat 0", "encoding varint",
        )
    },
    **{f"server restarts, sign-in {fault}": console(f"fault sign_in {fault}", "restart") for fault in SIGN_IN_FAULTS},
}  # fmt: skip
NETWORK_FAULTS: dict[str, Fault] = {
    "outage": network(Lab.outage),
    "outage of requests": network(lambda lab: lab.outage(Direction.REQUESTS)),
    "outage of answers": network(lambda lab: lab.outage(Direction.ANSWERS)),
    "outage of heartbeats": network(lambda lab: lab.outage(udp_only=True)),
    "own firewall": network(Lab.firewall),
    "refusal by a router": network(Lab.refusal),
    "link down": network(Lab.link_down),
    "other end's link down": network(Lab.carrier_lost),
    "route removed": network(Lab.route_removed),
    "another interface": network(Lab.rerouted),
    "another interface, the first down": network(lambda lab: lab.rerouted(lan_down=True)),
    "MTU of 576": network(lambda lab: lab.mtu(576)),
    "large packets vanish": network(lambda lab: lab.small_packets_only(600)),
    "address changed": at_once(lambda bench: lab_of(bench).change_address()),
    "loss, delay, doubles": network(
        lambda lab: lab.impaired(Impairment(loss=0.3, delay=0.08, jitter=0.04, duplication=0.1, reordering=0.1))
    ),
}
APPLICATION_FAULTS: dict[str, Fault] = {
    "descriptor closed": at_once(lambda bench: bench.agent.call(system_deeds.close_descriptor)),
    "descriptor replaced": descriptor_replaced,
    "process suspended": suspended,
    "flooded by a stranger": at_once(flooded_by_a_stranger),
    "fork": at_once(lambda bench: bench.agent.call(deeds.fork_and_exit)),
    "reconnect": at_once(lambda bench: bench.agent.call(deeds.reconnect)),
    "stop and start": at_once(lambda bench: bench.agent.call(deeds.stop_and_start)),
}


def setting(name: str, otherwise: int) -> int:
    """A whole number from the environment."""
    given = os.environ.get(name, str(otherwise))
    if not given.isdecimal():
        pytest.fail(f"{name}={given!r}: give a whole number", pytrace=False)
    return int(given)


@pytest.mark.soak
def test_every_fault_is_recovered_from_and_nothing_grows() -> None:
    duration, seed = setting("SOAK_SECONDS", SECONDS), setting("SOAK_SEED", random.randrange(2**32))
    kinds = [APPLICATION_FAULTS, SERVER_FAULTS]
    try:
        needs_network()
    except pytest.skip.Exception as reason:
        across = ""
        print(f"without the network's faults: {reason}")
    else:
        across = SERVER
        kinds.append(NETWORK_FAULTS)
    print(f"SOAK_SEED={seed} SOAK_SECONDS={duration}", flush=True)
    chance = random.Random(seed)
    case = Case(name="soak", fault=lambda bench: None, within=NETWORKED.recovery_bound, sign_ins=0, across=across,
                config=NETWORKED)  # fmt: skip
    recoveries: dict[str, list[float]] = defaultdict(list)
    with bench_of(case) as bench:
        bench.start()
        bench.online()
        began = time.monotonic()
        readings = [bench.reading()]
        while (past := time.monotonic() - began) < duration:
            if past > len(readings) * duration / READINGS:
                readings.append(bench.reading())
            # At most one fault of a kind, the application's first: it needs a socket to break.
            chosen = sorted(chance.sample(range(len(kinds)), chance.choice((1, 1, 2))))
            names = [chance.choice(list(kinds[kind])) for kind in chosen]
            with ExitStack() as stack:
                for kind, name in zip(chosen, names, strict=True):
                    stack.enter_context(kinds[kind][name](bench))
                time.sleep(chance.uniform(0.0, LONGEST))
            ended = time.monotonic()
            what = f"{' and '.join(names)}, {past:.1f} s after the beginning, SOAK_SEED={seed}"
            try:
                seconds = bench.agent.call(Application.recovered, ended) - ended
                invited = bench.server(f"invite {ALICE}")
            except AssertionError as error:
                raise AssertionError(f"after {what}: {error}") from error
            assert seconds <= case.within, f"{seconds:.1f} s after {what}"
            assert invited == f"{ALICE} answered", f"{invited} after {what}"
            for name in names:
                recoveries[name].append(seconds)
            bench.agent.call(deeds.forget_what_was_told)
        readings.append(bench.reading())
        stopping = bench.agent.call(Application.stop)
        left = bench.agent.call(Application.left)
        ended_process = bench.agent.end()
    report(recoveries, readings, stopping)
    assert left == NOTHING
    assert (ended_process.status, ended_process.errors) == (0, "")
    grown = readings[-1].memory - readings[len(readings) // WARM].memory
    assert grown <= GROWTH, f"memory grew by {grown / MB:.1f} MB"


def report(recoveries: dict[str, list[float]], readings: list[Reading], stopping: float) -> None:
    """Print what was measured."""
    print(f"{'fault':<56}{'times':>6}{'mean':>8}{'worst':>8}")
    for name, seconds in sorted(recoveries.items()):
        print(f"{name:<56}{len(seconds):>6}{sum(seconds) / len(seconds):>8.2f}{max(seconds):>8.2f}")
    end = readings[-1]
    print(
        f"faults {sum(map(len, recoveries.values()))}, losses {end.losses}, sign-ins {end.attempts},"
        f" heartbeats {end.heartbeats}, processor {end.processor:.1f} s, stop {stopping:.3f} s"
    )
    for reading in readings:
        held = reading.held
        print(
            f"{reading.at - readings[0].at:>6.0f} s: {reading.memory / MB:.1f} MB, threads {held.threads},"
            f" descriptors {held.descriptors}, sockets {held.sockets}"
        )
