"""Waiting for a connection, in the ways of every system, until the call is abandoned."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from urllib3.util import wait_for_read, wait_for_write

from agentcp_fsm.support import forking

if TYPE_CHECKING:
    from agentcp_fsm.sign_in.call import Call

CONNECTING = (errno.EINPROGRESS, errno.EWOULDBLOCK)
"""How a socket that does not block says that it is connecting: the second on Windows."""
ABANDONING_WAKES = sys.platform == "linux"
"""Whether shutting a socket down wakes the thread that waits for it, also while it connects."""
LOOK = 0.2
"""Seconds after which an abandoned call is noticed where it does not."""


def writable(connection: socket.socket, seconds: float, call: Call) -> bool:
    """Wait until it can be written to, or has failed to connect; raises ConnectionAbortedError."""
    return _ready(wait_for_write, connection, seconds, call)


def readable(connection: socket.socket, seconds: float, call: Call) -> None:
    """Where abandoning does not wake a read, wait until it would not block.

    Raises ConnectionAbortedError, or TimeoutError at the end of that time.
    """
    if ABANDONING_WAKES or call.abandonment is None or getattr(connection, "pending", int)():
        return  # TLS may have decrypted something already
    if not _ready(wait_for_read, connection, seconds, call):
        raise TimeoutError(f"no answer within {seconds:g} s")


def _ready(wait: Callable[..., bool], connection: socket.socket, seconds: float, call: Call) -> bool:
    with forking.waiting():
        if ABANDONING_WAKES or call.abandonment is None:
            return wait(connection, timeout=seconds)
        deadline = time.monotonic() + seconds
        while not call.abandoned:
            left = max(deadline - time.monotonic(), 0.0)
            if wait(connection, timeout=min(left, LOOK)):
                return True
            if not left:
                return False
    raise ConnectionAbortedError("abandoned")


def system_error(number: int) -> OSError:
    """Return the error that the system reported by its number."""
    if sys.platform == "win32":
        import ctypes

        return ctypes.WinError(number)
    return OSError(number, os.strerror(number))
