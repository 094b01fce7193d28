"""The server's HTTP side: the calls of a heartbeat server and of an access point, and what its faults do to them.

aiohttp's low-level server is all that so few calls need.  Input that is no HTTP is counted, like all other bad input.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from aiohttp import web

from agentcp_fsm.server.authority import Authority
from agentcp_fsm.server.faults import ConfigShape, Faults, SignInFault
from agentcp_fsm.server.http_faults import answer_as_faulty, error_answer, strike
from agentcp_fsm.server.http_requests import (
    BROKEN_BODY,
    MAX_REQUEST_ID,
    JSONObject,
    Malformed,
    Refused,
    check_origin,
    identifier,
    read_object,
    text,
)
from agentcp_fsm.server.identity import Unproven, check_agent
from agentcp_fsm.server.registry import Agents, Nonces
from agentcp_fsm.server.sockets import Address, Listener, url_of
from agentcp_fsm.server.statistics import Counters
from agentcp_fsm.sign_in.credentials import Credentials
from agentcp_fsm.sign_in.nonce import may_prove
from agentcp_fsm.support.quoting import quoted

logger = logging.getLogger(__name__)

KEEP_ALIVE = 75.0
"""Seconds that an idle connection is kept."""
GRACE = 1.0
"""Seconds that the calls of dropped connections get to end."""

ACCESS_POINT = "/api/accesspoint"
"""The path of the access point's calls."""
GUEST = f"{ACCESS_POINT}/sign_guest_cert"
"""The one call that the SDK makes by GET, without a body."""
PROOF = ("nonce", "public_key", "cert", "signature")
"""What step 2 of a sign-in brings along."""


