"""Connections that are kept, and that a server or a balancer closes at any moment without a word."""

import json
import random
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

import pytest

from agentcp_fsm.errors import FailureKind
from agentcp_fsm.sign_in import AuthClient, Timeouts
from tests.sign_in.calls import AGENT, CREDENTIALS, SESSION, failure_of
from tests.sign_in.certificates import make_identity
from tests.sign_in.servers import Request, SignInService
from tests.waiting import pause

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")


class Moment(Enum):
    """When the server ends a connection, counted from the end of its first answer."""

    AT_ONCE = 0
    AFTER_A_WHILE = 1
    AFTER_ONE_BYTE = 2
    AFTER_THE_HEAD = 3
    AFTER_THE_REQUEST = 4
    AFTER_A_BYTE_OF_THE_ANSWER = 5


class Closing:
    """Answers the first `answers` requests of each connection, and ends it at a moment of the next one."""

    def __init__(
        self, moment: Moment, *, abruptly: bool = False, answers: int = 1, tls: ssl.SSLContext | None = None
    ) -> None:
        self.moment, self.abruptly, self.answers, self.tls = moment, abruptly, answers, tls
        self.service = SignInService()
        self.connections = 0
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    @contextmanager
    def serving(self) -> Iterator["Closing"]:
        thread = threading.Thread(target=self._serve, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._keep, args=(connection,), daemon=True).start()

    def _keep(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:  # how the client ends it is the client's business
            connection.settimeout(10)
            if self.tls is None:
                self._converse(connection)
            else:
                with self.tls.wrap_socket(connection, server_side=True) as secured:
                    self._converse(secured)

    def _converse(self, connection: socket.socket) -> None:
        for _ in range(self.answers):
            self._answer(connection)
        self._end(connection)

    def _answer(self, connection: socket.socket) -> None:
        head = _until(connection, b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        body = b""
        while len(body) < size:
            body += connection.recv(size - len(body))
        line = head.split(b"\r\n")[0].decode()
        self.requests += 1
        answer = self.service(Request(line, {}, json.loads(body), ("", 0)), connection)
        assert answer is not None
        connection.sendall(answer)

    def _end(self, connection: socket.socket) -> None:
        if self.moment is Moment.AFTER_A_WHILE:
            threading.Event().wait(random.random() * 0.002)  # the client is about to send, or has sent
        elif self.moment is Moment.AFTER_ONE_BYTE:
            connection.recv(1)
        elif self.moment is Moment.AFTER_THE_HEAD:
            _until(connection, b"\r\n\r\n")
        elif self.moment is Moment.AFTER_THE_REQUEST:
            connection.recv(65536)
        elif self.moment is Moment.AFTER_A_BYTE_OF_THE_ANSWER:
            connection.recv(65536)
            connection.sendall(b"H")
        if self.abruptly:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _until(connection: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        got += (byte := connection.recv(1))
        if not byte:
            raise ConnectionResetError
    return got


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    folder = tmp_path_factory.mktemp("tls")
    identity = make_identity()
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(identity.certificate_pem)
    key.write_text(identity.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


CLOSED = [
    (Moment.AT_ONCE, False),  # not reset: that may destroy the first answer on its way
    (Moment.AFTER_A_WHILE, False),
    *(
        (moment, abruptly)
        for moment in (Moment.AFTER_ONE_BYTE, Moment.AFTER_THE_HEAD, Moment.AFTER_THE_REQUEST)
        for abruptly in (False, True)
    ),
]


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(("moment", "abruptly"), CLOSED)
def test_a_request_that_dies_unanswered_on_a_kept_connection_is_sent_again(
    moment: Moment, abruptly: bool, secure: bool, tls: tuple[ssl.SSLContext, Path]
) -> None:
    """Every second request of a sign-in failed, for ever, at a server that closes what it promised to keep."""
    context, certificate = tls
    verify = str(certificate) if secure else True
    server = Closing(moment, abruptly=abruptly, tls=context if secure else None)
    with server.serving(), AuthClient(server.url, verify=verify) as client:
        for _ in range(10):
            assert client.sign_in(CREDENTIALS) == SESSION
            client.sign_out(AGENT, SESSION)


def test_an_answer_that_breaks_off_is_a_failure() -> None:
    with Closing(Moment.AFTER_A_BYTE_OF_THE_ANSWER).serving() as server, AuthClient(server.url) as client:
        assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.NETWORK
        assert server.requests == 1


def test_a_request_is_not_sent_again_on_a_connection_of_its_own() -> None:
    with Closing(Moment.AFTER_THE_REQUEST, answers=0).serving() as server, AuthClient(server.url) as client:
        assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.NETWORK
        assert server.connections == 1


def test_a_request_is_sent_again_only_once() -> None:
    with Closing(Moment.AFTER_THE_REQUEST).serving() as server, AuthClient(server.url) as client:
        client.sign_out(AGENT, SESSION)
        server.answers = 0
        assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.NETWORK
        assert server.connections == 2


def test_what_is_sent_again_is_sent_on_a_fresh_connection() -> None:
    """Several may be kept, and closed all together."""
    server = Closing(Moment.AFTER_THE_REQUEST)
    with server.serving(), AuthClient(server.url) as client:
        threads = [threading.Thread(target=client.sign_out, args=(AGENT, SESSION)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _ in range(4):
            assert client.sign_in(CREDENTIALS) == SESSION


def test_a_kept_connection_on_which_nothing_comes_is_no_reason_to_ask_again() -> None:
    class Silent(Closing):
        def _end(self, connection: socket.socket) -> None:
            connection.recv(65536)
            while connection.recv(1):
                pause()

    timeouts = Timeouts(connect=2, read=0.2, total=10)
    with Silent(Moment.AT_ONCE).serving() as server, AuthClient(server.url, timeouts=timeouts) as client:
        client.sign_out(AGENT, SESSION)
        assert failure_of(lambda: client.sign_out(AGENT, SESSION)).kind is FailureKind.TIMEOUT
        assert server.connections == 1
