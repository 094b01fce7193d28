"""Waiting for a condition, with a bound: the only way in which a test lets time pass."""

import os
import signal
import threading
import time
from collections.abc import Callable

from agentcp_fsm import Connection, State


def until(condition: Callable[[], object], timeout: float = 10.0, what: str = "it did not happen in time") -> None:
    """Return as soon as `condition` holds; AssertionError saying `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what
        pause()


def online(connection: Connection, timeout: float = 20.0) -> None:
    """Wait until the connection is ONLINE, which it may be already; AssertionError saying how it is instead."""
    assert connection.wait_for(State.ONLINE, timeout=timeout), connection.health()


def pause() -> None:
    """Let some milliseconds pass, before asking for a condition once more."""
    threading.Event().wait(0.005)  # time.sleep would fail in a process whose wall clock libfaketime steps


def until_it_ends(child: int, timeout: float = 10.0) -> None:
    """Wait for the end of a child that was forked, which must be well; one that does not come to it is killed."""
    status = 0

    def has_ended() -> int:
        nonlocal status
        pid, status = os.waitpid(child, os.WNOHANG)
        return pid

    try:
        until(has_ended, timeout, "the child hangs")
    except AssertionError:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    assert os.waitstatus_to_exitcode(status) == 0