class HTTPService:
    """Listens on one TCP port and answers the calls of the protocol."""

    def __init__(
        self,
        agents: Agents,
        visitors: Agents,
        nonces: Nonces,
        counters: Counters,
        *,
        credentials: Credentials | None,
        names: Collection[str],
        request_size: int,
        is_online: Callable[[str], bool],
        udp_port: Callable[[], int],
    ) -> None:
        self._agents = agents
        self._visitors = visitors
        """The agents that are signed in at the access point."""
        self._nonces = nonces
        self._counters = counters
        self._credentials = credentials
        self._names = names
        """The names by which it may be asked, in lower case."""
        self._request_size = request_size
        self._is_online = is_online
        self._udp_port = udp_port
        self._faults = Faults()
        self._server: web.Server | None = None
        """Like the listener, from `open` to `close`."""
        self._listener: Listener | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self._calls: dict[str, Callable[[JSONObject, web.BaseRequest], JSONObject]] = {
            "/sign_in": self._sign_in,
            "/sign_out": self._sign_out,
            "/query_online_state": self._query_online_state,
            f"{ACCESS_POINT}/sign_in": self._sign_in,
            f"{ACCESS_POINT}/sign_out": self._sign_out,
            f"{ACCESS_POINT}/get_accesspoint_config": self._access_point_config,
            f"{ACCESS_POINT}/sign_cert": self._certify,
            f"{ACCESS_POINT}/resign_cert": self._certify,
            GUEST: self._certify,
        }
        self._authority = Authority(nonces)

    @property
    def address(self) -> Address:
        """Where it listens, or refuses to; only while it is open."""
        assert self._listener is not None
        return self._listener.address

    def open(self, family: socket.AddressFamily, address: Address) -> None:
        """Listen, unless a fault has it refuse; raises OSError if the address cannot be bound."""
        self._listener = Listener(family, address, self._connected)
        self._server = web.Server(self._handle, request_factory=self._make_request, handler_cancellation=True)
        self.set_faults(self._faults)

    async def close(self) -> None:
        """Drop all connections and give the port back; may be repeated."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._drop_connections()
        await asyncio.gather(*self._connecting)
        if self._server is not None:
            await self._server.shutdown(GRACE)
            self._server = None

    def set_faults(self, faults: Faults) -> None:
        """Obey these from now on; a call that already hangs or drips goes on doing so.

        Raises OSError if the port was taken in the moment between listening and refusing.
        """
        self._faults = faults
        if self._listener is None:
            return
        if faults.sign_in is SignInFault.REFUSED:
            self._listener.refuse()
            self._drop_connections()
        else:
            self._listener.listen()

    def _connected(self, connection: socket.socket) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _serve(self, connection: socket.socket) -> None:
        server = self._server
        assert server is not None
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: _Protocol(server, self._count_malformed), connection
            )
        except OSError as error:
            connection.close()
            logger.debug("the connection is gone already: %s", error)
            return
        if self._listener is None or not self._listener.listening:
            transport.abort()  # the port was closed since

    def _drop_connections(self) -> None:
        for connection in self._server.connections if self._server else ():
            if connection.transport is not None:
                connection.transport.abort()

    def _make_request(
        self, message: Any, payload: Any, protocol: web.RequestHandler, writer: Any, task: asyncio.Task[None]
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._request_size)

    def _count_malformed(self) -> None:
        self._counters.calls += 1
        self._counters.http_malformed += 1

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._counters.calls += 1
        faults, fault = self._faults, self._fault_of(request)
        logger.debug("%s %r from %s, fault: %s", request.method, request.path, request.remote, fault)
        struck = await strike(fault, faults, request)
        if struck is not None:
            return struck
        try:
            answer = await self._answer(request)
        except Refused as refusal:
            if isinstance(refusal, Malformed):
                self._counters.http_malformed += 1
            else:
                self._counters.refused += 1
            logger.debug("%r refused: %s", request.path, refusal)
            return error_answer(refusal.status, str(refusal))
        return await answer_as_faulty(answer, fault, faults, request)

    def _fault_of(self, request: web.BaseRequest) -> SignInFault:
        return {
            "/sign_in": self._faults.sign_in,
            "/sign_out": self._faults.sign_out,
            f"{ACCESS_POINT}/sign_in": self._faults.access_point,
            f"{ACCESS_POINT}/get_accesspoint_config": self._faults.config_call,
        }.get(request.path, SignInFault.NONE)

    async def _answer(self, request: web.BaseRequest) -> JSONObject:
        check_origin(request, self._names)
        call = self._calls.get(request.path)
        if call is None:
            raise Malformed(f"there is nothing here; there are {', '.join(self._calls)}", 404)
        if request.method == "GET" and request.path == GUEST:
            return call({}, request)
        if request.method != "POST":
            raise Malformed("use POST", 405)
        return call(await read_object(request), request)

    def _sign_in(self, body: JSONObject, request: web.BaseRequest) -> JSONObject:
        agent_id = identifier(body, "agent_id")
        request_id = identifier(body, "request_id", MAX_REQUEST_ID)
        if "nonce" in body:
            return self._open_session(agent_id, request_id, body, request)
        proven = (agent_id + request_id).lower()
        if self._credentials is not None and not may_prove(proven):
            raise Malformed("agent_id is no name with a dot, or request_id is no uuid4: this server signs nothing else")
        self._counters.challenges += 1
        answer = {"nonce": self._nonces.issue(agent_id, request.path + request_id)}
        if self._credentials is not None:
            if self._fault_of(request) is SignInFault.BAD_PROOF:
                proven += "?"
            answer["cert"] = self._credentials.certificate_pem
            answer["signature"] = self._credentials.sign(proven.encode()).hex()
        return answer

    def _open_session(self, agent_id: str, request_id: str, body: JSONObject, request: web.BaseRequest) -> JSONObject:
        nonce, public_key, cert, signature = (text(body, name) for name in PROOF)
        if not self._nonces.redeem(nonce, agent_id, request.path + request_id):
            raise Refused(401, "nonce was not issued for this sign-in, was used or has expired; begin again")
        try:
            check_agent(agent_id, nonce, public_key, cert, signature)
        except Unproven as error:
            raise Refused(403, str(error)) from error
        if _is_access_point(request):
            _, token = self._visitors.open_session(agent_id)
            self._counters.access_point_sign_ins += 1
            logger.info("%r signed in at the access point", agent_id)
            return {"signature": token}
        cookie, token = self._agents.open_session(agent_id)
        self._counters.sign_ins += 1
        logger.info("%r signed in", agent_id)
        return {
            "server_ip": _reached_at(request)[0],
            "port": self._udp_port(),
            "sign_cookie": cookie,
            "signature": token,
        }

    def _sign_out(self, body: JSONObject, request: web.BaseRequest) -> JSONObject:
        agent_id = identifier(body, "agent_id")
        at_access_point = _is_access_point(request)
        register = self._visitors if at_access_point else self._agents
        if not register.close_session(agent_id, text(body, "signature")):
            raise Refused(401, "signature is of no session of this agent; sign in")
        if at_access_point:
            self._counters.access_point_sign_outs += 1
        else:
            self._counters.sign_outs += 1
        logger.info("%r signed out%s", agent_id, " at the access point" if at_access_point else "")
        return {"message": "signed out"}

    def _query_online_state(self, body: JSONObject, _: web.BaseRequest) -> JSONObject:
        if not self._agents.has_session(identifier(body, "agent_id"), text(body, "signature")):
            raise Refused(401, "signature is of no session of this agent; sign in")
        asked = body.get("agents")
        if not isinstance(asked, list) or not all(isinstance(agent_id, str) for agent_id in asked):
            raise Malformed("agents is no list of agent ids")
        self._counters.queries += 1
        return {"data": [{"agent_id": agent_id, "online": self._is_online(agent_id)} for agent_id in asked]}

    def _access_point_config(self, body: JSONObject, request: web.BaseRequest) -> JSONObject:
        if not self._visitors.has_session(identifier(body, "agent_id"), text(body, "signature")):
            raise Refused(401, "signature is of no session of this agent at the access point; sign in")
        self._counters.configs += 1
        url = url_of(_reached_at(request))
        config = {
            "heartbeat_server": self._faults.heartbeat_server or url,
            "message_server": self._faults.message_server or url,
        }
        match self._faults.config:
            case ConfigShape.TEXT:
                return {"config": json.dumps(config)}
            case ConfigShape.ABSENT:
                return {}
            case ConfigShape.EMPTY:
                return {"config": {}}
            case ConfigShape.BROKEN:
                return {"config": json.dumps(config)[:-1]}
        return {"config": config}

    def _certify(self, body: JSONObject, request: web.BaseRequest) -> JSONObject:
        if request.path == GUEST:
            return dict(self._authority.sign_guest(request.host))
        agent_id = identifier(body, "id")
        try:
            if request.path.endswith("/resign_cert"):
                return dict(self._authority.sign_again(agent_id, partial(text, body), "nonce" in body))
            return dict(self._authority.sign(agent_id, partial(text, body)))
        except Unproven as error:
            raise Refused(403, str(error)) from error


class _Protocol(web.RequestHandler):
    """One HTTP connection, which counts what is no HTTP, and takes a vanished client for no error."""

    __slots__ = ("_count_malformed",)

    def __init__(self, server: web.Server, count_malformed: Callable[[], None]) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # None means none
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=GRACE,
        )
        self._count_malformed = count_malformed

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Log an error, unless it is the rest of a broken body, which aiohttp reads to find the next request."""
        if isinstance(options.get("exc_info"), BROKEN_BODY):
            logger.debug("the rest of the body is broken")
        else:
            super().log_exception(*args, **options)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never became a request, or a request whose handling failed."""
        if isinstance(exc, ConnectionError):
            raise exc  # aiohttp ends the connection
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        self._count_malformed()
        logger.debug("no HTTP: %s", quoted(message or ""))
        response = error_answer(status, "this is no HTTP request")
        response.force_close()
        return response


def _is_access_point(request: web.BaseRequest) -> bool:
    return request.path.startswith(ACCESS_POINT)


def _reached_at(request: web.BaseRequest) -> tuple[str, int]:
    """Return the address and port at which the client reached the server, which may be bound to every address."""
    assert request.transport is not None  # when a client leaves, its call is cancelled
    host, port = request.transport.get_extra_info("sockname")[:2]
    return host, port
