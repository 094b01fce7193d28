"""A connection's UDP socket: connected to one server, never blocking, and closed only while it is still ours."""

from __future__ import annotations

import _socket
import errno
import os
import select
import socket
import stat
from collections.abc import Sequence
from typing import Any

from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.support.addresses import near
from agentcp_fsm.wire import MAX_DATAGRAM

RECEIVED = MAX_DATAGRAM + 1
"""Bytes to ask the socket for: one more than a datagram may have, so that a longer one is recognised."""
SHUT_DOWN = "somebody shut the socket down"
BROKEN = frozenset({errno.EBADF, errno.ENOTSOCK, errno.ENOTCONN, errno.EDESTADDRREQ, errno.EPIPE, errno.ESHUTDOWN})
"""Errors that say that the descriptor is no longer the socket that was opened: no retry can mend that."""
DONTWAIT = getattr(socket, "MSG_DONTWAIT", 0)
"""Has one call not block; 0 where there is no such thing, as on Windows."""
WINDOWS_TOO_LONG = 10040
"""Windows' error for a datagram longer than was asked for, which other systems cut off."""
WINDOWS_REFUSED = 10054
"""Windows' error for an earlier datagram that found nobody at its port, which other systems call refused."""


class ShutDownError(OSError):
    """The socket receives no more: it would be readable for ever."""

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, SHUT_DOWN)

    def __str__(self) -> str:
        return SHUT_DOWN


class UdpSocket:
    """An open socket; the kernel drops datagrams from any address but the server's."""

    __slots__ = ("_file", "_socket")

    def __init__(self, address: str, port: int) -> None:
        """Open a socket connected to an IP address, ``fe80::1%2`` on interface 2; raises OSError or OverflowError."""
        address, _, scope = address.partition("%")
        self._socket = _kind_of_socket()(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect((address, port, 0, int(scope)) if scope else (address, port))
        except BaseException:
            self._socket.close()
            raise
        self._file = _file_of(self._socket)

    def fileno(self) -> int:
        """The descriptor; -1 once closed."""
        return self._socket.fileno()

    def local_address(self) -> tuple[str, int] | None:
        """The IP address and port that the socket sends from; None once closed."""
        try:
            host, port = self._socket.getsockname()[:2]
        except OSError:
            return None
        return host, port

    def send(self, data: bytes) -> None:
        """Send a datagram; raises OSError."""
        self._refuse_to_block()
        self._socket.send(data, DONTWAIT)

    def receive(self) -> bytes | None:
        """The next datagram, cut to `RECEIVED` bytes; None if there is none.  Raises OSError."""
        self._refuse_to_block()
        data: bytes | None
        try:
            data = self._socket.recv(RECEIVED, DONTWAIT)
        except (BlockingIOError, InterruptedError):
            data = None
        except OSError as error:
            data = _what_windows_means(error)
        if not data and self._is_shut_down():
            raise ShutDownError
        return data

    def close(self) -> None:
        """Close the descriptor, unless the application closed it: a file that has its number now is not ours."""
        if _file_of(self._socket) == self._file:
            self._socket.close()
        else:
            self._socket.detach()

    def _refuse_to_block(self) -> None:
        """A duplicate of the descriptor may have made the socket block."""
        if not DONTWAIT and self._socket.fileno() >= 0:
            self._socket.setblocking(False)

    def _is_shut_down(self) -> bool:
        """Whether its receiving was ended from outside, through a duplicate of the descriptor."""
        if not hasattr(select, "poll"):
            return self._is_readable_without_data()
        hung_up = select.POLLHUP | getattr(select, "POLLRDHUP", 0)
        poll = select.poll()
        poll.register(self._socket, hung_up)
        return any(event & hung_up for _, event in poll.poll(0))

    def _is_readable_without_data(self) -> bool:
        if not select.select([self._socket], [], [], 0)[0]:
            return False
        try:
            self._socket.recv(1, socket.MSG_PEEK | DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False  # the next receive meets it
        return False


def _kind_of_socket() -> type[_socket.socket]:
    """The system's own, unless a program has all sockets go through a proxy.

    PySocks puts a class of its own in the place of `socket.socket`, which without a proxy can send no datagram.
    """
    without_proxy = getattr(socket.socket, "default_proxy", None) is None
    return _socket.socket if without_proxy else socket.socket


def permitted(session: Session, addresses: Sequence[str]) -> Sequence[str]:
    """The addresses of a session's host to which its server may send the agent; raises OSError if there are none."""
    if session.any_address:
        return addresses
    kinds = {address: near(address) for address in addresses}
    if found := [address for address, kind in kinds.items() if not kind]:
        return found
    named = ", ".join(f"the {kind} address {address}" for address, kind in kinds.items())
    raise OSError(f"{session.host} has {named or 'no address'}, to which no server elsewhere may send an agent")


def is_broken(error: OSError) -> bool:
    """Whether the error says that the socket is beyond use."""
    return error.errno in BROKEN


def _what_windows_means(error: OSError) -> bytes:
    """A datagram that is too long, for the error that says so; raises any other as other systems have it."""
    number = getattr(error, "winerror", None)
    if number == WINDOWS_TOO_LONG:
        return bytes(RECEIVED)
    if number == WINDOWS_REFUSED:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens at the server's port") from error
    raise error


def _file_of(opened: _socket.socket) -> tuple[Any, ...] | None:
    """What the socket's descriptor stands for now: device and inode, or, where it is no file, its own address."""
    try:
        status = os.fstat(opened.fileno())
        if stat.S_ISSOCK(status.st_mode):
            return status.st_dev, status.st_ino
    except OSError:  # the descriptor is closed, or none of a file
        pass
    try:
        return tuple(opened.getsockname()[:2])
    except OSError:
        return None
