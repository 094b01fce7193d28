"""The lab does what it says: shown with datagrams of its own, without a connection."""

import errno
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from tests.faults.network import SERVER, SERVER_IPV6, SERVER_NAME, Direction, Lab, needs_network
from tests.faults.wire import WAITING, Impairment, Wire
from tests.server_process import ROOT
from tests.waiting import until

ECHO = """
import selectors, socket, sys
selector = selectors.DefaultSelector()
for address in sys.argv[1:]:
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, 7))
    selector.register(opened, selectors.EVENT_READ)
selector.register(0, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        if key.fd == 0:
            sys.exit()
        key.fileobj.sendto(*key.fileobj.recvfrom(2048))
"""
PROBE = """
import json, socket, sys, time
address, size, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
began = time.monotonic()
try:
    opened.settimeout(patience)
    opened.connect((address, 7))  # or it would hear of no error
    opened.send(bytes(size))
    opened.recv(2048)
except OSError as error:
    print(json.dumps([error.errno, None]))
else:
    print(json.dumps([0, time.monotonic() - began]))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    needs_network()
    with Lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture(scope="module")
def echo(lab: Lab) -> Iterator[None]:
    """A server that returns every datagram."""
    process = subprocess.Popen(
        lab.server.command(sys.executable, "-IS", "-c", ECHO, SERVER, SERVER_IPV6),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield
    process.communicate()


def probe(lab: Lab, address: str = SERVER, size: int = 40, patience: float = 5.0) -> tuple[int | None, float | None]:
    """Send a datagram and wait for its echo: the error, if there is one, and the seconds it took."""
    answer = lab.client.run(sys.executable, "-IS", "-c", PROBE, address, str(size), str(patience))
    error, seconds = json.loads(answer)
    return error, seconds


LOST = None
"""What is lost on the way gives no error."""
FAULTS: dict[str, tuple[Callable[[Lab], AbstractContextManager[None]], set[int | None]]] = {
    "outage": (Lab.outage, {LOST}),
    "requests": (lambda lab: lab.outage(Direction.REQUESTS), {LOST}),
    "answers": (lambda lab: lab.outage(Direction.ANSWERS, udp_only=True), {LOST}),
    "firewall": (Lab.firewall, {errno.EPERM}),
    "refusal": (Lab.refusal, {errno.EHOSTUNREACH, errno.EACCES}),
    "link down": (Lab.link_down, {errno.ENETUNREACH}),
    "carrier lost": (Lab.carrier_lost, {LOST, errno.EHOSTUNREACH}),
    "route removed": (Lab.route_removed, {errno.ENETUNREACH}),
    "loss": (lambda lab: lab.impaired(Impairment(loss=1.0)), {LOST}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_broken_does_not_pass_and_is_mended(lab: Lab, echo: None, fault: str) -> None:
    broken, errors = FAULTS[fault]
    slow_to_mend = fault == "carrier lost"  # the kernel takes a second to believe in a carrier
    for address in (SERVER,) if slow_to_mend else (SERVER, SERVER_IPV6):
        with broken(lab):
            error, seconds = probe(lab, address, patience=0.1)
            assert seconds is None
            assert error in errors
        assert probe(lab, address)[1] is not None


def test_what_changes_the_way_lets_packets_pass(lab: Lab, echo: None) -> None:
    for change in (lab.rerouted(), lab.rerouted(lan_down=True), lab.mtu(576)):
        with change:
            assert probe(lab)[1] is not None
        assert probe(lab)[1] is not None
    lab.change_address()
    assert probe(lab)[1] is not None
    assert probe(lab, SERVER_IPV6)[1] is not None


def test_only_what_is_too_large_vanishes(lab: Lab, echo: None) -> None:
    with lab.small_packets_only(500):
        assert probe(lab, size=400)[1] is not None
        assert probe(lab, size=600, patience=0.05) == (LOST, None)
    assert probe(lab, size=600)[1] is not None


def test_a_delay_holds_both_ways(lab: Lab, echo: None) -> None:
    with lab.impaired(Impairment(delay=0.05, jitter=0.02)):
        for _ in range(3):
            _, seconds = probe(lab)
            assert seconds is not None
            assert seconds >= 0.06
    _, seconds = probe(lab)
    assert seconds is not None


def test_the_name_is_known_unless_it_is_not(lab: Lab) -> None:
    resolve = ["getent", "ahostsv4", SERVER_NAME]
    assert SERVER in lab.client.run(*resolve)
    with lab.name_unknown(), pytest.raises(AssertionError):
        lab.client.run(*resolve)
    assert SERVER in lab.client.run(*resolve)


def test_nothing_is_left_when_the_process_is_killed(tmp_path: Path) -> None:
    needs_network()
    script = f"""
