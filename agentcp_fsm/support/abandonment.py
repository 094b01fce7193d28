"""A caller's handle on a blocking call: it abandons what it no longer waits for, and says how patient it is."""

import os
import socket
import threading
from contextlib import suppress


class Abandonment:
    """The caller's handle on one call; thread-safe.

    An abandoned call ends with kind ABANDONED as soon as it notices: at once while it waits for a connection or an
    answer, otherwise before its next request.
    """

    __slots__ = ("_abandoned", "_lock", "_socket", "connect_timeout")

    def __init__(self, connect_timeout: float | None = None) -> None:
        self.connect_timeout = connect_timeout
        """Seconds that a connection may take to be made (rule 2); None: as long as the client is set to allow."""
        self._abandoned = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    @property
    def abandoned(self) -> bool:
        """Whether `abandon` was called."""
        return self._abandoned

    def abandon(self) -> None:
        """Abandon the call; never blocks, may be repeated."""
        with self._lock:
            self._abandoned = True
            self._wake()

    def watch(self, connection: socket.socket) -> None:
        """For the call itself: have `abandon` wake the thread that waits for this connection."""
        # A duplicate, whose descriptor stays ours: the original could be closed at any moment, and its number reused
        # for a stranger's socket.
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._forget()
            self._socket = duplicate
            if self._abandoned:
                self._wake()

    def release(self) -> None:
        """For the call itself: forget the connection."""
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
