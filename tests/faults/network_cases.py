"""What the network between client and server does: see `tests.faults.network`.

Each fault hits sign-ins and heartbeats alike, unless its case says that it hits heartbeats only.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentcp_fsm import Config
from tests.faults.application import ALICE, Application
from tests.faults.bench import Bench, Waiting, failed, lost
from tests.faults.case import Case, Ends
from tests.faults.network import SERVER, SERVER_IPV6, SERVER_NAME, Direction, Lab
from tests.faults.wire import Impairment
from tests.timings import WATCHFUL
from tests.waiting import until

NETWORKED = replace(
    WATCHFUL, interval_max=1.0, retry_after_max=0.5, connect_timeout=0.5, read_timeout=1.0, sign_in_timeout=2.0,
    socket_timeout=1.0,
)  # fmt: skip
"""With the longest interval and Retry-After near what the server asks for, the bounds of `Config` mean something."""
TCP_PATIENCE = replace(NETWORKED, connect_timeout=3.0, read_timeout=5.0, sign_in_timeout=10.0)
"""TCP's first retransmission comes after a second, and nothing scales that."""

NAME_SERVICE = 53
"""The UDP port of name servers."""

REAL: dict[str, Any] = {"config": Config(), "next_beat": 5.0, "within": 40.0, "slow": True}
"""Cases in real time, which take a minute or more.  A Retry-After, which would last longer, is in none of them."""

Breaking = Callable[[Lab], AbstractContextManager[None]]


def lab_of(bench: Bench) -> Lab:
    assert bench.lab is not None
    return bench.lab


def during(breaking: Breaking, until: Waiting) -> Waiting:
    """The fault is in force until the connection has met it."""

    def fault(bench: Bench) -> None:
        with breaking(lab_of(bench)):
            until(bench)

    return fault


def for_good(breaking: Breaking, until: Waiting) -> Waiting:
    """The fault is in force until the case is over, and the clock starts with it."""

    def fault(bench: Bench) -> None:
        bench.stack.enter_context(breaking(lab_of(bench)))
        bench.ended = time.monotonic()
        until(bench)

    return fault


def leisurely(fault: Waiting, interval: int = 500) -> Waiting:
    """Heartbeats are so many milliseconds apart, for something to happen between two of them."""

    def at_leisure(bench: Bench) -> None:
        bench.server(f"fault next_beat {interval}")
        bench.online()
        bench.begun = bench.reading()
        fault(bench)

    return at_leisure


def answered(number: int) -> Waiting:
    """Until as many heartbeats were answered."""
    return lambda bench: bench.agent.call(Application.answered, bench.reading().answers + number)


def arrived(number: int, patience: float) -> Waiting:
    """Until as many heartbeats reached the server."""

    def wait(bench: Bench) -> None:
        begun = bench.server.count("heartbeats")
        until(lambda: bench.server.count("heartbeats") >= begun + number, patience)

    return wait


def sent(number: int) -> Waiting:
    """Until as many heartbeats were handed to the network."""

    def wait(bench: Bench) -> None:
        begun = bench.reading().heartbeats
        until(lambda: bench.reading().heartbeats >= begun + number)

    return wait


def refused_sends(number: int) -> Waiting:
    """Until as many sends have failed."""

    def wait(bench: Bench) -> None:
        assert bench.begun is not None
        begun = bench.begun.send_failures
        until(lambda: bench.reading().send_failures >= begun + number)

    return wait


def signed_in_anew(bench: Bench) -> None:
    """The server restarts: until the session that follows is proven."""
    bench.server("restart")
    bench.lose(1)
    bench.online()


def outage(direction: Direction = Direction.BOTH, *, udp_only: bool = False) -> Breaking:
    return lambda lab: lab.outage(direction, udp_only=udp_only)


def impaired(**how: float) -> Breaking:
    return lambda lab: lab.impaired(Impairment(**how))


def address_changed(bench: Bench) -> None:
    lab_of(bench).change_address()
    bench.ended = time.monotonic()
    bench.lose(1)


def lasting(seconds: float) -> Waiting:
    """For so long: how long an outage lasts is what it is known by."""

    def wait(bench: Bench) -> None:
        ends = time.monotonic() + seconds
        until(lambda: time.monotonic() >= ends, timeout=seconds + 10)

    return wait


def link_flaps(bench: Bench) -> None:
    for _ in range(5):
        with lab_of(bench).link_down():
            pass


def invited_twice_over(bench: Bench) -> None:
    """Packets are doubled; ten invitations are to be delivered once each."""
    with lab_of(bench).impaired(Impairment(duplication=0.5)):
        answered(8)(bench)
        for _ in range(10):
            assert bench.server(f"invite {ALICE}") == f"{ALICE} answered"
        until(lambda: bench.reading().invitations >= 10)
        answered(5)(bench)
    assert bench.reading().invitations == 10


def restarted_in_vain(bench: Bench) -> None:
    """The server restarts: until an attempt to sign in anew has failed."""
    bench.server("fault sign_in refused")  # the connections of earlier sign-ins are closed
    bench.server("ok")
    bench.server("restart")
    bench.fail(1)


def started_in_vain(bench: Bench) -> None:
    """The first attempt fails."""
    bench.start()
    bench.fail(1)


def stopped_in_an_outage(bench: Bench) -> None:
    """There is a session to be signed out, and no answer to that."""
    with lab_of(bench).outage():
        bench.stopping.append(bench.agent.call(Application.stop))


def stopped_while_a_name_is_looked_up(bench: Bench) -> None:
    """No name server answers, and nothing can interrupt the system's resolver."""
    with lab_of(bench).name_unknown():
        bench.start()
        sockets = Path(f"/proc/{bench.agent.pid}/net/udp")
        until(lambda: f":{NAME_SERVICE:04X} " in sockets.read_text())  # it waits for an answer
        bench.stopping.append(bench.agent.call(Application.stop))


