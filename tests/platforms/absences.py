"""What other systems lack, taken away from this one: for a process of its own, before anything else is imported.

Each absence is a function that changes Python's own modules.  It imports only what it changes, as what is imported
earlier may have chosen already.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

TICK = 1 / 64
"""Seconds between two values of Windows' coarse clock."""
TOO_LONG, RESET = 10040, 10054


def modules() -> None:
    """Modules that Windows' Python does not have, and uvloop."""
    for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty", "uvloop"):
        sys.modules[name] = None  # type: ignore[assignment] # says that it cannot be imported


def forks() -> None:
    """No process can be forked."""
    for name in ("fork", "forkpty", "register_at_fork"):
        delattr(os, name)


def users() -> None:
    """Processes have no user numbers."""
    for name in ("getuid", "geteuid", "getgid", "getegid", "getgroups"):
        delattr(os, name)


def poll() -> None:
    """`select` is all there is to wait with, for 512 sockets at most."""
    import select

    assert "selectors" not in sys.modules
    for name in ("poll", "epoll"):
        delattr(select, name)
    select.select = _Bounded(select.select)


class _Bounded:
    """An object, as a function would become a method of the selectors."""

    def __init__(self, wait: Any) -> None:
        self._wait = wait

    def __call__(self, reading: Any, writing: Any, failing: Any, timeout: float | None = None) -> Any:
        if max(len(reading), len(writing), len(failing)) > 512:
            raise ValueError("too many file descriptors in select()")
        return self._wait(reading, writing, failing, timeout)


def dontwait() -> None:
    """No flag has a single call not block."""
    import _socket
    import socket

    for module in (_socket, socket):
        delattr(module, "MSG_DONTWAIT")


def unix_sockets() -> None:
    """Sockets are the network's, a pair of them included."""
    import socket

    def pair(*arguments: object) -> tuple[socket.socket, socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            ours = socket.create_connection(server.getsockname())
            return ours, server.accept()[0]

    delattr(socket, "AF_UNIX")
    socket.socketpair = pair  # type: ignore[assignment]


def descriptors() -> None:
    """A socket's number is no file's: it has no status, and no duplicate, as a file's."""
    status, duplicate = os.fstat, os.dup

    def fstat(number: int) -> os.stat_result:
        found = status(number)
        if stat.S_ISSOCK(found.st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return found

    def dup(number: int) -> int:
        fstat(number)
        return duplicate(number)

    os.fstat, os.dup = fstat, dup  # type: ignore[assignment]


def signals() -> None:
    """Loops do not handle signals, and no signal says that the terminal is gone."""
    import asyncio
    import signal

    def refuse(*arguments: object) -> None:
        raise NotImplementedError

    del signal.SIGHUP
    asyncio.SelectorEventLoop.add_signal_handler = refuse  # type: ignore[assignment, method-assign]
    asyncio.SelectorEventLoop.remove_signal_handler = refuse  # type: ignore[assignment, method-assign]


def readers() -> None:
    """Loops do not watch sockets for others, as Windows' proactor does not."""
    import asyncio

    def refuse(*arguments: object) -> None:
        raise NotImplementedError

    asyncio.SelectorEventLoop.add_reader = refuse  # type: ignore[assignment, method-assign]
    asyncio.SelectorEventLoop.remove_reader = refuse  # type: ignore[assignment, method-assign]


def connecting() -> None:
    """A socket that is connecting says that it would block, and is not woken by its end."""
    import socket

    connect, shut = socket.socket.connect_ex, socket.socket.shutdown

    def connect_ex(self: socket.socket, address: Any) -> int:
        failure = connect(self, address)
        return errno.EWOULDBLOCK if failure == errno.EINPROGRESS else failure

    def shutdown(self: socket.socket, how: int) -> None:
        if how != socket.SHUT_RDWR:
            shut(self, how)

    socket.socket.connect_ex = connect_ex  # type: ignore[method-assign, assignment]
    socket.socket.shutdown = shutdown  # type: ignore[method-assign, assignment]


def datagrams() -> None:
    """A datagram that found nobody is a connection reset; one that is longer than was asked for is an error."""
    import _socket
    import socket

    class Windows(_socket.socket):
        def recv(self, size: int, flags: int = 0) -> bytes:
            return _received(super().recv, self.type, size, flags)

    own = socket.socket.recv

    def recv(self: socket.socket, size: int, flags: int = 0) -> bytes:
        return _received(partial(own, self), self.type, size, flags)

    _socket.socket = Windows  # type: ignore[misc]
    socket.socket.recv = recv  # type: ignore[method-assign, assignment]


def _received(receive: Callable[[int, int], bytes], kind: int, size: int, flags: int) -> bytes:
    """What is received of a socket of some kind, as Windows has it."""
    import socket

    if kind != socket.SOCK_DGRAM:
        return receive(size, flags)
    try:
        data = receive(size + 1, flags)
    except ConnectionRefusedError:
        raise _of_windows(ConnectionResetError(RESET, "forcibly closed by the remote host"), RESET) from None
    if len(data) > size:
        raise _of_windows(OSError(TOO_LONG, "larger than the buffer"), TOO_LONG)
    return data


def _of_windows(error: OSError, number: int) -> OSError:
    error.winerror = number  # type: ignore[attr-defined]
    return error


def clock() -> None:
    """The clock goes in steps of 15.6 ms."""
    import time
    from types import SimpleNamespace

    fine, info = time.monotonic, time.get_clock_info

    def get_clock_info(name: Any) -> Any:
        found = info(name)
        return SimpleNamespace(**vars(found) | {"resolution": TICK}) if name == "monotonic" else found

    time.monotonic = lambda: fine() // TICK * TICK
    time.get_clock_info = get_clock_info


ABSENCES = {
    absence.__name__: absence
    for absence in (
        modules, forks, users, poll, dontwait, unix_sockets,
        descriptors, signals, readers, connecting, datagrams, clock,
    )
}  # fmt: skip
"""By name, in the order in which they can all be taken away."""