import pathlib, sys
from tests.faults.network import Lab
lab = Lab(pathlib.Path({str(tmp_path)!r})).__enter__()
print(*lab.processes, flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert process.stdout is not None
    made = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
    assert len(made) == 3
    process.kill()
    process.communicate()
    # A namespace that nothing names is gone with its last process.
    until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in made))


# The wire, without a network -----------------------------------------------------------------------------------------

PACKETS = [number.to_bytes(2, "big") for number in range(1000)]


def carried(impairment: Impairment, seed: int = 1, gap: float = 0.0) -> list[tuple[float, bytes]]:
    """Send the packets, one each `gap` seconds: when each arrives that does."""
    wire = Wire(seed)
    arrived: list[tuple[float, bytes]] = []
    for index, packet in enumerate(PACKETS):
        now = index * gap
        while wire.due <= now:
            due = wire.due
            arrived += [(due, taken) for taken in wire.take(due)]
        wire.put(packet, impairment, now)
    while wire.due < float("inf"):
        due = wire.due
        arrived += [(due, taken) for taken in wire.take(due)]
    assert wire.passed == len(arrived)
    return arrived


def test_a_good_wire_passes_everything_at_once_and_in_order() -> None:
    assert carried(Impairment(), gap=0.1) == [(index * 0.1, packet) for index, packet in enumerate(PACKETS)]


def test_a_lossy_wire_loses_its_share() -> None:
    assert 650 < len(carried(Impairment(loss=0.3))) < 750


def test_a_doubling_wire_doubles_its_share() -> None:
    arrived = [packet for _, packet in carried(Impairment(duplication=0.2))]
    assert set(arrived) == set(PACKETS)
    assert 1150 < len(arrived) < 1250


def test_a_slow_wire_takes_its_time() -> None:
    arrived = carried(Impairment(delay=0.8, jitter=0.4), gap=10.0)
    assert [packet for _, packet in arrived] == PACKETS
    times = [time - index * 10.0 for index, (time, _) in enumerate(arrived)]
    assert min(times) >= 0.4
    assert max(times) <= 1.2
    assert max(times) - min(times) > 0.7


def test_a_reordering_wire_reorders_its_share() -> None:
    arrived = [packet for _, packet in carried(Impairment(delay=0.25, reordering=0.5), gap=0.1)]
    assert sorted(arrived) == PACKETS
    overtaken = sum(later < earlier for earlier, later in pairwise(arrived))
    assert overtaken > 200


def test_the_seed_decides_everything() -> None:
    impairment = Impairment(loss=0.3, delay=0.8, jitter=0.4, duplication=0.1, reordering=0.1)
    assert carried(impairment, seed=7) == carried(impairment, seed=7)
    assert carried(impairment, seed=7) != carried(impairment, seed=8)


def test_a_wire_holds_a_bounded_number_of_packets() -> None:
    wire = Wire(1)
    for _ in range(2 * WAITING):
        wire.put(b"", Impairment(delay=1.0), 0.0)
    assert len(wire.take(1.0)) == WAITING
    assert wire.lost == WAITING
