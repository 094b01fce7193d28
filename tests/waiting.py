"""Waiting for a condition, with a bound: the only way in which a test lets time pass."""

import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], object], timeout: float = 10.0, what: str = "it did not happen in time") -> None:
    """Return as soon as `condition` holds; AssertionError saying `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what
        pause()


def pause() -> None:
    """Let some milliseconds pass, before asking for a condition once more."""
    threading.Event().wait(0.005)  # time.sleep would fail in a process whose wall clock libfaketime steps
