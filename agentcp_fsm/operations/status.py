"""A status place: where monitoring asks a program how its agents are, over HTTP, without disturbing them.

It answers GET and HEAD at four paths, and changes nothing:

- ``/livez``: 200 if every event loop that serves a connection turns, else 503;
- ``/readyz``: 200 if there are agents and all of them are reachable (ONLINE or DEGRADED), else 503;
- ``/status``: how each agent is, as JSON (`status_of`);
- ``/metrics``: what the program measures, if it measures something.

It listens on this machine only, unless told otherwise, and answers only requests that name it by an IP address or as
localhost: a page in a browser cannot reach it by a name of its own that leads here (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from aiohttp import web

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.operations.address import FORMS, StatusAddress
from agentcp_fsm.operations.shown import Agents
from agentcp_fsm.support.quoting import quoted

logger = logging.getLogger(__name__)

VERSION = 1
"""The version of the form of ``/status``: it grows when a field is taken away or means something else."""
TURN_WITHIN = 5.0
"""Seconds within which a live event loop turns."""
REQUEST_WITHIN = 10.0
"""Seconds that a client's connection lasts at most."""
CLIENTS_MAX = 64
"""Clients that are served at once; others are turned away."""
GRACE = 1.0
"""Seconds that requests under way get when the place closes."""

Metrics = Callable[[], tuple[bytes, str]]
"""Returns the body of ``/metrics`` and its content type; may be called in any thread."""


class StatusPlace:
    """A status place of an asyncio program.

    ``connections`` is looked at anew with each request: give a list of yours that may change.  ``metrics`` returns the
    body of ``/metrics`` and its content type.  As an async context manager it opens, and closes on the way out.

    Raises ConfigError for an address that it cannot be, or that other machines can reach, unless
    ``insecure_allow_any_address`` is set: everybody who reaches it can read all it shows.
    """

    def __init__(
        self,
        address: str,
        connections: Agents,
        *,
        metrics: Metrics | None = None,
        insecure_allow_any_address: bool = False,
    ) -> None:
        self._address = StatusAddress.parse(address)
        if not (self._address.is_local or insecure_allow_any_address):
            raise ConfigError(
                f"other machines can reach the status address {address}, and read how the agents are: give {FORMS};"
                " or set insecure_allow_any_address (--insecure-allow-any-status-address)"
            )
        self._connections = connections
        self._metrics = metrics
        self._listener: asyncio.Server | None = None
        self._server: web.Server | None = None
        self._pages = {"/livez": self._live, "/readyz": self._ready, "/status": self._status, "/metrics": self._measure}

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def address(self) -> str:
        """Where it listens; with the port that was free, if it was to take port 0."""
        return str(self._address)

    async def open(self) -> None:
        """Listen; raises OSError, which names the address, if it cannot be had."""
        bound = _bind(self._address)
        if not self._address.path:
            host, port = bound.getsockname()[:2]
            self._address = StatusAddress(host, port)
        self._server = web.Server(self._handle, access_log=None, lingering_time=0)
        self._listener = await asyncio.get_running_loop().create_server(self._client, sock=bound)

    async def close(self) -> None:
        """Stop listening, and remove the Unix socket; may be repeated."""
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        if self._address.path:
            with suppress(OSError):  # somebody else has removed it
                os.unlink(self._address.path)
        await self._server.shutdown(GRACE)
        self._listener = self._server = None

    def _client(self) -> asyncio.BaseProtocol:
        """The protocol of one client, whose connection has an end however slow the client is."""
        assert self._server is not None
        if len(self._server.connections) >= CLIENTS_MAX:
            return _TurnedAway()
        protocol = self._server()

        def end() -> None:
            if isinstance(protocol.transport, asyncio.Transport):
                protocol.transport.abort()  # also if it has not taken all of its answer

        asyncio.get_running_loop().call_later(REQUEST_WITHIN, end)
        return protocol

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        refusal = _refusal(request)
        if refusal is not None:
            response = refusal
        else:
            page = self._pages.get(request.path)
            response = _text(404, f"no such page: there are {', '.join(self._pages)}") if page is None else await page()
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.body_exists:
            response.force_close()  # what comes along is not read
        return response

    async def _live(self) -> web.Response:
        loops = {loop for connection in self._connections if (loop := connection.loop) is not None}
        for loop in loops:
            if not await turns(loop, TURN_WITHIN):
                return _text(503, f"an event loop has not turned for {TURN_WITHIN:g} s: a call blocks it")
        return _text(200, "live")

    async def _ready(self) -> web.Response:
        agents = [connection.health() for connection in self._connections]
        ready = bool(agents) and all(health.reachable for health in agents)
        lines = [f"{health.agent_id} {health.state}" for health in agents]
        return _text(200 if ready else 503, "\n".join(lines) or "there are no agents")

    async def _status(self) -> web.Response:
        return web.Response(text=json.dumps(status_of(self._connections)), content_type="application/json")

    async def _measure(self) -> web.Response:
        if self._metrics is None:
            return _text(404, "no metrics are configured: start with --metrics, or give StatusPlace(metrics=...)")
        body, content_type = self._metrics()
        return web.Response(body=body, headers={"Content-Type": content_type})


