"""The server: HTTP sign-in and UDP heartbeats in one event loop."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from agentcp_fsm.errors import AgentCPError, WireError
from agentcp_fsm.server.faults import Faults, SignInFault
from agentcp_fsm.server.registry import AgentSession, RefusedError, Registry, text
from agentcp_fsm.session import Invitation
from agentcp_fsm.wire import (
    UNAUTHORIZED,
    AgentCPCodec,
    Codec,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
)

if TYPE_CHECKING:
    from agentcp_fsm.auth import Credentials

logger = logging.getLogger(__name__)

REQUEST_LIMIT = 64 * 1024
"""Bytes of the largest HTTP request."""
HUGE = 100 * 1024 * 1024
RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes of datagrams that the kernel may keep for the server while it is busy."""
AT_ONCE = 64
"""Datagrams that are taken in one turn of the loop."""


@dataclass(slots=True)
class ServerStatistics:
    """What the server counted since it was made."""

    sign_ins: int = 0
    refused: int = 0
    """HTTP requests that were refused."""
    sign_outs: int = 0
    heartbeats: int = 0
    answers: int = 0
    unauthorized: int = 0
    """Heartbeats answered 401."""
    invitations_answered: int = 0
    malformed: int = 0
    """Datagrams that were none of the protocol's, or that only a server sends."""
    dropped: int = 0
    """Datagrams that a fault lost."""