def case(name: str, fault: Waiting, *, across: str = SERVER, config: Config = NETWORKED, **what: Any) -> Case:
    """A case in the network, whose bound is that of its configuration (lifecycle, L1) unless it says otherwise."""
    return Case(name=name, fault=fault, across=across, config=config, **{"within": config.recovery_bound} | what)


CASES = (
    # Packets lost on the way
    case("network: outage of one heartbeat", leisurely(during(outage(), sent(1))), sign_ins=0),
    case("network: outage until 2 attempts have failed", during(outage(), failed(2)), sign_ins=None, losses=1),
    case("network: requests lost until an attempt has failed", during(outage(Direction.REQUESTS), failed()),
         sign_ins=None, losses=1),
    case("network: answers lost until an attempt has failed", during(outage(Direction.ANSWERS), failed()),
         sign_ins=None, losses=1),
    case("network: heartbeats lost, sign-in works, until 2 attempts have failed",
         during(outage(udp_only=True), failed(2)), sign_ins=None, losses=1),
    case("network: answers to heartbeats lost, sign-in works, until 2 attempts have failed",
         during(outage(Direction.ANSWERS, udp_only=True), failed(2)), sign_ins=None, losses=1),
    case("network: outage over IPv6 until an attempt has failed", during(outage(), failed()), across=SERVER_IPV6,
         sign_ins=None, losses=1),
    case("network: 30 % of packets lost, for 15 answers", during(impaired(loss=0.3), answered(15)),
         config=TCP_PATIENCE, sign_ins=None, losses=None, processor=0.6),
    case("network: own firewall refuses one heartbeat", leisurely(during(Lab.firewall, refused_sends(1))), sign_ins=0),
    case("network: own firewall refuses everything until an attempt has failed", during(Lab.firewall, failed()),
         sign_ins=None, losses=1),
    case("network: a router refuses everything (ICMP) until an attempt has failed", during(Lab.refusal, failed()),
         sign_ins=None, losses=1),
    # Links, routes, addresses
    case("network: link down and up at once, 5 times", leisurely(link_flaps), sign_ins=0),
    case("network: link down until an attempt has failed", during(Lab.link_down, failed()), sign_ins=None, losses=1),
    case("network: link of the other end down until an attempt has failed", during(Lab.carrier_lost, failed()),
         sign_ins=None, losses=1),
    case("network: route removed for one heartbeat", leisurely(during(Lab.route_removed, refused_sends(1))),
         sign_ins=0),
    case("network: route removed until an attempt has failed", during(Lab.route_removed, failed()),
         sign_ins=None, losses=1),
    case("network: address changed", address_changed, sign_ins=2, losses=1),
    case("network: IPv6 address changed", address_changed, across=SERVER_IPV6, sign_ins=2, losses=1),
    case("network: default route through another interface", for_good(Lab.rerouted, answered(5)), sign_ins=0),
    case("network: default route through another interface, and the first link down",
         for_good(lambda lab: lab.rerouted(lan_down=True), lost()), sign_ins=2, losses=1),
    case("network: MTU shrunk to 576, server restarts", for_good(lambda lab: lab.mtu(576), signed_in_anew),
         sign_ins=1, losses=1),
    case("network: packets over 600 bytes vanish, server restarts",
         during(lambda lab: lab.small_packets_only(600), restarted_in_vain), sign_ins=None, losses=1),
    # A bad wire
    case("network: delay of 80 ms ± 40 ms, server restarts",
         leisurely(for_good(impaired(delay=0.08, jitter=0.04), signed_in_anew)), config=TCP_PATIENCE, sign_ins=1,
         losses=1),
    case("network: half of all packets doubled, 10 invitations", invited_twice_over, sign_ins=0),
    case("network: half of all packets overtake others by 150 ms",
         leisurely(during(impaired(delay=0.15, reordering=0.5), answered(7)), 200), sign_ins=0),
    # Names.  A question to the resolver that hangs is asked anew by the next attempt.
    case("network: name of the server unknown at the start", during(Lab.name_unknown, started_in_vain),
         across=SERVER_NAME, sign_ins=None, online=False),
    case("network: name of the server unknown, server restarts", during(Lab.name_unknown, restarted_in_vain),
         across=SERVER_NAME, sign_ins=None, losses=1),
    case("network: name of the server has an IPv6 address where nothing arrives",
         for_good(Lab.ipv6_broken, Bench.start), across=SERVER_NAME, sign_ins=1, online=False),
    # In the field's own size
    case("network: outage of 40 s, real timings", during(outage(), lasting(40.0)),
         **REAL, sign_ins=11, losses=1, processor=0.2),
    case("network: delay of 800 ms ± 400 ms, real timings, server restarts",
         for_good(impaired(delay=0.8, jitter=0.4), signed_in_anew), **REAL, sign_ins=2, losses=1),
    case("network: 30 % of packets lost until 20 heartbeats have arrived, real timings",
         during(impaired(loss=0.3), arrived(20, patience=600.0)),
         **REAL, sign_ins=None, losses=None),
    case("network: address changed soon after the sign-in, real timings", address_changed,
         **REAL | {"within": 10.0}, sign_ins=1, losses=1),
    # Leaving
    case("network: stop while the server's name is looked up", stopped_while_a_name_is_looked_up, across=SERVER_NAME,
         within=NETWORKED.stop_bound + 1, sign_ins=1, online=False, ends=Ends.STOPPED),
    case("network: stop in an outage", stopped_in_an_outage, within=NETWORKED.stop_bound + 1, sign_ins=0,
         ends=Ends.STOPPED),
)  # fmt: skip
