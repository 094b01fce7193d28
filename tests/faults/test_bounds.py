"""Bounds on memory, on the rate of sign-ins and on the time that stop takes, which hold for anything the network sends.

The network is at its worst here: datagrams of all kinds, from strangers and in the server's name, a sign-in that goes
wrong in every way there is, and a server that restarts and asks for absurd times.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import cycle, pairwise

import pytest

from agentcp_fsm import Config
from agentcp_fsm.wire import HeartbeatResponse
from tests.faults import deeds, pace, sign_in_cases, system_deeds
from tests.faults.application import NOTHING, Application
from tests.faults.application_cases import PATIENT, STATES
from tests.faults.bench import Bench, address_of, bench_of
from tests.faults.case import ROUNDING, STOP_MARGIN, Case
from tests.faults.hostile_cases import CODEC, flood, forged_401s, forger, invitations, noise, stranger
from tests.faults.rogue import ANSWERS, Rogue
from tests.needs import needs_root
from tests.server_process import ServerProcess
from tests.timings import WATCHFUL
from tests.waiting import until

HASTY = replace(
    WATCHFUL,
    interval_max=0.2,
    sign_in_interval_min=0.02,
    backoff_initial=0.01,
    backoff_max=0.04,
    retry_after_max=0.04,
    unauthorized_spread=0.0,
    read_timeout=0.2,
    sign_in_timeout=0.3,
)
"""Many sign-ins in little time, by the rules."""
RESTLESS = replace(
    HASTY,
    sign_in_interval_min=0.0,
    backoff_initial=0.001,
    backoff_max=0.001,
    retry_after_max=0.001,
    read_timeout=0.1,
    sign_in_timeout=0.15,
)
"""As many as there can be."""
ABSURD_TIMES = ("-1", "0", "0.0001", "1e999", "nan", "9" * 400, "Thu, 01 Jan 1970 00:00:00 GMT", "soon")
SIGN_IN_FAULTS = (
    *sign_in_cases.TRANSIENT.values(),
    *(f"status status {status}" for status in (400, 403, 404)),
    *(f'status status 503 retry_after "{asked}"' for asked in ABSURD_TIMES),
)


def absurd_beats() -> Iterator[bytes]:
    """Answers to heartbeats, which ask for the next at absurd times."""
    return cycle([CODEC.encode(HeartbeatResponse(number, 2**number)) for number in range(64)])


def everything(*sources: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """In turn."""
    begun = [source() for source in sources]
    while True:
        for source in begun:
            yield next(source)


def any_datagram() -> Iterator[bytes]:
    return everything(noise, invitations, absurd_beats, forged_401s)


@contextmanager
def application(config: Config, server: ServerProcess) -> Iterator[Bench]:
    """A connection at rest, with a relay before its sign-in."""
    needs_root()
    case = Case(name="bounds", fault=lambda bench: None, within=0, sign_ins=0, config=config, relayed=True)
    with bench_of(case, server) as bench:
        yield bench


def sign_in_goes_wrong(bench: Bench, rogue: Rogue) -> Iterator[str]:
    """Every way in which a sign-in can, one after the other; each is in force until the next is asked for."""
    assert bench.relay is not None
    server = bench.relay.target
    for number, fault in enumerate(SIGN_IN_FAULTS):
        bench.server(f"fault sign_in {fault}")
        if number == 0:
            bench.server("restart")  # now that no session can be had: one is needed
        yield fault
    bench.relay.target = address_of(rogue.url)
    for rogue.answer in ANSWERS:
        yield rogue.answer
    bench.relay.target = server
    bench.server("ok")


def fail_to_sign_in(bench: Bench, number: int) -> None:
    """Wait until as many attempts more have failed."""
    bench.agent.call(Application.failed_attempts, bench.reading().failed_attempts + number)


# Memory ---------------------------------------------------------------------------------------------------------------


def must_not_grow(bench: Bench, inputs: Callable[[], None]) -> None:
    """Three times the inputs take as much memory as the inputs once, but for the allocator's share; and never much.

    What the inputs leave behind, each repetition leaves behind.  The allocator takes an arena once, at any of them.
    """
    before = bench.reading()
    sizes = []
    for _ in range(3):
        inputs()
        bench.agent.call(deeds.tidy_up)
        sizes.append(bench.reading().memory)
    grown = min(later - earlier for earlier, later in pairwise(sizes)) / 1e6
    most = (bench.reading().memory_peak - before.memory) / 1e6
    print(f"it grew by {grown:.2f} MB, and had grown by {most:.2f} MB")
    assert grown < 0.15
    assert most < 8.0


def test_memory_does_not_grow_with_the_number_of_datagrams(shared_server: ServerProcess) -> None:
    """Not even while the handler of invitations blocks."""
    with application(HASTY, shared_server) as bench:
        bench.come_online()
        bench.agent.call(deeds.handlers_wait)
        foreign, own = any_datagram(), everything(noise, invitations, absurd_beats)

        def inputs() -> None:
            flood(stranger, lambda: foreign, 10_000, bench)
            flood(forger, lambda: own, 60_000, bench)

        must_not_grow(bench, inputs)
        assert bench.agent.call(deeds.calls_dropped) > 1000, "the handlers' queue was never full"
        assert bench.reading().malformed > 1000, "hardly anything arrived"
        bench.agent.call(deeds.handlers_go_on)


def test_memory_does_not_grow_with_the_number_of_answers_to_sign_ins(shared_server: ServerProcess) -> None:
    with application(RESTLESS, shared_server) as bench, Rogue() as rogue:
        bench.come_online()

        def inputs() -> None:
            for _ in sign_in_goes_wrong(bench, rogue):
                fail_to_sign_in(bench, 3)
            bench.online()

        must_not_grow(bench, inputs)


# The rate of sign-ins -------------------------------------------------------------------------------------------------


def test_sign_ins_follow_each_other_no_sooner_than_the_rules_allow(shared_server: ServerProcess) -> None:
    def seen() -> int:
        """Sign-ins that reached a server: a good one takes two calls, of which the first is answered by a challenge."""
        counted = shared_server.statistics()
        return counted["calls"] - counted["challenges"] - counted["sign_outs"] + rogue.requests

    with application(HASTY, shared_server) as bench, Rogue() as rogue:
        before = seen()
        bench.come_online()
        forged = everything(noise, invitations, absurd_beats, forged_401s)
        for losses in range(1, 11):
            bench.online()
            with forger(bench) as send:
                for _ in range(100):
                    send(next(forged))
            bench.server("restart")
            bench.agent.call(Application.lost, losses)
        for _ in sign_in_goes_wrong(bench, rogue):
            fail_to_sign_in(bench, 1)
        bench.online()
        found = pace.attempts(bench.agent.call(Application.life), HASTY)
        assert sum(attempt.failed for attempt in found) >= len(SIGN_IN_FAULTS) + len(ANSWERS)
        assert bench.reading().attempts == len(found)
        assert seen() - before <= len(found), "a sign-in was seen more than once"
        assert pace.haste(found) <= ROUNDING


# Stop -----------------------------------------------------------------------------------------------------------------


@contextmanager
def pouring(bench: Bench) -> Iterator[None]:
    """All the while, datagrams pour in, from a stranger and in the server's name, if there is a socket for them."""
    ended = threading.Event()
    with ExitStack() as stack:
        if bench.agent.call(system_deeds.has_socket):
            senders = [stack.enter_context(sender(bench)) for sender in (stranger, forger)]
            datagrams = everything(noise, invitations)

            def pour() -> None:
                while not ended.is_set():
                    data = next(datagrams)
                    for send in senders:
                        send(data)

            pourer = threading.Thread(target=pour)
            pourer.start()
            stack.callback(pourer.join)
            stack.callback(ended.set)
            until(lambda: bench.reading().malformed > 1000)
        yield


def must_stop(bench: Bench, what: str) -> None:
    """In time, and with nothing left."""
    took = bench.agent.call(Application.stop)
    assert took <= bench.case.config.sign_out_timeout + STOP_MARGIN, f"{what}: stop took {took} s"
    left = bench.agent.call(Application.left)
    assert left == NOTHING, f"{what}: {left}"


@pytest.mark.parametrize("enter", STATES)
def test_stop_returns_in_time_in_every_state(enter: Callable[[Bench], None], shared_server: ServerProcess) -> None:
    with application(PATIENT, shared_server) as bench:
        enter(bench)
        bench.server("fault sign_out hang")
        with pouring(bench):
            must_stop(bench, enter.__name__)


def test_stop_returns_in_time_whatever_the_sign_in_is_answered(shared_server: ServerProcess) -> None:
    with application(PATIENT, shared_server) as bench, Rogue() as rogue:

        def progress() -> tuple[int, int, int]:
            return bench.server.count("calls"), rogue.requests, bench.reading().failed_attempts

        for what in sign_in_goes_wrong(bench, rogue):
            before = progress()
            bench.start()
            until(lambda before=before: progress() != before)  # type: ignore[misc]
            must_stop(bench, what)
