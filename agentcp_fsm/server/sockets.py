"""The server's sockets.

asyncio's datagram transport wakes up once for each datagram and buffers without bound; a server of many agents is
better off with the bare socket: one wake-up reads what has arrived, and what the network does not take is lost, as
datagrams may be.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress

from agentcp_fsm.server.statistics import Counters
from agentcp_fsm.support.watching import Watch, watch
from agentcp_fsm.wire import MAX_DATAGRAM

logger = logging.getLogger(__name__)

Address = tuple[str, int, *tuple[int, ...]]
"""A socket address; for IPv6 it has two numbers more."""

READS_AT_ONCE = 64
"""Datagrams or connections taken in one wake-up before others get their turn."""
RECEIVE_BUFFER = 4 * 1024**2
"""Bytes asked of the kernel, which may give less: the heartbeats of thousands of agents may arrive together."""
BACKLOG = 1024
"""Connections that may wait to be accepted: every client of a restarted server comes back at once."""
ACCEPT_PAUSE = 1.0
"""Seconds without accepting after the system refused to."""


def bind(family: socket.AddressFamily, kind: socket.SocketKind, address: Address) -> socket.socket:
    """Return a non-blocking socket bound to `address`; raises OSError if that cannot be had."""
    bound = socket.socket(family, kind)
    try:
        bound.setblocking(False)
        if kind is socket.SOCK_STREAM:
            # What is left of earlier connections keeps no one from the port; for datagrams it would let others share,
            # and on Windows for connections, too.
            bound.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR), 1)
        if family is socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound


def url_of(address: Address) -> str:
    """Return the URL of an HTTP server at an IP address and port."""
    host, port, *scope = address
    if any(scope):  # an address of one link alone, which the interface's number stands for
        host += f"%25{socket.if_indextoname(scope[-1])}"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


Receiver = Callable[[bytes, Address, "Endpoint"], None]
"""Takes a datagram, its sender and the endpoint that it came to."""


class Endpoint:
    """One bound UDP socket.

    `received` is called with each datagram, and may be replaced.  Raises OSError if the address cannot be bound.
    """

    def __init__(self, family: socket.AddressFamily, address: Address, counters: Counters, received: Receiver) -> None:
        self._counters = counters
        self.received = received
        self._socket = bind(family, socket.SOCK_DGRAM, address)
        with suppress(OSError):  # some systems refuse what others trim
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.address: Address = self._socket.getsockname()
        self._watch = watch(asyncio.get_running_loop(), self._socket.fileno(), self._read)

    def send(self, data: bytes, address: Address) -> None:
        """Send at once or never; does nothing on a closed endpoint."""
        if self._socket.fileno() < 0:
            return
        try:
            self._socket.sendto(data, address)
        except BlockingIOError:
            self._counters.dropped += 1
        except OSError:
            self._counters.socket_errors += 1

    def close(self) -> None:
        """Give the port back; may be repeated."""
        if self._socket.fileno() >= 0:
            self._watch.end()
            self._socket.close()

    def _read(self) -> None:
        for _ in range(READS_AT_ONCE):
            try:
                # One byte more than a datagram may have, so that a longer one is seen to be too long.
                data, address = self._socket.recvfrom(MAX_DATAGRAM + 1)
            except BlockingIOError:
                return
            except ConnectionResetError:  # on Windows: an agent that was sent something is gone
                continue
            except OSError:
                self._counters.socket_errors += 1
                return
            self.received(data, address, self)
            if self._socket.fileno() < 0:
                return


class Listener:
    """One bound TCP socket, which listens or refuses; `connected` is called with each connection.

    Unlike asyncio's server it can be closed and opened again at once, on the same port.  Raises OSError if the address
    cannot be bound.
    """

    def __init__(
        self, family: socket.AddressFamily, address: Address, connected: Callable[[socket.socket], None]
    ) -> None:
        self._family = family
        self._connected = connected
        self._socket = bind(family, socket.SOCK_STREAM, address)
        self.address: Address = self._socket.getsockname()
        self._watch: Watch | None = None
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None

    @property
    def listening(self) -> bool:
        """Whether connections are accepted, at once or after a pause."""
        return self._watch is not None or self._pause is not None

    def listen(self) -> None:
        """Accept connections from now on."""
        if not self.listening:
            self._socket.listen(BACKLOG)
            self._resume()

    def refuse(self) -> None:
        """Have connections refused from now on, and keep the port; raises OSError if it was taken meanwhile."""
        if self.listening:
            self.close()
            self._socket = bind(self._family, socket.SOCK_STREAM, self.address)

    def close(self) -> None:
        """Give the port back; may be repeated."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._stop_watching()
        self._socket.close()

    def _resume(self) -> None:
        self._pause = None
        self._watch = watch(self._loop, self._socket.fileno(), self._accept)

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.end()
            self._watch = None

    def _accept(self) -> None:
        for _ in range(READS_AT_ONCE):
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # Most likely the process has no descriptor left: the connections wait until it has.
                logger.warning("cannot accept connections for %g s: %s", ACCEPT_PAUSE, error)
                self._stop_watching()
                self._pause = self._loop.call_later(ACCEPT_PAUSE, self._resume)
                return
            self._connected(connection)
