"""Faults of the system and of descriptors, made inside the application's own process."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from pathlib import Path

from agentcp_fsm import State
from agentcp_fsm.support import clock
from tests.faults.application import PAGE, Application
from tests.server_process import PATIENCE
from tests.waiting import until

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


def has_socket(application: Application) -> bool:
    return application.connection.fileno() is not None


def udp_addresses(application: Application) -> tuple[tuple[str, int], tuple[str, int]]:
    """Where the application receives, and its server's address."""
    with socket.socket(fileno=os.dup(_descriptor(application))) as opened:
        return opened.getsockname(), opened.getpeername()


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


def machine_suspended(application: Application, seconds: float) -> None:
    """The clock that goes on meanwhile jumps, and no other does."""
    now = clock.now
    clock.now = lambda: now() + seconds