def status_of(connections: Agents) -> dict[str, object]:
    """How the agents are, as ``/status`` shows it.

    ``version`` of this form, ``at`` (the time, ISO 8601 in UTC), and ``agents``: for each one `Health.to_dict`.
    """
    agents = [connection.health().to_dict() for connection in connections]
    return {"version": VERSION, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), "agents": agents}


async def turns(loop: asyncio.AbstractEventLoop, within: float) -> bool:
    """Whether an event loop, of this thread or another, turns within so many seconds; a closed one counts as one."""
    here = asyncio.get_running_loop()
    if loop is here:
        return True
    turned = asyncio.Event()

    def report() -> None:
        with suppress(RuntimeError):  # nobody waits any more
            here.call_soon_threadsafe(turned.set)

    try:
        loop.call_soon_threadsafe(report)
    except RuntimeError:
        return True
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await turned.wait()
    return turned.is_set() or loop.is_closed()


class _TurnedAway(asyncio.Protocol):
    """The protocol of a client that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


def _refusal(request: web.BaseRequest) -> web.Response | None:
    """The answer to a request that is not for this place, or not to be answered; None for any other."""
    hosts = request.headers.getall("Host", [])
    if len(hosts) != 1 or not _is_own_name(hosts[0]):
        shown = quoted(hosts[0]) if len(hosts) == 1 else f"{len(hosts)} of them"
        return _text(421, f"the Host header ({shown}) does not name this place: ask by its IP address, or localhost")
    if request.method not in ("GET", "HEAD"):
        refused = _text(405, "it is only read: GET or HEAD")
        refused.headers["Allow"] = "GET, HEAD"
        return refused
    return None


def _is_own_name(host: str) -> bool:
    """Whether a Host header is one that no stranger's name can bring about: an IP address, or localhost."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    try:
        ip_address(name)
    except ValueError:
        return name.lower() == "localhost"
    return True


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")


def _bind(address: StatusAddress) -> socket.socket:
    """Return a socket bound to `address`; a Unix socket is for its owner only, and takes the place of a dead one."""
    if address.path and not hasattr(socket, "AF_UNIX"):
        raise ConfigError(f"the status address {address}: this system has no Unix sockets; give 127.0.0.1:8764")
    family = socket.AF_UNIX if address.path else socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        if address.path:
            _remove_dead(address.path)
            bound.bind(address.path)
            os.chmod(address.path, 0o600)  # before it listens: nobody has connected
        else:
            bound.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR), 1)
            bound.bind((address.host, address.port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"no status place at {address}: {error.strerror or error}") from error
    except BaseException:
        bound.close()
        raise
    return bound


def _remove_dead(path: str) -> None:
    """Remove a socket that nobody listens on any more, as a killed process leaves it."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return  # bind says that there is something
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(1.0)
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            return
