"""Real HTTP servers on loopback, whose every byte a test decides."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.sign_in.certificates import Identity

BOUND = 20.0
"""Seconds that a test waits for something that should come at once."""


@dataclass(frozen=True, slots=True)
class Request:
    line: str
    headers: dict[str, str]
    content: dict[str, Any]
    peer: tuple[str, int]

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


Respond = Callable[[Request, socket.socket], bytes | None]
"""Returns the raw answer, or None to end the connection, having sent whatever it liked."""


class Server(socketserver.ThreadingTCPServer):
    """Hands each request to ``respond``, which a test may replace at any time."""

    allow_reuse_address = True

    def __init__(self, respond: Respond, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.respond = respond
        self.requests: list[Request] = []
        self._tls = tls
        self.connections: list[socket.socket] = []
        """Those that are open."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(BOUND)
        # How a client or a test ends a connection is the test's business.
        with suppress(OSError):
            connection = self._tls.wrap_socket(request, server_side=True) if self._tls else request
            self.connections.append(connection)
            try:
                _Handler(connection, client_address, self)
            finally:
                connection.close()
                self.connections.remove(connection)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        for connection in tuple(self.connections):
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self.server_close()
        self._thread.join()


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        while line := self.rfile.readline():
            headers = {}
            while (header := self.rfile.readline().strip()) != b"":
                name, _, value = header.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", "0")))
            content = json.loads(body) if body else {}
            request = Request(line.decode("latin-1").strip(), headers, content, self.client_address)
            self.server.requests.append(request)
            answer = self.server.respond(request, self.request)
            if answer is None:
                return
            self.request.sendall(answer)


def raw(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def as_json(content: object, status: str = "200 OK", *headers: str) -> bytes:
    return raw(json.dumps(content).encode(), status, "Content-Type: application/json", *headers)


def sending(answer: bytes, *, then_close: bool = False) -> Respond:
    def respond(request: Request, connection: socket.socket) -> bytes | None:
        connection.sendall(answer)
        return None if then_close else b""

    return respond


def hanging(*sent: bytes) -> Respond:
    def respond(request: Request, connection: socket.socket) -> bytes | None:
        for part in sent:
            connection.sendall(part)
        connection.recv(1)  # until the client gives up
        return None

    return respond


def hanging_and_telling(asked: threading.Event) -> Respond:
    def respond(request: Request, connection: socket.socket) -> bytes | None:
        asked.set()
        connection.recv(1)
        return None

    return respond


def dripping(head: bytes, drip: bytes) -> Respond:
    def respond(request: Request, connection: socket.socket) -> bytes | None:
        connection.sendall(head)
        connection.settimeout(0.02)
        while True:
            connection.sendall(drip)
            try:
                connection.recv(1)
                return None  # the client gave up
            except TimeoutError:
                pass

    return respond


@dataclass(slots=True)
class SignInService:
    """A correct sign-in service; a test changes the answers of its steps."""

    identity: Identity | None = None
    """Proves the server, if there is one."""
    challenge: dict[str, Any] = field(default_factory=lambda: {"nonce": "a/nonce+of=ASCII"})
    session: dict[str, Any] = field(
        default_factory=lambda: {"server_ip": "127.0.0.1", "port": 5000, "sign_cookie": 7, "signature": "the token"}
    )

    def __call__(self, request: Request, connection: socket.socket) -> bytes | None:
        content = request.content
        if request.path.endswith("/sign_in") and "nonce" not in content:
            return as_json({**self.challenge, **self._proof(content)})
        if request.path.endswith("/sign_in"):
            return as_json(self.session) if self._is_signed(content) else as_json({"error": "bad"}, "401 Unauthorized")
        if content.get("signature") != self.session["signature"]:
            return as_json({"error": {"code": 401, "message": "no such session"}}, "401 Unauthorized")
        if request.path.endswith("/sign_out"):
            return raw(b"")
        return as_json({"data": [{"agent_id": agent, "online": True} for agent in content["agents"]]})

    def _proof(self, content: dict[str, Any]) -> dict[str, str]:
        if self.identity is None:
            return {}
        signed = (content["agent_id"] + content["request_id"]).lower()
        return {"cert": self.identity.certificate_pem, "signature": self.identity.sign_hex(signed)}

    def _is_signed(self, content: dict[str, Any]) -> bool:
        key = load_pem_public_key(content["public_key"].encode())
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(bytes.fromhex(content["signature"]), content["nonce"].encode(), ec.ECDSA(SHA256()))
        return bool(content["nonce"] == self.challenge["nonce"])


@dataclass(slots=True)
class Issuers:
    """A place where issuers' certificates are, by path; a test may put anything there."""

    answers: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, request: Request, connection: socket.socket) -> bytes:
        return self.answers.get(request.path) or raw(b"", "404 Not Found")