class HeartbeatServer:
    """A heartbeat server on `host`, an IPv4 or IPv6 address; port 0 takes a free one.

    `next_beat` is the time between heartbeats that it asks for, in seconds.  With `credentials` it proves itself at
    sign-in.  All methods belong to the loop that started it; `ServerThread` has one of its own.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        http_port: int = 0,
        udp_port: int = 0,
        *,
        next_beat: float = 5.0,
        credentials: Credentials | None = None,
        codec: Codec | None = None,
    ) -> None:
        self.host = host
        self.http_port = http_port
        self.udp_port = udp_port
        self.next_beat = next_beat
        self.statistics = ServerStatistics()
        self.registry = Registry()
        self._credentials = credentials
        self._codec = codec
        self._codec_in_use: Codec = codec or AgentCPCodec()
        self._faults = Faults()
        self._random = random.Random()  # noqa: S311 - it chooses which datagrams a fault loses
        self._sequence = 0
        self._awaited: dict[tuple[str, str, str], asyncio.Future[InviteResponse]] = {}
        self._hung: set[asyncio.Future[None]] = set()

    # Its life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen; raises OSError if an address is taken."""
        self._loop = asyncio.get_running_loop()
        self._open_udp()
        application = web.Application(client_max_size=REQUEST_LIMIT)
        application.add_routes(
            [
                web.post("/sign_in", self._sign_in),
                web.post("/sign_out", self._sign_out),
                web.post("/query_online_state", self._query_online_state),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.http_port, reuse_address=True).start()
        except OSError:
            await self.stop()
            raise
        self.http_port = self._runner.addresses[0][1]
        logger.info("listening on %s, heartbeats on port %d", self.url, self.udp_port)

    async def stop(self) -> None:
        """Stop listening; what is under way is cut off."""
        for future in self._hung:
            future.cancel()
        self._close_udp()
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """What agents are given as the server's URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.http_port}"

    # Faults -----------------------------------------------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        """What goes wrong at present; replace it as a whole, or use `set_faults`."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self._codec_in_use = self._codec or AgentCPCodec(faults.encoding)

    def set_faults(self, **changes: Any) -> None:
        """Change some faults and leave the others; raises ConfigError for a value that makes no sense."""
        self.faults = replace(self._faults, **changes)

    def restart(self) -> None:
        """Forget every session, as a restart does: heartbeats are answered 401 until the next sign-in."""
        self.registry.forget()

    def move(self) -> None:
        """Take heartbeats on another port from now on; nobody is at the old one any more."""
        self._close_udp()
        self.udp_port = 0
        self._open_udp()

    # HTTP -------------------------------------------------------------------------------------------------------------

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        faults = self._faults
        if faults.sign_in is not SignInFault.NONE and (response := await self._faulty(request)) is not None:
            return response
        return await self._answer(request, lambda content: self._sign_in_answer(content, request))

    def _sign_in_answer(self, content: dict[str, Any], request: web.Request) -> dict[str, Any]:
        now = self._loop.time()
        fault = self._faults.sign_in
        if "nonce" not in content:
            agent_id, request_id = text(content, "agent_id"), text(content, "request_id")
            answer: dict[str, Any] = {"nonce": self.registry.challenge(agent_id, request_id, now)}
            if self._credentials is not None:
                proven = (agent_id + request_id).lower() + ("?" if fault is SignInFault.BAD_PROOF else "")
                answer["cert"] = self._credentials.certificate_pem
                answer["signature"] = self._credentials.sign(proven.encode()).hex()
            return answer
        session = self.registry.sign_in(content, now)
        self.statistics.sign_ins += 1
        local = request.transport.get_extra_info("sockname") if request.transport is not None else (self.host, 0)
        return {
            "server_ip": local[0],
            "port": 70_000 if fault is SignInFault.PORT_OUT_OF_RANGE else self.udp_port,
            "sign_cookie": session.cookie,
            "signature": session.token,
        }

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        def answer(content: dict[str, Any]) -> dict[str, Any]:
            self.registry.sign_out(content)
            self.statistics.sign_outs += 1
            return {}

        return await self._answer(request, answer)

    async def _query_online_state(self, request: web.Request) -> web.StreamResponse:
        def answer(content: dict[str, Any]) -> dict[str, Any]:
            self.registry.authorized(content)
            agents = content.get("agents")
            if not isinstance(agents, list) or not all(isinstance(agent, str) for agent in agents):
                raise RefusedError(400, "the field 'agents' is no list of agent ids")
            return {
                "data": [{"agent_id": agent, "online": self.registry.of_agent(agent) is not None} for agent in agents]
            }

        return await self._answer(request, answer)

    async def _answer(
        self, request: web.Request, answer: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> web.StreamResponse:
        try:
            content = json.loads(await request.read())
            if not isinstance(content, dict):
                raise RefusedError(400, "the body is no JSON object")
            result = answer(content)
        except (ValueError, RecursionError):
            self.statistics.refused += 1
            return web.json_response({"error": "the body is not JSON"}, status=400)
        except RefusedError as error:
            self.statistics.refused += 1
            return web.json_response({"error": str(error)}, status=error.status)
        if self._faults.sign_in is SignInFault.MISSING_FIELD and request.path == "/sign_in":
            result.pop(self._faults.field, None)
        if self._faults.sign_in is SignInFault.TRUNCATED and request.path == "/sign_in":
            return web.Response(text=json.dumps(result)[:-5], content_type="application/json")
        return web.json_response(result)

    async def _faulty(self, request: web.Request) -> web.StreamResponse | None:
        """An answer that goes wrong as a whole; None if the fault is in its content."""
        faults = self._faults
        match faults.sign_in:
            case SignInFault.DOWN:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            case SignInFault.HANG:
                await self._hang()
                return web.Response()
            case SignInFault.HANG_AFTER_HEADERS | SignInFault.SLOW | SignInFault.HUGE:
                return await self._stream(request, faults.sign_in)
            case SignInFault.STATUS:
                headers = {"Retry-After": faults.retry_after} if faults.retry_after else {}
                return web.json_response({"error": "out of order"}, status=faults.status, headers=headers)
            case SignInFault.REDIRECT:
                return web.Response(status=302, headers={"Location": "/elsewhere"})
            case SignInFault.NOT_JSON:
                return web.Response(text="<html><body>Welcome!</body></html>", content_type="text/html")
            case _:
                return None

    async def _stream(self, request: web.Request, fault: SignInFault) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(HUGE)})
        try:
            await response.prepare(request)
            if fault is SignInFault.HANG_AFTER_HEADERS:
                await self._hang()
            elif fault is SignInFault.SLOW:
                while True:
                    await response.write(b" ")
                    await asyncio.sleep(1.0)
            else:
                for _ in range(HUGE // REQUEST_LIMIT):
                    await response.write(b" " * REQUEST_LIMIT)
        except ConnectionError:
            logger.debug("the client did not wait for the end")
        return response

    async def _hang(self) -> None:
        future = self._loop.create_future()
        self._hung.add(future)
        try:
            await future
        finally:
            self._hung.discard(future)

    # UDP --------------------------------------------------------------------------------------------------------------

    def _open_udp(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._stranger = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.setblocking(False)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        try:
            self._udp.bind((self.host, self.udp_port))
        except OSError:
            self._udp.close()
            self._stranger.close()
            raise
        self.udp_port = self._udp.getsockname()[1]
        self._loop.add_reader(self._udp.fileno(), self._readable)

    def _close_udp(self) -> None:
        self._loop.remove_reader(self._udp.fileno())
        self._udp.close()
        self._stranger.close()

    def _readable(self) -> None:
        for _ in range(AT_ONCE):
            try:
                data, address = self._udp.recvfrom(2048)
            except (BlockingIOError, ConnectionError):
                return
            if self._lost():
                continue
            self._received(data, address)

    def _received(self, data: bytes, address: Any) -> None:
        try:
            message = self._codec_in_use.decode(data)
        except WireError as error:
            logger.debug("malformed datagram from %s: %s", address, error)
            self.statistics.malformed += 1
            return
        if isinstance(message, HeartbeatRequest):
            self._beat(message, address)
        elif isinstance(message, InviteResponse):
            self._invitation_answered(message)
        else:
            self.statistics.malformed += 1

    def _beat(self, request: HeartbeatRequest, address: Any) -> None:
        faults = self._faults
        self.statistics.heartbeats += 1
        session = self.registry.of_datagram(request.agent_id, request.sign_cookie)
        if session is None or faults.unauthorized:
            self.statistics.unauthorized += 1
            next_beat = UNAUTHORIZED
        else:
            session.address = address
            session.last_beat_at = self._loop.time()
            session.heartbeats += 1
            next_beat = round(self.next_beat * 1000) if faults.next_beat is None else faults.next_beat
        if faults.silent:
            return
        data = self._codec_in_use.encode(HeartbeatResponse(request.sequence, next_beat))
        self.statistics.answers += 1
        self._send(data, address)

    def _invitation_answered(self, response: InviteResponse) -> None:
        session = self.registry.of_datagram(response.agent_id, response.sign_cookie)
        if session is None:
            self.statistics.malformed += 1
            return
        self.statistics.invitations_answered += 1
        awaited = self._awaited.get((session.agent_id, response.inviter_agent_id, response.session_id))
        if awaited is not None and not awaited.done():
            awaited.set_result(response)

    def _send(self, data: bytes, address: Any) -> None:
        faults = self._faults
        for _ in range(faults.copies):
            if self._lost():
                continue
            if faults.delay:
                self._loop.call_later(faults.delay, self._send_now, data, address)
            else:
                self._send_now(data, address)

    def _send_now(self, data: bytes, address: Any) -> None:
        try:
            (self._stranger if self._faults.stranger else self._udp).sendto(data, address)
        except OSError as error:
            logger.debug("no way to %s: %s", address, error)

    def _lost(self) -> bool:
        drop = self._faults.drop
        if drop and self._random.random() < drop:
            self.statistics.dropped += 1
            return True
        return False

    # Invitations ------------------------------------------------------------------------------------------------------

    async def invite(self, agent_id: str, invitation: Invitation, timeout: float = 5.0) -> InviteResponse:  # noqa: ASYNC109
        """Send an invitation and wait for its answer, at most `timeout` seconds.

        Raises AgentCPError if the agent is not there, TimeoutError if it does not answer.
        """
        session = self._reachable(agent_id)
        key = (session.agent_id, invitation.inviter_agent_id, invitation.session_id)
        awaited = self._awaited[key] = self._loop.create_future()
        try:
            self._sequence += 1
            self._send(self._codec_in_use.encode(InviteRequest(self._sequence, invitation)), session.address)
            return await asyncio.wait_for(awaited, timeout)
        finally:
            del self._awaited[key]

    def _reachable(self, agent_id: str) -> AgentSession:
        session = self.registry.of_agent(agent_id)
        if session is None or session.address is None:
            online = ", ".join(known.agent_id for known in self.registry.sessions if known.address) or "nobody"
            raise AgentCPError(f"{agent_id} is not online; {online} is")
        return session
