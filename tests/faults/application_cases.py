"""What a careless application does: to its handlers, in any state, from any thread."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from agentcp_fsm import State
from tests.faults import crowd_deeds, deeds
from tests.faults.application import ALICE, NOTHING, Application, Resources
from tests.faults.bench import Bench
from tests.faults.case import Case, Ends
from tests.timings import CALM
from tests.waiting import until

PATIENT = replace(
    CALM,
    silence_limit=300,
    probe_limit=300,
    sign_in_timeout=30.0,
    connect_timeout=30.0,
    read_timeout=30.0,
    sign_out_timeout=0.3,
)
"""Stays in any state for as long as a test wants."""

CROWDED = replace(
    CALM, interval_min=1.0, sign_in_timeout=30.0, connect_timeout=3.0, read_timeout=10.0, unauthorized_spread=2.0
)
"""The field's bounds for sign-ins, for many at once."""

# Handlers -------------------------------------------------------------------------------------------------------------


def handlers_do(deed: Callable[[Application], None], bench: Bench) -> None:
    """Every handler does so from now on, and is called; heartbeats go on, and invitations are answered."""
    bench.agent.call(deed)
    for _ in range(3):
        assert bench.server(f"invite {ALICE}") == f"{ALICE} answered"
    bench.agent.call(Application.answered, bench.reading().answers + 3)
    bench.server("restart")
    bench.lose(1)


def handlers_raise(deed: Callable[[Application], None], bench: Bench) -> None:
    """Whatever they raise, they are called the next time."""
    handlers_do(deed, bench)
    bench.online()
    bench.agent.call(deeds.called, 5)


def handler_stops(bench: Bench) -> None:
    bench.agent.call(deeds.stop_when_invited)
    bench.server(f"invite {ALICE}")
    bench.stopping.append(bench.agent.call(deeds.stopped_by_itself))


# States ---------------------------------------------------------------------------------------------------------------


def at_rest(bench: Bench) -> None:
    """OFFLINE."""


def signing_in(bench: Bench) -> None:
    """SIGNING_IN, and the sign-in hangs."""
    bench.server("fault sign_in hang")
    begun = bench.server.count("calls")
    bench.start()
    until(lambda: bench.server.count("calls") > begun)


def signing_in_unanswered(bench: Bench) -> None:
    """SIGNING_IN, with a session whose server is silent."""
    bench.server("fault silent on")
    begun = bench.server.count("heartbeats")
    bench.start()
    until(lambda: bench.server.count("heartbeats") > begun)


def online(bench: Bench) -> None:
    """ONLINE."""
    bench.come_online()


def degraded(bench: Bench) -> None:
    """DEGRADED: unanswered."""
    online(bench)
    bench.server("fault silent on")
    bench.wait_for(State.DEGRADED)


def reconnecting(bench: Bench) -> None:
    """RECONNECTING, and the sign-in hangs."""
    online(bench)
    bench.server("fault sign_in hang")
    begun = bench.server.count("calls")
    bench.server("restart")
    until(lambda: bench.server.count("calls") > begun)


def backing_off(bench: Bench) -> None:
    """BACKOFF, for a minute."""
    bench.server("fault sign_in status status 503 retry_after 60")
    bench.start()
    bench.wait_for(State.BACKOFF)


def stopping(bench: Bench) -> None:
    """STOPPING, and the sign-out hangs."""
    online(bench)
    bench.server("fault sign_out hang")
    begun = bench.server.count("calls")
    bench.agent.call(deeds.begin_to_stop)
    until(lambda: bench.server.count("calls") > begun)


LEFT_BY_EXIT = {
    at_rest: (0, 0), signing_in: (1, 0), signing_in_unanswered: (1, 1), online: (1, 1), degraded: (1, 1),
    reconnecting: (2, 0), backing_off: (1, 0), stopping: (1, 1),
}  # fmt: skip
"""Sign-ins that each state has behind it, and sessions that an exit from it leaves to the server: it waits for no
sign-out."""
STATES = tuple(LEFT_BY_EXIT)


def stop_in_every_state(stop: Callable[[Application], float], bench: Bench) -> None:
    """One after the other, with nothing left after each."""
    for enter in STATES:
        enter(bench)
        bench.stopping.append(bench.agent.call(stop))
        left = bench.agent.call(Application.left)
        assert left == NOTHING, f"after {enter.__name__}: {left}"
        bench.server("ok")


def fork_in_every_state(bench: Bench) -> None:
    """One child ends at once, the other runs when the server is well again; and the parent goes on."""
    for enter in STATES:
        enter(bench)
        bench.agent.call(deeds.fork)
        bench.agent.call(deeds.fork_and_exit)
        bench.server("ok")
        bench.agent.call(deeds.run_forked)
        if enter in (signing_in, reconnecting):
            bench.agent.call(deeds.reconnect)  # a call that hangs hangs on
        if enter is backing_off:
            bench.agent.call(Application.stop)  # it would wait for a minute
        if enter in (at_rest, backing_off, stopping):
            bench.start()
        bench.online()
        bench.stopping.append(bench.agent.call(Application.stop))
        left = bench.agent.call(Application.left)
        assert left == NOTHING, f"after {enter.__name__}: {left}"


