"""How whoever waits for a blocking call tells that it no longer does."""

import os
import socket
import threading
from contextlib import suppress


class Abandonment:
    """The caller's handle on one call that it may lose interest in; thread-safe.

    An abandoned call ends with kind ABANDONED as soon as it notices: at once while it waits for a connection or for an
    answer that nobody needs any more, else before its next request.
    """

    __slots__ = ("_abandoned", "_lock", "_socket")

    def __init__(self) -> None:
        self._abandoned = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    @property
    def abandoned(self) -> bool:
        """Whether `abandon` was called."""
        return self._abandoned

    def abandon(self) -> None:
        """End the call's interest; never blocks, may be repeated."""
        with self._lock:
            self._abandoned = True
            self._wake()

    def _watch(self, connection: socket.socket) -> None:
        """Take note of the connection whose establishment and reads `abandon` shall end."""
        # A duplicate, for the descriptor stays ours: the original's could be closed, and reused for a stranger's
        # socket, at any moment.
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._forget()
            self._socket = duplicate
            if self._abandoned:
                self._wake()

    def _release(self) -> None:
        with self._lock:
            self._forget()

    def _wake(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the server hung up first
                self._socket.shutdown(socket.SHUT_RDWR)

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
