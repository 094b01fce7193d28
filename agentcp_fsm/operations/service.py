"""What a service tells systemd: that it is ready, how it is, that it lives, and that it stops (``Type=notify``).

The protocol is that of sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from time import monotonic

from agentcp_fsm.operations.shown import Agents

logger = logging.getLogger(__name__)

STATUS_MAX = 1000
"""Characters of a status."""
FEEDS = 3
"""How often the watchdog is fed in the time that it waits, while all loops turn."""


class Service:
    """Notifies the service manager that started this process; without one, it does nothing.

    Call `tick` several times a second, from one thread.
    """

    def __init__(self, connections: Agents) -> None:
        self._connections = connections
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | getattr(socket, "SOCK_CLOEXEC", 0))
            self._socket.setblocking(False)
        self._every = _watchdog() / FEEDS
        self._fed = monotonic()
        self._turns: list[_Turn] = []
        self._unsent: dict[str, str] = {}
        """The latest message of each kind that the manager, too busy to read, has not taken yet."""

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def ready(self) -> None:
        """Say that the agents are started; whether they are reachable is their status."""
        self._notify("READY=1")

    def status(self, text: str) -> None:
        """Say in one line how the agents are."""
        self._notify(f"STATUS={' '.join(text.split())[:STATUS_MAX]}")

    def stopping(self) -> None:
        """Say that the agents sign out."""
        self._notify("STOPPING=1")

    def tick(self) -> None:
        """Feed the watchdog, if it is time, and every loop that serves a connection has turned since the last time.

        Messages that the manager did not take at once are sent again first.
        """
        for message in list(self._unsent.values()):
            self._notify(message)
        if self._socket is None or not self._every or monotonic() - self._fed < self._every:
            return
        if not self._turns:
            self._turns = [_Turn(loop) for loop in {each.loop for each in self._connections} if loop is not None]
        if all(turn.is_over for turn in self._turns):
            self._turns = []
            self._fed = monotonic()
            self._notify("WATCHDOG=1")

    def _notify(self, message: str) -> None:
        if self._socket is None:
            return
        kind = message.partition("=")[0]
        self._unsent.pop(kind, None)
        try:
            self._socket.sendto(message.encode("utf-8", "replace"), self._address)
        except BlockingIOError:
            self._unsent[kind] = message
        except OSError as error:
            logger.warning("the service manager cannot be notified (%s): %s", kind, error)


class _Turn:
    """Asks a loop to turn once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._over = False
        try:
            loop.call_soon_threadsafe(self._turned)
        except RuntimeError:  # it is closed
            self._over = True

    @property
    def is_over(self) -> bool:
        """Whether it has turned since, or is closed and has nothing to do."""
        return self._over or self._loop.is_closed()

    def _turned(self) -> None:
        self._over = True


def _watchdog() -> float:
    """The seconds that the watchdog waits for this process; 0 if there is none."""
    try:
        for_whom = int(os.environ.get("WATCHDOG_PID") or os.getpid())
        wait = int(os.environ.get("WATCHDOG_USEC") or 0) / 1e6
    except ValueError:
        return 0.0
    return wait if for_whom == os.getpid() else 0.0
