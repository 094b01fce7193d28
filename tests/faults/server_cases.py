"""What the heartbeat server does: it restarts, moves, falls silent, answers from elsewhere."""

import signal
from dataclasses import replace

from tests.faults.application import ALICE, Application
from tests.faults.bench import Bench, address_of, by_server, failed, lost
from tests.faults.case import Case
from tests.timings import WATCHFUL
from tests.waiting import until


def steady(bench: Bench) -> None:
    bench.agent.call(Application.answered, bench.reading().answers + 10)


def process_killed(bench: Bench) -> None:
    """And back at once, on the same ports: it knows nobody."""
    bench.server.kill()
    bench.server.again("--udp-port", str(bench.server.udp_address[1]))
    bench.lose(1)


def process_killed_and_back_elsewhere(bench: Bench) -> None:
    bench.server.kill()
    bench.server.again()
    bench.lose(1)


def process_killed_and_back_on_ipv6(bench: Bench) -> None:
    assert bench.relay is not None
    bench.server.kill()
    bench.server.again("--host", "::1")
    bench.relay.target = address_of(bench.server.url)
    bench.lose(1)
    until(lambda: bench.server.count("heartbeats"))


def process_gone_for_a_while(bench: Bench) -> None:
    bench.server.kill()
    bench.fail(3)
    bench.server.again()


def process_suspended(bench: Bench) -> None:
    """Its sockets stand, the kernel takes what comes, nobody answers."""
    bench.server.process.send_signal(signal.SIGSTOP)
    bench.lose(1)
    bench.fail(1)
    bench.server.process.send_signal(signal.SIGCONT)


def invited(bench: Bench) -> None:
    """Twenty invitations, each to be delivered once and answered."""
    for _ in range(20):
        assert bench.server(f"invite {ALICE}") == f"{ALICE} answered"
    until(lambda: bench.reading().invitations == 20)


def one_dropped(bench: Bench) -> None:
    """Until the server has answered nothing to one heartbeat."""
    seen = bench.server.count("dropped")
    until(lambda: bench.server.count("dropped") > seen)


CASES = (
    Case(name="steady state, 10 heartbeats", fault=steady, within=1, sign_ins=0),
    Case(name="20 invitations", fault=invited, within=1, sign_ins=0),
    Case(name="server forgets all sessions: 401", fault=by_server("restart", until=lost()),
         within=2, sign_ins=1, losses=1),
    Case(name="server forgets and moves: 401 at the old port", fault=by_server("move 401", "restart", until=lost()),
         within=2, sign_ins=1, losses=1),
    Case(name="server moves without a word", fault=by_server("move", until=lost()),
         config=WATCHFUL, within=2, sign_ins=1, losses=1),
    Case(name="server process killed, back on the same port", fault=process_killed, own_server=True,
         within=3, sign_ins=None, losses=1),
    Case(name="server process killed, back on another port", fault=process_killed_and_back_elsewhere, own_server=True,
         within=3, sign_ins=None, losses=1),
    Case(name="server process killed, back on IPv6", fault=process_killed_and_back_on_ipv6, own_server=True,
         relayed=True, within=3, sign_ins=None, losses=1),
    Case(name="server process gone until 3 attempts have failed", fault=process_gone_for_a_while, own_server=True,
         within=3, sign_ins=None, losses=1),
    Case(name="server process suspended", fault=process_suspended, own_server=True,
         config=replace(WATCHFUL, read_timeout=1.0),
         within=3, sign_ins=None, losses=1),
    Case(name="server silent for one heartbeat", fault=by_server("fault silent on", until=one_dropped),
         within=1, sign_ins=0),
    Case(name="server silent until the connection is lost", fault=by_server("fault silent on", until=lost()),
         config=WATCHFUL, within=3, sign_ins=None, losses=1),
    Case(name="server silent until 3 attempts have failed", fault=by_server("fault silent on", until=failed(3)),
         config=WATCHFUL, within=3, sign_ins=None, losses=1),
    Case(name="server answers from another port", fault=by_server("fault stranger on", until=failed()),
         config=WATCHFUL, within=3, sign_ins=None, losses=1),
    Case(name="server answers from another address", fault=by_server("fault stranger address", until=failed()),
         config=WATCHFUL, within=3, sign_ins=None, losses=1),
    Case(name="server answers 401 to every heartbeat", fault=by_server("fault unauthorized on", until=failed(3)),
         within=3, sign_ins=None, losses=1),
)  # fmt: skip
