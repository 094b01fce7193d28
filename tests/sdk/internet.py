"""A stand-in for the internet: https to any host leads, through a proxy, to a server of this machine.

So a program that insists on ``https://acp3.agentid.pub`` is tested as it is.  Only the environment's proxy is changed,
which any user may set.
"""

import asyncio
import json
import selectors
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import WSMsgType, web
from cryptography import x509

from agentcp_fsm import Invitation
from tests.sign_in.certificates import make_identity

HOSTS = ("acp3.agentid.pub", "ap.agentid.pub", "heartbeat.agentid.pub")


class Internet(socketserver.ThreadingTCPServer):
    """An HTTP proxy that knows `HOSTS`, has a TLS certificate for each, and passes all on to the server at `url`."""

    daemon_threads = True

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        host, port = url.removeprefix("http://").rsplit(":", 1)
        self.server = (host, int(port))
        root = make_identity("Internet Root CA", authority=True)
        leaf = make_identity(HOSTS[0], root, names=[x509.DNSName(host) for host in HOSTS])
        self.ca_file = folder / "ca.pem"
        """Whom to trust, if anybody asks."""
        self.ca_file.write_text(root.certificate_pem)
        (folder / "server.pem").write_text(leaf.key_pem + leaf.certificate_pem)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(folder / "server.pem")
        self.asked_for: list[str] = []
        """The hosts and ports of all connections."""

    @property
    def environment(self) -> dict[str, str]:
        proxy = f"http://127.0.0.1:{self.server_address[1]}"
        return {"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "", "no_proxy": ""}

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Tunnel(socketserver.StreamRequestHandler):
    server: Internet

    def handle(self) -> None:
        method, target, _ = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        self.server.asked_for.append(target)
        known = method == "CONNECT" and target.removesuffix(":443") in HOSTS
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" if known else b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        if not known:
            return
        with (
            suppress(OSError),
            self.server.tls.wrap_socket(self.connection, server_side=True) as near,
            socket.create_connection(self.server.server) as far,
        ):
            _pass_on(near, far)


def _pass_on(near: ssl.SSLSocket, far: socket.socket) -> None:
    """Until either side ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in selector.select():
                source: Any = key.fileobj
                data = source.recv(65536)
                while source is near and near.pending():
                    data += near.recv(65536)
                if not data:
                    return
                key.data.sendall(data)


class MessageServer:
    """As much of a message server as the SDK needs to talk in a session: it says what it was sent, and passes it on.

    `invite` takes a member's agent id and its invitation, and has a heartbeat server deliver it.
    """

    def __init__(self, invite: Callable[[str, Invitation], object] | None = None) -> None:
        self.messages: list[Any] = []
        self.url = ""
        self._invite = invite
        self._sockets: dict[str, web.WebSocketResponse] = {}
        self._members: dict[str, list[str]] = {}
        self._spoken: dict[str, list[Any]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def drop(self) -> None:
        """Close every session cleanly, as a restart does."""

        async def close() -> None:
            for each in self._sockets.values():
                await each.close()
            self._sockets.clear()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)

    async def _start(self) -> None:
        application = web.Application()
        application.router.add_post("/sign_in", self._sign_in)
        application.router.add_get("/session", self._session)
        application.router.add_post("/joined", self._joined)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _sign_in(self, request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"signature": "message-token"} if "nonce" in body else {"nonce": "a-nonce"})

    async def _joined(self, request: web.Request) -> web.Response:
        """What an agent without a websocket says when it joins."""
        self.messages.append(await request.json())
        return web.json_response({})

    async def _session(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("signature") != "message-token":
            return web.Response(status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        agent = request.query["agent_id"]
        self._sockets[agent] = socket
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.messages.append(json.loads(message.data))
                await self._serve(agent, self.messages[-1])
        return socket

    async def _serve(self, agent: str, message: Any) -> None:
        """Make a session, have somebody invited to it, let them in, or pass on what is said in it."""
        data = message["data"]
        match message["cmd"]:
            case "create_session_req":
                session = f"session-{len(self._members)}"
                self._members[session], self._spoken[session] = [agent], []
                made = {"session_id": session, "identifying_code": "CODE", "status_code": 200, "message": "made"}
                await self._tell(
                    agent, {"cmd": "create_session_ack", "data": made | {"request_id": data["request_id"]}}
                )
            case "invite_agent_req" if self._invite is not None:
                invitation = Invitation(agent, data["invite_code"], 1893456000, data["session_id"], self.url)
                await asyncio.to_thread(self._invite, data["acceptor_id"], invitation)
            case "join_session_req" if data["session_id"] in self._members:
                self._members[data["session_id"]].append(agent)
                for each in self._spoken[data["session_id"]]:
                    await self._tell(agent, each)
            case "session_message":
                self._spoken[data["session_id"]].append(message)
                for member in self._members[data["session_id"]]:
                    if member != agent:
                        await self._tell(member, message)

    async def _tell(self, agent: str, message: object) -> None:
        await self._sockets[agent].send_str(json.dumps(message))
