"""Mistakes of an application, made inside its own process: in handlers, by stopping and by forking."""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import faulthandler
import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random

from agentcp_fsm import ReportTransition, State
from agentcp_fsm.connection import hub
from tests.faults.application import Application
from tests.server_process import PATIENCE
from tests.waiting import until, until_it_ends

# Handlers -------------------------------------------------------------------------------------------------------------


def _with_handlers(application: Application, handler: Callable[[object], object]) -> None:
    """Have `handler` told everything there is to tell, after the application's own handlers."""
    application.connection.on_transition(handler)
    application.connection.on_invite(handler)
    application.connection.on_error(handler)


def handlers_block(application: Application) -> None:
    """Each for a while."""
    _with_handlers(application, lambda told: time.sleep(0.3))


def handlers_never_return(application: Application) -> None:
    _with_handlers(application, lambda told: threading.Event().wait())


def handlers_raise(application: Application) -> None:
    _with_handlers(application, partial(_raise, application, ZeroDivisionError))


def handlers_exit(application: Application) -> None:
    """By sys.exit, which is no `Exception`."""
    _with_handlers(application, partial(_raise, application, SystemExit))


def _raise(application: Application, kind: type[BaseException], told: object) -> None:
    _note_call(application)
    raise kind


def _note_call(application: Application) -> None:
    application.kept["called"] = application.kept.get("called", 0) + 1


def handlers_start(application: Application) -> None:
    """Though it is started; not when told that it stops, for then it would mean to start again afterwards."""

    def start(told: object) -> None:
        _note_call(application)
        if not (isinstance(told, ReportTransition) and told.dest in (State.STOPPING, State.OFFLINE)):
            application.connection.start()

    _with_handlers(application, start)


def called(application: Application, number: int) -> None:
    """Wait until such handlers were called as often."""
    until(lambda: application.kept.get("called", 0) >= number, PATIENCE)


def stop_when_invited(application: Application) -> None:
    """A handler calls stop."""
    application.connection.on_invite(lambda invitation: application.kept.update(stopped=application.stop()))


def stopped_by_itself(application: Application) -> float:
    """Wait until it has; returns the seconds that stop took."""
    until(lambda: "stopped" in application.kept, PATIENCE)
    took: float = application.kept.pop("stopped")
    return took


def calls_dropped(application: Application) -> int:
    """Calls of handlers that were dropped because too many waited."""
    return application.connection.health().dropped


def handlers_wait(application: Application) -> None:
    """Until they are told to go on."""
    go_on = application.kept["go on"] = threading.Event()
    application.connection.on_invite(lambda invitation: go_on.wait(PATIENCE))


def handlers_go_on(application: Application) -> None:
    application.kept["go on"].set()


# Stopping -------------------------------------------------------------------------------------------------------------


def begin_to_stop(application: Application) -> None:
    """Without waiting until it has stopped."""
    application.connection.stop(timeout=0)


def _in_a_thread(application: Application) -> float:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(application.stop).result(PATIENCE)


def _in_a_handler(application: Application) -> float:
    """Which is called when the connection reports an error."""
    attachment = application.connection._attachment
    application.connection.on_error(lambda reason: application.kept.setdefault("stopped", application.stop()))
    if (lease := attachment.lease) is None:
        with asyncio.Runner() as runner:
            attachment.handlers.call("error", "a test calls a handler", runner.get_loop())
    else:
        lease.hub.post(partial(attachment.failed, "a test calls a handler"))
    return stopped_by_itself(application)


def _in_a_coroutine(application: Application) -> float:
    async def stop() -> float:
        return application.stop()

    return asyncio.run(stop())


def _in_a_signal_handler(application: Application) -> float:
    signal.signal(signal.SIGUSR2, lambda *_: application.kept.update(stopped=application.stop()))
    signal.raise_signal(signal.SIGUSR2)
    return stopped_by_itself(application)


def _in_the_loop(application: Application) -> float:
    """Which cannot wait for itself: stop says so, and it stops all the same."""
    lease = application.connection._attachment.lease
    began = time.monotonic()
    if lease is None:
        return application.stop()
    lease.hub.post(lambda: application.kept.update(waited=application.connection.stop()))
    until(lambda: lease.is_over, PATIENCE)
    assert application.kept.pop("waited") is False
    return time.monotonic() - began


STOPS: dict[str, Callable[[Application], float]] = {
    "the main thread": Application.stop,
    "another thread": _in_a_thread,
    "a handler": _in_a_handler,
    "a coroutine": _in_a_coroutine,
    "a signal handler": _in_a_signal_handler,
    "the loop's own thread": _in_the_loop,
}
"""Where stop is called."""


def start_and_stop(application: Application, times: int) -> float:
    """Again and again, each twentieth time once it is online; returns the longest that stop took, in seconds."""
    longest = 0.0
    for number in range(times):
        application.start()
        if number % 20 == 0:
            application.wait_for(State.ONLINE)
        longest = max(longest, application.stop())
    return longest


