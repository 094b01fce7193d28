"""What is done to an application from inside its own process, by itself or by its system."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from agentcp_fsm import Connection, Credentials, ReportTransition, State
from tests.faults.application import PAGE, Application
from tests.server_process import PATIENCE
from tests.sign_in.certificates import make_identity
from tests.waiting import until, until_it_ends

# The socket's descriptor ----------------------------------------------------------------------------------------------


def _descriptor(application: Application) -> int:
    number = application.connection.fileno()
    assert number is not None, application.connection.health()
    return number


def close_descriptor(application: Application) -> None:
    """As an application does that closes a descriptor once too often."""
    os.close(_descriptor(application))


def replace_descriptor(application: Application) -> None:
    """As an application does whose dup2 hits the wrong number: it stands for a pipe's end from now on."""
    number = _descriptor(application)
    reader, writer = os.pipe()
    os.dup2(writer, number)
    os.close(writer)
    application.kept["pipe"] = (reader, number)


def use_replaced_descriptor(application: Application) -> None:
    """The pipe must still be there, for it is the application's; then it is closed."""
    reader, writer = application.kept.pop("pipe")
    os.write(writer, b"mine")
    assert os.read(reader, 100) == b"mine"
    os.close(reader)
    os.close(writer)


# What the system has no more of ---------------------------------------------------------------------------------------


def run_out_of_descriptors(application: Application) -> None:
    """No descriptor can be opened from now on: EMFILE."""
    _limit(application, resource.RLIMIT_NOFILE, 1)  # at 0, poll would fail too, by EINVAL
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return
    raise AssertionError("a descriptor can still be opened")


def run_out_of_threads(application: Application) -> None:
    """No thread can be started from now on: there is less address space left than its stack takes.

    Begun once those that idle have ended, for they would do; stacks that the system kept are too small.
    """
    until(lambda: not {"agentcp-http", "agentcp-handlers"} & {thread.name for thread in threading.enumerate()})
    used = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
    threading.stack_size(256 * 1024**2)
    _limit(application, resource.RLIMIT_AS, used + 64 * 1024**2)


def _limit(application: Application, kind: int, bound: int) -> None:
    application.kept["limit"] = (kind, resource.getrlimit(kind))
    resource.setrlimit(kind, (bound, resource.getrlimit(kind)[1]))


def lift_limit(application: Application) -> None:
    """There is enough again."""
    resource.setrlimit(*application.kept.pop("limit"))
    threading.stack_size(0)


def start_another(application: Application) -> None:
    """Another connection, whose first sign-in is due now."""
    application.kept["another"] = another = application.connect()
    another.start()


def await_and_stop_another(application: Application) -> None:
    """It came online all the same."""
    another = application.kept.pop("another")
    assert another.wait_for(State.ONLINE, timeout=PATIENCE), another.health()
    assert another.stop()


def fail_to_start(application: Application) -> None:
    """The system has nothing to start with: start says so, and nothing is left of it."""
    try:
        application.start()
    except (OSError, RuntimeError):
        pass
    else:
        raise AssertionError("it started")
    assert application.connection.state is State.OFFLINE
    assert application.connection.stop()


# Clocks ---------------------------------------------------------------------------------------------------------------


def clocks(application: Application) -> tuple[float, float]:
    """The wall clock and the monotonic clock."""
    return time.time(), time.monotonic()


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
        attachment.handlers.call("error", "a test calls a handler", asyncio.new_event_loop())
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


def _fork_to_run(application: Application) -> tuple[int, int]:
    """A child that comes online and stops, once what is returned second is closed; it ends without Python's exit."""
    waits, told = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            faulthandler.dump_traceback_later(PATIENCE / 2, exit=True)
            os.close(told)
            connection = application.connection
            assert connection.state is State.OFFLINE
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


# Crowds ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Return:
    """How a crowd came back from a 401.  Times are seconds after the first was hit."""

    first: float
    """The first sign-in."""
    median: float
    """The sign-in that half of the others preceded."""
    last: float
    """The last sign-in."""
    back: float
    """The last that was online again."""
    attempts: int
    """Sign-ins in all."""


def gather_crowd(application: Application, number: int) -> None:
    """As many agents, each with a session of its own, online."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd: list[Connection] = []
    application.kept["crowd"] = crowd
    told: list[ReportTransition] = []
    application.kept["told"] = told
    for index in range(number):
        agent_id = f"agent{index}.agentid.pub"
        identity = make_identity(agent_id)
        credentials = Credentials.from_pem(agent_id, identity.key_pem, identity.certificate_pem)
        connection = Connection(agent_id, application.url, credentials=credentials, config=application.config)
        connection.on_transition(told.append)
        crowd.append(connection)
        connection.start()
    for connection in crowd:
        assert connection.wait_for(State.ONLINE, timeout=PATIENCE * 4), connection.health()
    told.clear()


def crowd_back(application: Application) -> Return:
    """Wait until everybody was lost, and is online again."""
    crowd: list[Connection] = application.kept["crowd"]
    for connection in crowd:
        until(lambda connection=connection: connection.health().statistics.losses, PATIENCE * 4)  # type: ignore[misc]
        assert connection.wait_for(State.ONLINE, timeout=PATIENCE * 4), connection.health()
    told: list[ReportTransition] = list(application.kept["told"])
    hit = min(one.at for one in told if one.trigger == "unauthorized")
    signed_in = sorted(one.at - hit for one in told if one.dest == State.RECONNECTING)
    back = max(one.at - hit for one in told if one.dest == State.ONLINE)
    assert all(connection.health().statistics.losses == 1 for connection in crowd)
    return Return(signed_in[0], signed_in[len(signed_in) // 2], signed_in[-1], back, len(signed_in))


def disperse_crowd(application: Application) -> None:
    """Everybody leaves, all at once."""
    crowd: list[Connection] = application.kept.pop("crowd")
    for connection in crowd:
        connection.stop(timeout=0)
    for connection in crowd:
        assert connection.stop(timeout=PATIENCE), connection.health()


# The socket's address -------------------------------------------------------------------------------------------------


def nothing(application: Application) -> None:
    """Be there: a call that returns."""


def has_socket(application: Application) -> bool:
    return application.connection.fileno() is not None


def udp_addresses(application: Application) -> tuple[tuple[str, int], tuple[str, int]]:
    """Where the application receives, and its server's address."""
    with socket.socket(fileno=os.dup(_descriptor(application))) as opened:
        return opened.getsockname(), opened.getpeername()


def calls_dropped(application: Application) -> int:
    """Calls of handlers that were dropped because too many waited."""
    return application.connection.health().dropped


def handlers_wait(application: Application) -> None:
    """Until they are told to go on."""
    go_on = application.kept["go on"] = threading.Event()
    application.connection.on_invite(lambda invitation: go_on.wait(PATIENCE))


def handlers_go_on(application: Application) -> None:
    application.kept["go on"].set()


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