def fork_at_any_moment(bench: Bench) -> None:
    bench.agent.call(deeds.fork_at_any_moment, 50)


def exit_in(enter: Callable[[Bench], None], bench: Bench) -> None:
    enter(bench)
    bench.exits()


def exit_and_stop(bench: Bench) -> None:
    bench.agent.call(deeds.stop_at_exit)
    bench.exits()


def start_and_stop_at_the_mercy_of_sigpipe(times: int, bench: Bench) -> None:
    bench.agent.call(deeds.sigpipe_ends_the_process)
    start_and_stop(times, bench)


def exit_while_a_handler_blocks(bench: Bench) -> None:
    bench.agent.call(deeds.handlers_never_return)
    bench.server(f"invite {ALICE}")
    bench.exits()


def start_and_stop(times: int, bench: Bench) -> None:
    """In every way: without waiting, and (each twentieth time) once online."""
    bench.stopping.append(bench.agent.call(deeds.start_and_stop, times))


def stop_by_signals(bench: Bench) -> None:
    """Whose handler runs in the main thread, whatever that is at: starting, waiting, stopping."""
    bench.stopping.append(bench.agent.call(deeds.stop_by_signals, 200))


# Crowds ---------------------------------------------------------------------------------------------------------------


def crowd_hit_by_401(number: int, bench: Bench) -> None:
    """Everybody online, then every session is forgotten."""
    bench.agent.call(crowd_deeds.gather_crowd, number)
    bench.server("restart")
    bench.kept["crowd"] = bench.agent.call(crowd_deeds.crowd_back)
    bench.agent.call(crowd_deeds.disperse_crowd)


CASES = (
    Case(name="handlers block", fault=partial(handlers_do, deeds.handlers_block), within=2, sign_ins=1, losses=1),
    Case(name="handlers never return", fault=partial(handlers_do, deeds.handlers_never_return),
         within=2, sign_ins=1, losses=1, left=Resources(1, 0, 0)),
    Case(name="handlers raise", fault=partial(handlers_raise, deeds.handlers_raise), within=2, sign_ins=1, losses=1),
    Case(name="handlers call sys.exit", fault=partial(handlers_raise, deeds.handlers_exit),
         within=2, sign_ins=1, losses=1),
    Case(name="handlers call start", fault=partial(handlers_raise, deeds.handlers_start),
         within=2, sign_ins=1, losses=1),
    Case(name="a handler calls stop", fault=handler_stops, ends=Ends.STOPPED, within=1, sign_ins=0),
    *(
        Case(name=f"stop in every state, from {where}", fault=partial(stop_in_every_state, stop), online=False,
             ends=Ends.STOPPED, config=PATIENT, within=1, sign_ins=8, losses=1)
        for where, stop in deeds.STOPS.items()
    ),
    Case(name="stop by 200 signals, at any moment", fault=stop_by_signals, online=False, ends=Ends.STOPPED,
         within=1, sign_ins=2000, losses=None, processor=5),
    Case(name="start and stop 200 times", fault=partial(start_and_stop, 200), online=False, ends=Ends.STOPPED,
         within=1, sign_ins=200, processor=4),
    Case(name="start and stop 200 times, with SIGPIPE at its default",
         fault=partial(start_and_stop_at_the_mercy_of_sigpipe, 200), online=False, ends=Ends.STOPPED,
         within=1, sign_ins=200, processor=4),
    Case(name="start and stop 1,000 times", fault=partial(start_and_stop, 1000), online=False, ends=Ends.STOPPED,
         slow=True, within=1, sign_ins=1000, processor=20),
    Case(name="fork in every state", fault=fork_in_every_state, online=False, ends=Ends.STOPPED, config=PATIENT,
         within=1, sign_ins=13, losses=1, processor=2),
    Case(name="fork by C code, without Python's hooks", fault=lambda bench: bench.agent.call(deeds.fork_in_c),
         within=2, sign_ins=0),
    Case(name="fork 50 times, at any moment", fault=fork_at_any_moment, online=False, ends=Ends.STOPPED,
         within=1, sign_ins=100, losses=None, processor=4),
    Case(name="100 connections hit by one 401", fault=partial(crowd_hit_by_401, 100), within=2, sign_ins=1, losses=1,
         processor=5),
    # Each connection takes some 10 KB, and 64 of them sign in at once.
    Case(name="2,000 connections hit by one 401", fault=partial(crowd_hit_by_401, 2000), own_server=True,
         config=CROWDED, slow=True, within=2, sign_ins=1, losses=1, processor=60, memory=48),
    *(
        Case(name=f"exit: {enter.__doc__}", fault=partial(exit_in, enter), online=False, ends=Ends.EXITED,
             config=PATIENT, within=2, sign_ins=sign_ins, losses=int(enter is reconnecting), sessions=sessions)
        for enter, (sign_ins, sessions) in LEFT_BY_EXIT.items()
    ),
    Case(name="exit, and a handler of atexit that is older than the library's stops", fault=exit_and_stop,
         ends=Ends.EXITED, within=2, sign_ins=1, sessions=0),  # the one call is the sign-out
    Case(name="exit while a handler blocks", fault=exit_while_a_handler_blocks, ends=Ends.EXITED, within=2, sign_ins=0,
         sessions=1),
)  # fmt: skip