def stop_by_signals(application: Application, times: int) -> float:
    """Start and wait, again and again, with signals in between whose handler calls stop; returns the longest stop."""
    took: list[float] = []

    def stop(*_: object) -> None:
        took.append(application.stop())

    signal.signal(signal.SIGALRM, stop)
    random = Random(0)
    for _ in range(times):
        stops = len(took)
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, 0.005))
        application.start()
        while len(took) == stops:
            application.connection.wait_for(State.DEGRADED, timeout=0.0005)
        application.stop()
    return max(took)


# Forking --------------------------------------------------------------------------------------------------------------


def fork(application: Application) -> None:
    """The child has a clean slate; once it is told to, it runs."""
    child, told = _fork_to_run(application)
    application.kept["forked"] = child, told


def run_forked(application: Application) -> None:
    """Tell the child, and wait until it has ended."""
    child, told = application.kept.pop("forked")
    os.close(told)
    until_it_ends(child, PATIENCE)


def fork_in_c(application: Application) -> None:
    """By C code that calls none of Python's hooks, as uWSGI does; the child runs at once."""
    library = ctypes.PyDLL(None)  # which keeps the interpreter's lock
    child, told = _fork_to_run(application, library.fork)
    os.close(told)
    until_it_ends(child, PATIENCE)


def _fork_to_run(application: Application, fork: Callable[[], int] = os.fork) -> tuple[int, int]:
    """A child that comes online and stops, once what is returned second is closed; it ends without Python's exit."""
    waits, told = os.pipe()
    child = fork()
    if child == 0:
        status = 1
        try:
            faulthandler.dump_traceback_later(PATIENCE / 2, exit=True)
            os.close(told)
            connection = application.connection
            assert connection.state is State.OFFLINE
            if fork is os.fork:  # else Python itself does not know that its threads are gone
                assert not [thread for thread in threading.enumerate() if thread.name.startswith("agentcp")]
            os.read(waits, 1)
            connection.start()
            assert connection.wait_for(State.ONLINE, timeout=PATIENCE)
            assert connection.stop()
            status = 0
        finally:
            os._exit(status)
    os.close(waits)
    return child, told


def fork_at_any_moment(application: Application, times: int) -> None:
    """While the connection signs in (most often), is online, begins anew, stops or is at rest."""

    def stop() -> None:
        application.connection.stop(timeout=0)

    def restart() -> None:
        stop()
        application.start()

    random = Random(0)
    for _ in range(times):
        random.choice((restart, restart, restart, application.connection.reconnect, stop))()
        threading.Event().wait(random.uniform(0.0, 0.01))
        child, told = _fork_to_run(application)
        os.close(told)
        until_it_ends(child, PATIENCE)
    application.stop()


def fork_and_exit(application: Application) -> None:
    """The child ends in the interpreter's ordinary way, taking apart whatever it has a copy of."""
    child = os.fork()
    if child == 0:
        raise SystemExit(0)
    until_it_ends(child, PATIENCE)


def stop_at_exit(application: Application) -> None:
    """By a handler of `atexit` that comes after the library's own: the program registered it before the import."""
    atexit.unregister(hub._stop_at_exit)
    atexit.register(application.connection.stop)
    atexit.register(hub._stop_at_exit)


# The system, as the application sees it -------------------------------------------------------------------------------


def sigpipe_ends_the_process(application: Application) -> None:
    """As after a program's ``signal.signal(SIGPIPE, SIG_DFL)``."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


# The way back from a loss ---------------------------------------------------------------------------------------------


def seconds_online(application: Application) -> float:
    """How long it has been ONLINE."""
    health = application.connection.health()
    return health.since if health.state is State.ONLINE and health.since is not None else 0.0


def seconds_to_return(application: Application) -> float:
    """Wait until a heartbeat is answered again; how long that is after the last loss."""
    loss = application.connection.health().statistics.last_loss
    assert loss is not None
    return application.entered_after(loss.at, State.ONLINE) - loss.at


# Long lives -----------------------------------------------------------------------------------------------------------


def forget_what_was_told(application: Application) -> None:
    """The bench's own notes, which grow, are no leak of the library's."""
    for notes in (application.transitions, application.errors, application.invitations, application.record.life):
        notes.clear()


def tidy_up(application: Application) -> None:
    """Keep nothing that is not needed, so that memory can be compared."""
    forget_what_was_told(application)
    gc.collect()


def stop_and_start(application: Application) -> None:
    """One life ends, another begins at once."""
    application.stop()
    application.start()


def reconnect(application: Application) -> None:
    """As an application does that knows better."""
    application.connection.reconnect()


def nothing(application: Application) -> None:
    """Be there: a call that returns."""
