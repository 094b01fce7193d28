"""A wait for another thread that the handler of a signal may interrupt."""

import threading
from contextlib import suppress


class Latch:
    """A gate that one thread waits for, once.

    Unlike with a `threading.Event`, which has a lock of its own, every step is one step of a lock: the handler of a
    signal never finds it half waited for, and may itself wait for the loop meanwhile.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        """Let the thread go on; may be repeated."""
        with suppress(RuntimeError):  # it is open already
            self._lock.release()

    def wait(self, timeout: float | None) -> bool:
        """Wait until the latch is open, at most `timeout` seconds; False if it was not."""
        return self._lock.acquire(timeout=-1 if timeout is None else min(max(timeout, 0), threading.TIMEOUT_MAX))
