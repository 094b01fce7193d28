"""The addresses of a session's host, of which the first that answers is kept."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from agentcp_fsm.connection.udp import UdpSocket, permitted
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.support.lookups import Found, Lookup, addresses_of, ask


class Addresses:
    """The order in which they are tried.  UDP connects to any address: only an answer shows that a server is there.

    One that answered is the first of the next attempt; if none did, the next attempt goes on where the last one ended.
    """

    __slots__ = ("_answered", "_order", "_port", "_present", "is_unproven")

    def __init__(self) -> None:
        self._order: deque[str] = deque()
        self._port = 0
        self._present = ""
        self._answered = ""
        self.is_unproven = False
        """Whether there are several, and the present one has not answered."""

    def begin(self, session: Session, found: Found) -> UdpSocket:
        """Open a socket to the first one that takes one; raises OSError with the last one's failure."""
        addresses = permitted(session, addresses_of(found))
        if set(addresses) != set(self._order):
            self._order = deque(sorted(addresses, key=lambda address: address != self._answered))
        self._port = session.port
        opened = self.open_next()
        self.is_unproven = len(self._order) > 1
        return opened

    def open_next(self) -> UdpSocket:
        """Open a socket to the next one that takes one; raises OSError with the last one's failure."""
        failure = "no address"
        for _ in range(len(self._order)):
            address = self._order[0]
            self._order.rotate(-1)
            try:
                opened = UdpSocket(address, self._port)
            except (OSError, OverflowError) as error:
                failure = f"no socket to [{address}]:{self._port}: {error}"
            else:
                self._present = address
                return opened
        raise OSError(failure)

    def answered(self) -> None:
        """The present one answers."""
        self.is_unproven = False
        self._answered = self._present
        while self._order[0] != self._answered:
            self._order.rotate(1)


class HostLookup:
    """The look-up of a session's host that is under way, if there is one."""

    __slots__ = ("_host", "_lookup", "_notify")

    def __init__(self) -> None:
        self._host = ""
        self._lookup: Lookup | None = None
        self._notify: Callable[[], object] = bool

    def begin(self, session: Session, notify: Callable[[], object], patience: float) -> None:
        """Have `notify` called in another thread at its end, which is awaited for `patience` seconds.

        Raises OSError if it cannot begin.
        """
        self._host, self._notify = session.host, notify
        self._lookup = ask(session.host, session.port, socket.SOCK_DGRAM, notify, patience)

    def result(self) -> Found:
        """What was found, at the end of it; raises OSError."""
        lookup, self._lookup = self._lookup, None
        assert lookup is not None
        try:
            return lookup.result()
        except (OSError, UnicodeError) as error:
            raise OSError(f"{self._host} cannot be resolved: {error}") from error

    def forget(self) -> None:
        """Nobody waits for it any longer."""
        if self._lookup is not None:
            self._lookup.forget(self._notify)
            self._lookup = None
