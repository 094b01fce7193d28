"""The reference heartbeat server: small, correct, and able to fail in every way that a client must survive."""

import asyncio
import logging
import random
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields, replace
from math import isfinite
from types import TracebackType
from typing import Any, Self

from agentcp_fsm.errors import ConfigError, ServerError, WireError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.server.faults import MAX_PORT, Faults, OldPort, SignInFault, Stranger
from agentcp_fsm.server.heartbeats import Heartbeats
from agentcp_fsm.server.http import HTTPService
from agentcp_fsm.server.registry import Agents, Limits, Nonces
from agentcp_fsm.server.sockets import Address, Endpoint, Receiver, url_of
from agentcp_fsm.server.statistics import AgentView, Counters, ServerStatistics
from agentcp_fsm.sign_in.credentials import Credentials
from agentcp_fsm.wire import UNAUTHORIZED, AgentCPCodec, Codec, HeartbeatResponse, InviteResponse

logger = logging.getLogger(__name__)

MAX_NEXT_BEAT = 86_400.0
"""Seconds.  The longest heartbeat interval of a healthy server."""
OLD_PORTS = 8
"""UDP ports that stay open after moves; then the oldest is closed."""
LOOPBACKS = ("127.0.0.1", "127.0.0.2")


class HeartbeatServer:
    """A heartbeat server on one event loop: HTTP sign-in, UDP heartbeats and invitations (protocol).

    Its HTTP port is an access point too, which names the server itself unless a fault has it name another.

    Like every object of asyncio it belongs to the loop that started it; `ServerThread` is its face for other threads.
    It may be started again after it stopped, and is found at the same ports then.  Times are seconds.

    The holder of any certificate that names an agent may sign in as that agent, no matter who issued it: this is a
    server for tests, demos and one's own machine.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        http_port: int = 0,
        udp_port: int = 0,
        *,
        next_beat: float = 5.0,
        names: Iterable[str] = (),
        credentials: Credentials | None = None,
        codec: Codec | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """Prepare a server; nothing is bound before `start`.

        `host` is a name or an IPv4 or IPv6 address of this machine; a port of 0 is chosen by the system.  `next_beat`
        is the time between heartbeats that the server asks for.  Over HTTP it is asked by its IP address, by localhost,
        by `host` or by one of `names`; a request for another host may come from a web page, and is refused.  With
        `credentials` it proves itself in step 1 of a sign-in.  `codec` is that of the datagrams, AgentCP's own unless
        given; `clock` is monotonic; `rng` decides which datagrams a fault loses.

        Raises `ConfigError` for values that cannot be.
        """
        _check_port("http_port", http_port)
        _check_port("udp_port", udp_port)
        if not 0.001 <= next_beat <= MAX_NEXT_BEAT:
            raise ConfigError(f"next_beat={next_beat!r}: give seconds from 0.001 to {MAX_NEXT_BEAT:g}")
        milliseconds = round(next_beat * 1000)
        if milliseconds == UNAUTHORIZED:
            raise ConfigError(f"next_beat={next_beat!r}: give another, {UNAUTHORIZED} ms mean 'sign in again'")
        self._host = host
        self._http_port = http_port
        self._udp_port = udp_port
        self._next_beat = next_beat
        self._codec: Codec = codec or AgentCPCodec()
        self._credentials = credentials
        self._clock = clock
        limits = limits or Limits()
        self._counters = Counters()
        self._agents = Agents(limits.agents)
        self._visitors = Agents(limits.agents)
        self._nonces = Nonces(limits.nonces, limits.nonce_lifetime, clock)
        self._heartbeats = Heartbeats(
            self._codec,
            milliseconds,
            self._agents,
            self._counters,
            clock=clock,
            rng=rng or random.Random(),  # noqa: S311 - it chooses which datagrams a fault loses
            delayed_limit=limits.delayed_datagrams,
        )
        self._http = HTTPService(
            self._agents,
            self._visitors,
            self._nonces,
            self._counters,
            credentials=credentials,
            names=frozenset(name.lower() for name in (host, *names)),
            request_size=limits.request_size,
            is_online=self._is_online,
            udp_port=lambda: self.udp_port,
        )
        self._family = socket.AF_INET
        self._endpoint: Endpoint | None = None
        """None: the server is stopped."""
        self._old_endpoints: list[Endpoint] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The server's URL, for agents; raises `ServerError` unless started."""
        self._started()
        return url_of(self._http.address)

    @property
    def udp_address(self) -> tuple[str, int]:
        """IP address and port of the heartbeats; raises `ServerError` unless started."""
        host, port = self._started().address[:2]
        return host, port

    @property
    def udp_port(self) -> int:
        """The port of the heartbeats; raises `ServerError` unless started."""
        return self.udp_address[1]

    async def start(self) -> None:
        """Listen.  Raises `ServerError` if it runs already, or if the host, a port or a fault's address is not free."""
        if self._endpoint is not None:
            raise ServerError(f"the server runs already at {self.url}: stop it first")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self._host, 0, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:  # no address, or no name
            raise ServerError(f"host={self._host!r} has no address: give a name or address of this machine") from error
        self._family, _, _, _, (ip_address, _, *scope) = found[0]
        address = str(ip_address)
        self._endpoint = self._open_endpoint((address, self._udp_port, *scope), self._heartbeats.received)
        try:
            self._open_http((address, self._http_port, *scope))
            self._set_stranger(self.faults.stranger)
        except BaseException:
            await self.stop()
            raise
        self._http_port, self._udp_port = self._http.address[1], self.udp_port
        logger.info("serving at %s, heartbeats at %s", self.url, self.udp_address)

    async def stop(self) -> None:
        """Close everything and forget all sessions, within a second or two; may be repeated.  Counts remain."""
        await self._http.close()  # first, because a call under way asks for the UDP port
        self._heartbeats.close()
        for endpoint in (self._endpoint, *self._old_endpoints):
            if endpoint is not None:
                endpoint.close()
        self._endpoint = None
        self._old_endpoints.clear()
        self.restart()

    @property
    def faults(self) -> Faults:
        """The present faults; a fault that strikes once is gone from here afterwards.

        Replace it as a whole, or use `set_faults`: either holds at once.  Raises `ConfigError` for what this server
        cannot do, before anything is changed, and `ServerError` if an address that a fault needs cannot be had.
        """
        return self._heartbeats.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        codec = self._codec
        if faults.encoding is not None:
            if not isinstance(codec, AgentCPCodec):
                raise ConfigError(f"encoding={faults.encoding.value!r}: only AgentCP's own codec leaves the choice")
            codec = AgentCPCodec(faults.encoding)
        if faults.next_beat is not None:
            try:
                codec.encode(HeartbeatResponse(1, faults.next_beat))
            except WireError as error:
                raise ConfigError(f"next_beat={faults.next_beat!r}: {error}") from None
        if SignInFault.BAD_PROOF in (faults.sign_in, faults.access_point) and self._credentials is None:
            raise ConfigError(f"{SignInFault.BAD_PROOF.value!r}: give the server credentials to prove itself with")
        if self._endpoint is not None and faults.stranger is not self.faults.stranger:
            self._set_stranger(faults.stranger)
        try:
            self._http.set_faults(faults)
        except OSError as error:
            raise _unavailable("TCP", self._http.address, error) from error
        self._heartbeats.set_faults(faults, codec)
        logger.info("faults are now %s", faults)

    def set_faults(self, **changes: Any) -> None:
        """Change some faults and leave the others; raises what setting `faults` raises."""
        names = [field.name for field in fields(Faults)]
        if unknown := changes.keys() - names:
            raise ConfigError(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(names)}")
        self.faults = replace(self.faults, **changes)

    def restart(self) -> None:
        """Forget all sessions and nonces, as a server does that restarts: heartbeats are answered 401 then."""
        self._agents.forget_sessions()
        self._visitors.forget_sessions()
        self._nonces.forget()
        logger.info("all sessions are forgotten")

    def move(self, udp_port: int = 0, old_port: OldPort = OldPort.DEAD) -> tuple[str, int]:
        """Take heartbeats on another UDP port from now on (0: chosen by the system) and return their new address.

        Agents that sign in from now on are sent there; sessions stay valid.  Raises `ConfigError` for an impossible
        port and `ServerError` for one that cannot be had, or unless started; then nothing is changed.
        """
        _check_port("udp_port", udp_port)
        left = self._started()
        self._endpoint = self._open_endpoint((left.address[0], udp_port), self._heartbeats.received)
        if old_port is OldPort.DEAD:
            left.close()
        else:
            left.received = self._heartbeats.received_at_old_port
            self._old_endpoints.append(left)
            if len(self._old_endpoints) > OLD_PORTS:
                self._old_endpoints.pop(0).close()
        self._udp_port = self.udp_port
        logger.info("heartbeats moved to %s", self.udp_address)
        return self.udp_address

    async def invite(
        self,
        agent_id: str,
        invitation: Invitation,
        timeout: float = 5.0,  # noqa: ASYNC109 - it bounds the wait, not the sending
    ) -> InviteResponse:
        """Send the agent an invitation, to where its latest heartbeat came from, and return its answer.

        Raises TimeoutError if none comes within `timeout` seconds, `ServerError` if there is no session to send it to,
        `ConfigError` for a timeout that cannot be, and `WireError` if no datagram can carry the invitation.
        """
        if not (isfinite(timeout) and timeout >= 0):
            raise ConfigError(f"timeout={timeout!r}: give 0 or more seconds")
        endpoint = self._started()
        agent = self._agents.get(agent_id)
        if agent is None or not agent.sessions or agent.address is None:
            raise ServerError(f"{agent_id!r} has no session with a heartbeat: have it sign in and send one")
        return await self._heartbeats.invite(agent, agent.address, invitation, timeout, endpoint)

    def statistics(self) -> ServerStatistics:
        """Return what was counted so far, since the server was made."""
        return ServerStatistics(
            **asdict(self._counters),
            sessions=len(self._agents.by_cookie),
            nonces=len(self._nonces),
            agents=len(self._agents),
        )

    def agent(self, agent_id: str) -> AgentView | None:
        """Return what is known of one agent; None: nothing is."""
        agent = self._agents.get(agent_id)
        return None if agent is None else agent.view(self._clock(), self._next_beat)

    def agents(self) -> tuple[AgentView, ...]:
        """Return what is known of every agent, in the order of their first sign-ins."""
        now = self._clock()
        return tuple(agent.view(now, self._next_beat) for agent in self._agents)

    def _started(self) -> Endpoint:
        if self._endpoint is None:
            raise ServerError("the server is not running; start it first")
        return self._endpoint

    def _is_online(self, agent_id: str) -> bool:
        view = self.agent(agent_id)
        return view is not None and view.online

    def _open_http(self, address: Address) -> None:
        try:
            self._http.open(self._family, address)
        except OSError as error:
            raise _unavailable("TCP", address, error) from error

    def _open_endpoint(self, address: Address, received: Receiver) -> Endpoint:
        try:
            return Endpoint(self._family, address, self._counters, received)
        except OSError as error:
            raise _unavailable("UDP", address, error) from error

    def _set_stranger(self, kind: Stranger) -> None:
        host, port = self.udp_address
        if kind is Stranger.ADDRESS and not host.startswith("127."):
            raise ConfigError(f"stranger={kind.value!r}: only a server on 127.0.0.1 has another address; use on")
        other = LOOPBACKS[host == LOOPBACKS[0]]
        self._heartbeats.set_stranger(
            None
            if kind is Stranger.OFF
            else self._open_endpoint(
                (host, 0) if kind is Stranger.ON else (other, port), self._heartbeats.received_by_stranger
            )
        )


def _check_port(name: str, port: int) -> None:
    if not 0 <= port <= MAX_PORT:
        raise ConfigError(f"{name}={port!r}: give 0 to {MAX_PORT}, 0 for one that the system chooses")


def _unavailable(kind: str, address: Address, error: OSError) -> ServerError:
    host, port = address[:2]
    return ServerError(f"cannot serve on {host} port {port} ({kind}): {error.strerror}; use another, or port 0")
