"""Hostile datagrams, from strangers and from the server itself; see also `tests.faults.test_bounds`."""

import random
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from itertools import cycle, repeat

from agentcp_fsm import Invitation
from agentcp_fsm.wire import UNAUTHORIZED, AgentCPCodec, HeartbeatResponse, InviteRequest
from tests.faults import deeds, system_deeds
from tests.faults.bench import Bench, address_of, by_server
from tests.faults.case import Case
from tests.faults.rogue import Rogue
from tests.faults.sign_in_cases import QUICK
from tests.needs import needs_root
from tests.timings import CALM
from tests.waiting import until

Send = Callable[[bytes], object]
CODEC = AgentCPCodec()
FORGED_401 = CODEC.encode(HeartbeatResponse(1, UNAUTHORIZED))
MANY = 100_000
"""Datagrams of a flood."""
AT_ONCE = 500
"""Datagrams sent before the receiver gets a chance, so that not all of them are lost on the way."""


@contextmanager
def stranger(bench: Bench) -> Iterator[Send]:
    """Sends to the application from a port that is not its server's."""
    address, _ = bench.agent.call(system_deeds.udp_addresses)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        yield lambda data: opened.sendto(data, address)


@contextmanager
def forger(bench: Bench) -> Iterator[Send]:
    """Sends to the application in its server's name: raw packets, whose source nobody checks."""
    needs_root()
    until(lambda: bench.agent.call(system_deeds.has_socket))
    (host, port), (server_host, server_port) = bench.agent.call(system_deeds.udp_addresses)
    addresses = socket.inet_aton(server_host) + socket.inet_aton(host)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as opened:

        def send(data: bytes) -> None:
            header = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(data), 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
            opened.sendto(header + struct.pack("!HHHH", server_port, port, 8 + len(data), 0) + data, (host, 0))

        yield send


def noise() -> Iterator[bytes]:
    """Random datagrams of all sizes."""
    source = random.Random(0)
    return cycle([source.randbytes(source.randrange(2000)) for _ in range(1000)])


def invitations() -> Iterator[bytes]:
    """Each another one."""
    number = 0
    while True:
        number += 1
        invitation = Invitation("mallory.agentid.pub", f"code {number}", 0, f"session {number}", "wss://m.example")
        yield CODEC.encode(InviteRequest(number, invitation))


def forged_401s() -> Iterator[bytes]:
    return repeat(FORGED_401)


def flood(
    sender: Callable[[Bench], AbstractContextManager[Send]],
    datagrams: Callable[[], Iterator[bytes]],
    number: int,
    bench: Bench,
) -> None:
    """As many of them, as fast as the application reads."""
    with sender(bench) as send:
        source = datagrams()
        for sent in range(number):
            send(next(source))
            if sent % AT_ONCE == 0:
                bench.agent.call(deeds.nothing)
    bench.online()


def flood_in_the_servers_name(bench: Bench) -> None:
    flood(forger, noise, MANY, bench)
    begun, now = bench.since_begun()
    assert now.malformed - begun.malformed > MANY / 100, "hardly anything arrived"


def flood_of_401s(bench: Bench) -> None:
    """In the server's name, to each new socket, until the connection was lost three times."""
    for losses in range(1, 4):
        bench.online()
        with forger(bench) as send:
            for _ in range(100):
                send(FORGED_401)
        bench.lose(losses)


def flood_of_invitations(bench: Bench) -> None:
    """In the server's name, while the application's handler blocks."""
    bench.agent.call(deeds.handlers_wait)
    flood(forger, invitations, 20_000, bench)
    assert bench.agent.call(deeds.calls_dropped) > 0, "the handlers' queue was never full"
    bench.agent.call(deeds.handlers_go_on)


COSTLY = (
    "98 cookies of 64 KB",
    "headers without end",
    "interim answers without end",
    "chunks of one byte",
    "extensions of chunks without end",
    "a trailer without end",
    "JSON of 12,000 objects",
    "a nonce whose signature proves a server to Bob",
)
"""Answers of `tests.faults.rogue`, each standing for its kind."""


def answered_by_a_rogue(answer: str, bench: Bench) -> None:
    """Another takes the server's place, until two attempts have failed."""
    assert bench.relay is not None
    server = bench.relay.target
    with Rogue() as rogue:
        rogue.answer = answer
        bench.relay.target = address_of(rogue.url)
        bench.server("fault sign_in refused")  # so that no connection to it is kept
        bench.server("restart")  # so that a session is needed
        bench.fail(2)
        bench.relay.target = server
        bench.server("ok")


CASES = (
    Case(name="1,000 forged 401s from strangers", fault=partial(flood, stranger, forged_401s, 1000),
         within=1, sign_ins=0),
    Case(name="1,000 forged invitations from strangers", fault=partial(flood, stranger, invitations, 1000),
         within=1, sign_ins=0),
    Case(name="100,000 random datagrams from strangers", fault=partial(flood, stranger, noise, MANY),
         within=1, sign_ins=0),
    Case(name="100,000 random datagrams from the server's address", fault=flood_in_the_servers_name,
         within=2, sign_ins=1, losses=None, processor=15),
    Case(name="20,000 forged invitations from the server's address, and the handler blocks",
         fault=flood_of_invitations, within=2, sign_ins=1, losses=None, processor=15),
    Case(name="forged 401s from the server's address to every socket", fault=flood_of_401s,
         within=3, sign_ins=None, losses=None, processor=1),
    *(
        Case(name=f"next beat asked for in {what}", online=False, config=replace(CALM, interval_max=0.3),
             fault=by_server(f"fault next_beat {asked} encoding {encoding}", until=Bench.online, then="faults"),
             within=2, sign_ins=1)
        for what, asked, encoding in (
            ("2**62 ms", 2**62, "u64"), ("0 ms", 0, "u64"), ("2**49 ms, as a varint", 2**49 - 1, "varint"),
        )
    ),
    *(
        Case(name=f"sign-in answered by a rogue: {answer}", fault=partial(answered_by_a_rogue, answer), relayed=True,
             config=QUICK, within=3, sign_ins=None, losses=1, processor=0.15, memory=4)
        for answer in COSTLY
    ),
)  # fmt: skip
