"""Waiting for a condition, with a bound: the only way in which a test lets time pass."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], timeout: float = 10.0, what: str = "it did not happen in time") -> None:
    """Return as soon as `condition` holds; AssertionError saying `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)
