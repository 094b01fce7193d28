"""The client against real servers: what it sends, what it accepts, and every way in which a server can fail."""

import logging
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentcp_fsm
from agentcp_fsm.errors import ConfigError, FailureKind, SignInError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in import Abandonment, AuthClient, Credentials, ServerProofPolicy, Timeouts, Transport
from agentcp_fsm.sign_in.http import KEEP_ALIVE
from tests.sign_in.certificates import Identity, make_identity
from tests.sign_in.servers import (
    BOUND,
    Request,
    Respond,
    Server,
    SignInService,
    as_json,
    dripping,
    hanging,
    hanging_and_telling,
    raw,
    sending,
)
from tests.sign_in.test_answers import json_values
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")

AGENT = "alice.agentid.pub"
IDENTITY = make_identity(AGENT)
CREDENTIALS = Credentials.from_pem(AGENT, IDENTITY.key_pem, IDENTITY.certificate_pem)
SESSION = Session("127.0.0.1", 5000, 7, "the token")
IMPATIENT = Timeouts(connect=2, read=0.2, total=10)
HURRIED = Timeouts(connect=2, read=10, total=0.4)


@pytest.fixture
def service() -> SignInService:
    return SignInService()


@pytest.fixture
def server(service: SignInService) -> Iterator[Server]:
    with Server(service) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[AuthClient]:
    with AuthClient(server.url) as client:
        yield client


def failure_of(call: Callable[[], object]) -> SignInError:
    with pytest.raises(SignInError) as caught:
        call()
    return caught.value


def sign_in_failure(respond: Respond, timeouts: Timeouts | None = None) -> SignInError:
    with Server(respond) as server, AuthClient(server.url, timeouts=timeouts) as client:
        return failure_of(lambda: client.sign_in(CREDENTIALS))


class TestSuccess:
    def test_sign_in(self, client: AuthClient, server: Server) -> None:
        assert client.sign_in(CREDENTIALS) == SESSION
        first, second = server.requests
        assert first.content == {"agent_id": AGENT, "request_id": first.content["request_id"]}
        assert len(bytes.fromhex(first.content["request_id"])) == 16
        assert set(second.content) == {"agent_id", "request_id", "nonce", "public_key", "cert", "signature"}
        assert second.content["request_id"] == first.content["request_id"]
        assert second.content["cert"] == IDENTITY.certificate_pem
        for request in (first, second):
            assert request.line == "POST /sign_in HTTP/1.1"
            assert request.headers["user-agent"].startswith("AgentCP/")
            assert request.headers["user-agent"].endswith(f" (AuthClient; {AGENT})")
            assert request.headers["content-type"] == "application/json"

    def test_every_sign_in_has_its_own_request_id(self, client: AuthClient, server: Server) -> None:
        for _ in range(2):
            client.sign_in(CREDENTIALS)
        assert len({request.content["request_id"] for request in server.requests}) == 2

    def test_an_agent_id_in_another_script(self, client: AuthClient, server: Server) -> None:
        credentials = Credentials.from_pem("智能体.agentid.pub", IDENTITY.key_pem, IDENTITY.certificate_pem)
        assert client.sign_in(credentials) == SESSION
        assert server.requests[0].content["agent_id"] == "智能体.agentid.pub"
        assert (
            server.requests[0].headers["user-agent"].endswith("(AuthClient; %E6%99%BA%E8%83%BD%E4%BD%93.agentid.pub)")
        )

    def test_a_server_url_with_a_path(self, server: Server) -> None:
        with AuthClient(f"{server.url}/api/accesspoint/") as client:
            client.sign_in(CREDENTIALS)
        assert server.requests[0].path == "/api/accesspoint/sign_in"

    def test_sign_out(self, client: AuthClient, server: Server) -> None:
        client.sign_out(AGENT, SESSION)
        assert server.requests[0].path == "/sign_out"
        assert server.requests[0].content == {"agent_id": AGENT, "signature": "the token"}

    def test_query_online_state(self, client: AuthClient, server: Server) -> None:
        states = client.query_online_state(AGENT, SESSION, ("bob.agentid.pub",))
        assert states == [{"agent_id": "bob.agentid.pub", "online": True}]
        assert server.requests[0].path == "/query_online_state"
        assert server.requests[0].content == {
            "agent_id": AGENT,
            "signature": "the token",
            "agents": ["bob.agentid.pub"],
        }

    def test_a_session_that_the_server_forgot(self, client: AuthClient) -> None:
        forgotten = Session("127.0.0.1", 5000, 7, "another token")
        for failure in (
            failure_of(lambda: client.sign_out(AGENT, forgotten)),
            failure_of(lambda: client.query_online_state(AGENT, forgotten, [])),
        ):
            assert (failure.kind, failure.status) == (FailureKind.REJECTED, 401)
            assert "401: no such session" in str(failure)

    def test_an_answer_about_the_online_state_that_is_no_list(self, client: AuthClient, server: Server) -> None:
        server.respond = sending(as_json({"data": {}}))
        failure = failure_of(lambda: client.query_online_state(AGENT, SESSION, []))
        assert (failure.kind, failure.field) == (FailureKind.INVALID_FIELD, "data")

    def test_a_chunked_answer(self, client: AuthClient, service: SignInService, server: Server) -> None:
        def respond(request: Request, connection: socket.socket) -> bytes | None:
            body = (service(request, connection) or b"").partition(b"\r\n\r\n")[2]
            chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[i : i + 1]) for i in range(len(body)))
            return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

        server.respond = respond
        assert client.sign_in(CREDENTIALS) == SESSION

    def test_no_secret_is_logged(self, client: AuthClient, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        client.sign_in(CREDENTIALS)
        client.sign_out(AGENT, SESSION)
        assert "signed out" in caplog.text
        assert "the token" not in caplog.text


class TestStatuses:
    @pytest.mark.parametrize(
        ("status", "kind", "permanent"),
        [
            (400, FailureKind.REJECTED, True),
            (401, FailureKind.REJECTED, False),
            (403, FailureKind.REJECTED, True),
            (404, FailureKind.REJECTED, True),
            (429, FailureKind.HTTP_STATUS, False),
            (500, FailureKind.HTTP_STATUS, False),
            (503, FailureKind.HTTP_STATUS, False),
            (204, FailureKind.HTTP_STATUS, False),
        ],
    )
    def test_a_status(self, status: int, kind: FailureKind, permanent: bool) -> None:
        failure = sign_in_failure(sending(as_json({"error": "the server's words"}, f"{status} Whatever")))
        assert (failure.kind, failure.status, failure.permanent) == (kind, status, permanent)
        assert failure.retry_after is None
        assert ("the server's words" in str(failure)) == (status != 204)

    def test_a_status_of_step_2(self, service: SignInService) -> None:
        def respond(request: Request, connection: socket.socket) -> bytes | None:
            return as_json({}, "403 Forbidden") if "nonce" in request.content else service(request, connection)

        assert sign_in_failure(respond).status == 403

    @pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
    def test_retry_after(self, status: str) -> None:
        assert sign_in_failure(sending(raw(b"", status, "Retry-After: 17"))).retry_after == 17.0
        date = datetime(2030, 1, 1, tzinfo=UTC)
        headers = (f"Date: {format_datetime(date)}", f"Retry-After: {format_datetime(date + timedelta(seconds=40))}")
        assert sign_in_failure(sending(raw(b"", status, *headers))).retry_after == 40.0

    def test_a_redirect_is_not_followed(self, server: Server, service: SignInService) -> None:
        redirect = raw(b"", "307 Temporary Redirect", f"Location: {server.url}/sign_in")
        failure = sign_in_failure(sending(redirect))
        assert (failure.kind, failure.status, failure.permanent) == (FailureKind.REDIRECTED, 307, False)
        assert server.url in str(failure)
        assert server.requests == []

    @pytest.mark.parametrize("location", ["", "http://[", "//", "\xff", "a" * 50_000])
    def test_a_redirect_to_nowhere(self, location: str) -> None:
        failure = sign_in_failure(sending(raw(b"", "302 Found", f"Location: {location}")))
        assert failure.kind is FailureKind.REDIRECTED
        assert len(str(failure)) < 500

    def test_a_status_counts_even_when_its_body_breaks_off(self) -> None:
        failure = sign_in_failure(
            sending(b"HTTP/1.1 503 No\r\nContent-Length: 9\r\nRetry-After: 5\r\n\r\n{", then_close=True)
        )
        assert (failure.kind, failure.status, failure.retry_after) == (FailureKind.HTTP_STATUS, 503, 5.0)


class TestContent:
    def test_html(self) -> None:
        failure = sign_in_failure(sending(raw(b"<html>Log in here</html>", "200 OK", "Content-Type: text/html")))
        assert failure.kind is FailureKind.NOT_JSON
        assert "text/html" in str(failure)

    def test_truncated_json(self) -> None:
        assert sign_in_failure(sending(raw(b'{"nonce": "x'))).kind is FailureKind.NOT_JSON

    def test_an_answer_that_breaks_off(self) -> None:
        answer = b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"nonce": "x"}'
        assert sign_in_failure(sending(answer, then_close=True)).kind is FailureKind.NETWORK

    def test_a_compressed_answer_was_not_asked_for(self) -> None:
        answer = raw(b"\x1f\x8b\x08" + bytes(50), "200 OK", "Content-Encoding: gzip")
        assert sign_in_failure(sending(answer)).kind is FailureKind.NOT_JSON

    @pytest.mark.parametrize("head", [b"Content-Length: 100000000\r\n\r\n", b"Connection: close\r\n\r\n"])
    @pytest.mark.parametrize("status", [200, 307, 503])
    def test_of_100_megabytes_only_the_first_are_read(self, status: int, head: bytes) -> None:
        sent = 0

        def respond(request: Request, connection: socket.socket) -> bytes | None:
            nonlocal sent
            connection.sendall(b"HTTP/1.1 %d X\r\nLocation: /\r\n" % status + head)
            while sent < 100_000_000:
                connection.sendall(bytes(100_000))
                sent += 100_000
            return None

        failure = sign_in_failure(respond)
        assert (failure.kind is FailureKind.TOO_LARGE) == (status == 200)
        assert failure.status == (None if status == 200 else status)
        assert sent < 20_000_000  # what the system's buffers may hold

    @pytest.mark.parametrize("missing", ["server_ip", "port", "sign_cookie", "signature"])
    def test_a_field_of_step_2_is_missing(self, service: SignInService, missing: str) -> None:
        del service.session[missing]
        failure = sign_in_failure(service)
        assert (failure.kind, failure.field) == (FailureKind.MISSING_FIELD, missing)

    def test_the_nonce_is_missing(self, service: SignInService) -> None:
        service.challenge = {}
        failure = sign_in_failure(service)
        assert (failure.kind, failure.field) == (FailureKind.MISSING_FIELD, "nonce")

    def test_a_nonce_that_cannot_be_signed(self, service: SignInService) -> None:
        service.challenge = {"nonce": "\ud800"}
        assert sign_in_failure(service).kind is FailureKind.INVALID_FIELD

    def test_a_port_out_of_range(self, service: SignInService) -> None:
        service.session["port"] = 65_536
        failure = sign_in_failure(service)
        assert (failure.kind, failure.field) == (FailureKind.INVALID_FIELD, "port")

    def test_arbitrary_answers(self, client: AuthClient, server: Server, service: SignInService) -> None:
        fields = st.sampled_from(["nonce", "cert", "signature", "error", "server_ip", "port", "sign_cookie"])
        objects = st.dictionaries(fields, json_values)

        @settings(deadline=None)
        @given(objects | json_values, objects, st.booleans())
        def check(challenge: Any, session: dict[str, Any], sane: bool) -> None:
            if sane:
                challenge = {"nonce": "x"}
                session = {**service.session, **session}
            server.respond = lambda request, _: as_json(session if "nonce" in request.content else challenge)
            with suppress(SignInError):
                assert isinstance(client.sign_in(CREDENTIALS), Session)

        check()

    def test_arbitrary_bytes(self, client: AuthClient, server: Server) -> None:
        lines = st.binary(max_size=20).map(lambda line: line.replace(b"\n", b""))
        names = st.sampled_from(
            [b"Content-Length", b"Transfer-Encoding", b"Location", b"Set-Cookie", b"Connection", b"Retry-After", b"X"]
        )
        values = lines | st.sampled_from([b"5", b"-5", b"chunked", b"close", b"gzip", b"a=b; expires=x; path=/"])
        headers = st.lists(st.builds(lambda name, value: name + b": " + value, names, values) | lines, max_size=4)

        @settings(deadline=None)
        @given(
            st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 302 X", b"HTTP/1.1 100 C"]) | lines, headers, st.binary()
        )
        def check(status: bytes, headers: list[bytes], body: bytes) -> None:
            server.respond = sending(b"\r\n".join([status, *headers, b"", body]), then_close=True)
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind in FailureKind

        check()


class TestTime:
    """What must end at a bound is given room only to prove that it did not wait for the server."""

    def assert_times_out(self, respond: Respond, timeouts: Timeouts) -> None:
        started = time.monotonic()
        failure = sign_in_failure(respond, timeouts)
        assert time.monotonic() - started < 5
        assert failure.kind is FailureKind.TIMEOUT
        assert "no complete answer in time" in str(failure)
        assert not failure.permanent

    @pytest.mark.parametrize(
        "sent", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"]
    )
    def test_a_server_that_hangs(self, sent: bytes) -> None:
        self.assert_times_out(hanging(sent), IMPATIENT)

    @pytest.mark.parametrize(
        ("head", "drip"),
        [
            (b"", b"H"),
            (b"HTTP/1.1 200 OK\r\n", b"X"),
            (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", b" "),
            (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        ],
    )
    def test_a_server_that_drips(self, head: bytes, drip: bytes) -> None:
        self.assert_times_out(dripping(head, drip), HURRIED)

    def test_the_total_counts_for_both_steps(self, service: SignInService) -> None:
        hang = hanging()

        def respond(request: Request, connection: socket.socket) -> bytes | None:
            return hang(request, connection) if "nonce" in request.content else service(request, connection)

        self.assert_times_out(respond, HURRIED)

    def test_a_sign_out_has_a_time_of_its_own(self, client: AuthClient, server: Server) -> None:
        server.respond = hanging()
        started = time.monotonic()
        assert failure_of(lambda: client.sign_out(AGENT, SESSION, timeout=0.2)).kind is FailureKind.TIMEOUT
        assert time.monotonic() - started < 5

    def test_a_status_whose_body_drips_is_still_the_status(self) -> None:
        drip = dripping(b"HTTP/1.1 503 X\r\nContent-Length: 10000\r\n\r\n", b" ")
        assert sign_in_failure(drip, HURRIED).status == 503

    def test_a_server_that_never_accepts(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as queued:
            queued.connect(listener.getsockname())  # fills the queue: the next one's SYN goes unanswered
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with AuthClient(url, timeouts=Timeouts(connect=0.2, read=10, total=30)) as client:
                failure = failure_of(lambda: client.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.TIMEOUT

    def test_a_server_that_hangs_before_tls(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"
            with AuthClient(url, timeouts=Timeouts(connect=0.2, read=10, total=30)) as client:
                assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.TIMEOUT

    @pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e10, True, "3", None])
    @pytest.mark.parametrize("name", ["connect", "read", "total"])
    def test_a_timeout_that_cannot_work(self, name: str, value: Any) -> None:
        with pytest.raises(ConfigError, match=f"the timeout {name}={value!r}: give a finite number of seconds"):
            Timeouts(**{name: value})


class TestNetwork:
    def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with AuthClient(f"http://127.0.0.1:{port}") as client:
            failure = failure_of(lambda: client.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.NETWORK
        assert "Connection refused" in str(failure)
        assert not failure.permanent

    def test_a_connection_that_is_closed_at_once(self) -> None:
        assert sign_in_failure(lambda *_: None).kind is FailureKind.NETWORK

    def test_a_server_that_comes_back(self, client: AuthClient, server: Server, service: SignInService) -> None:
        client.sign_in(CREDENTIALS)
        server.respond = lambda *_: None
        assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.NETWORK
        server.respond = service
        assert client.sign_in(CREDENTIALS) == SESSION

    def test_a_kept_connection_that_the_server_closed(
        self, client: AuthClient, server: Server, service: SignInService
    ) -> None:
        def respond(request: Request, connection: socket.socket) -> bytes | None:
            connection.sendall(service(request, connection) or b"")
            return None

        server.respond = respond
        client.sign_out(AGENT, SESSION)
        until(lambda: not server.connections)
        server.respond = service
        assert client.sign_in(CREDENTIALS) == SESSION


class TestTransport:
    def test_calls_share_a_connection_and_threads_do_not(self, server: Server, service: SignInService) -> None:
        together = threading.Barrier(3, timeout=BOUND)

        def respond(request: Request, connection: socket.socket) -> bytes | None:
            if "nonce" not in request.content:
                together.wait()
            return service(request, connection)

        server.respond = respond
        transport = Transport()
        clients = [AuthClient(server.url, transport=transport) for _ in range(3)]
        with ThreadPoolExecutor(3) as pool:
            for _ in range(3):
                assert list(pool.map(lambda client: client.sign_in(CREDENTIALS), clients)) == [SESSION] * 3
        assert len(server.requests) == 18
        assert len({request.peer for request in server.requests}) == 3
        transport.close()

    def test_close_drops_the_connections_and_calls_still_work(self, server: Server) -> None:
        transport = Transport()
        client = AuthClient(server.url, transport=transport)
        client.sign_in(CREDENTIALS)
        client.close()  # which leaves a shared transport alone
        client.sign_in(CREDENTIALS)
        assert len({request.peer for request in server.requests}) == 1
        transport.close()
        client.sign_out(AGENT, SESSION)
        client.sign_out(AGENT, SESSION)
        assert len({request.peer for request in server.requests}) == 3

    def test_a_connection_idle_for_long_is_not_reused(
        self, client: AuthClient, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client.sign_out(AGENT, SESSION)
        monkeypatch.setattr("agentcp_fsm.sign_in.http.KEEP_ALIVE", -1.0)
        client.sign_out(AGENT, SESSION)
        assert len({request.peer for request in server.requests}) == 2

    def test_no_connection_is_kept_that_a_change_of_address_has_made_useless(self) -> None:
        config = Config()
        noticing = sum(config.send_retry_initial * 2**failure for failure in range(config.send_failure_limit - 1))
        assert noticing > KEEP_ALIVE

    def test_cookies_and_netrc_stay_out(
        self, client: AuthClient, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("default login somebody password secret\n")
        monkeypatch.setenv("NETRC", str(netrc))
        server.respond = sending(raw(b"", "200 OK", "Set-Cookie: a=b; Path=/"))
        for _ in range(2):
            client.sign_out(AGENT, SESSION)
        for request in server.requests:
            assert not {"cookie", "authorization"} & set(request.headers)

    def test_loopback_needs_no_proxy(self, client: AuthClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        assert client.sign_in(CREDENTIALS) == SESSION

    def test_the_environments_proxy_is_used(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", server.url)
        with AuthClient("http://heartbeat.invalid", allow_insecure_http=True) as client:
            assert client.sign_in(CREDENTIALS) == SESSION
        assert server.requests[0].line == "POST http://heartbeat.invalid/sign_in HTTP/1.1"

    def test_a_proxy_that_refuses(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("https_proxy", server.url)
        server.respond = sending(b"HTTP/1.1 407 No\r\n\r\n", then_close=True)
        with AuthClient("https://heartbeat.invalid") as client:
            failure = failure_of(lambda: client.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.NETWORK
        assert "407" in str(failure)

    def test_a_proxy_that_drips(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("https_proxy", server.url)
        server.respond = dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")
        with AuthClient("https://heartbeat.invalid", timeouts=HURRIED) as client:
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.TIMEOUT

    def test_a_forked_child_uses_its_own_connections(self, server: Server) -> None:
        script = """
import os, sys
from agentcp_fsm.sign_in import AuthClient
from agentcp_fsm.lifecycle.session import Session
client = AuthClient(sys.argv[1])
session = Session("127.0.0.1", 5000, 7, "the token")
client.sign_out("parent", session)
child = os.fork()
client.sign_out("child" if child == 0 else "parent", session)
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
        subprocess.run([sys.executable, "-c", script, server.url], check=True, timeout=60)
        peers = {
            name: {r.peer for r in server.requests if r.content["agent_id"] == name} for name in ("parent", "child")
        }
        assert len(peers["parent"]) == 1
        assert len(peers["child"]) == 1
        assert not peers["parent"] & peers["child"]


class TestTLS:
    @staticmethod
    def context(identity: Identity, folder: Path) -> ssl.SSLContext:
        file = folder / "server.pem"
        file.write_text(identity.key_pem + identity.certificate_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    @pytest.fixture
    def authority(self) -> Identity:
        return make_identity("ca", authority=True)

    @pytest.fixture
    def authority_file(self, authority: Identity, tmp_path: Path) -> Path:
        file = tmp_path / "ca.pem"
        file.write_text(authority.certificate_pem)
        return file

    @pytest.fixture
    def tls_server(self, authority: Identity, service: SignInService, tmp_path: Path) -> Iterator[Server]:
        with Server(service, self.context(make_identity("server", authority), tmp_path)) as server:
            yield server

    def test_a_private_authority_is_trusted_by_its_file(self, tls_server: Server, authority_file: Path) -> None:
        with AuthClient(tls_server.url, verify=authority_file) as client:
            assert client.sign_in(CREDENTIALS) == SESSION
        assert len({request.peer for request in tls_server.requests}) == 1

    def test_and_refused_without(self, tls_server: Server) -> None:
        with AuthClient(tls_server.url) as client:
            failure = failure_of(lambda: client.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.UNPROVEN_SERVER
        assert failure.permanent
        assert "TLS certificate" in str(failure)
        assert tls_server.requests == []

    def test_trust_is_not_shared_through_a_transport(self, tls_server: Server, authority_file: Path) -> None:
        transport = Transport()
        assert AuthClient(tls_server.url, verify=authority_file, transport=transport).sign_in(CREDENTIALS) == SESSION
        failure = failure_of(lambda: AuthClient(tls_server.url, transport=transport).sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.UNPROVEN_SERVER
        transport.close()

    def test_a_certificate_for_another_host(self, tls_server: Server, authority_file: Path) -> None:
        with AuthClient(tls_server.url.replace("127.0.0.1", "localhost"), verify=authority_file) as client:
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.UNPROVEN_SERVER

    def test_a_server_without_tls(self) -> None:
        def answer_in_the_clear() -> None:
            with listener.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
            pool.submit(answer_in_the_clear)
            with AuthClient(f"https://127.0.0.1:{listener.getsockname()[1]}") as client:
                failure = failure_of(lambda: client.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.NETWORK
        assert re.search(r"what answers speaks no TLS \(OpenSSL: (wrong version number|http request)\): ", str(failure))

    def test_a_server_that_leaves_in_the_midst_of_the_handshake(self) -> None:
        def leave() -> None:
            with listener.accept()[0] as connection:
                connection.recv(65536)

        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
            pool.submit(leave)
            with AuthClient(f"https://127.0.0.1:{listener.getsockname()[1]}") as client:
                failure = failure_of(lambda: client.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.NETWORK
        assert "the connection was closed in the midst of TLS: check" in str(failure)

    def test_a_server_that_drips_over_tls(self, tls_server: Server, authority_file: Path) -> None:
        tls_server.respond = dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" ")
        with AuthClient(tls_server.url, verify=authority_file, timeouts=HURRIED) as client:
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.TIMEOUT

    def test_an_abandoned_sign_in_over_tls(self, tls_server: Server, authority_file: Path) -> None:
        with AuthClient(tls_server.url, verify=authority_file) as client:
            TestAbandonment.assert_ends_at_once(client, tls_server)

    def test_verification_cannot_be_turned_off(self) -> None:
        with pytest.raises(ConfigError, match="verify cannot be turned off"):
            AuthClient("https://heartbeat.example", verify=False)

    def test_an_authority_file_that_cannot_work(self, tmp_path: Path) -> None:
        (tmp_path / "junk.pem").write_text("junk")
        for path in (tmp_path / "none.pem", str(tmp_path / "junk.pem")):
            with pytest.raises(ConfigError, match=r"verify \(--ca-file\) names"):
                AuthClient("https://heartbeat.example", verify=path)


class TestURL:
    @pytest.mark.parametrize(
        "url",
        ["", "heartbeat.example", "ftp://heartbeat.example", "https://", "https://h:99999", "https://h e", "https://["],
    )
    def test_what_is_no_url(self, url: str) -> None:
        with pytest.raises(ConfigError, match=r"the server's URL .*give one such as https://"):
            AuthClient(url)

    @pytest.mark.parametrize("part", ["https://user:secret@h", "https://h/?a=b", "https://h/#a"])
    def test_a_url_with_more_than_a_server(self, part: str) -> None:
        with pytest.raises(ConfigError, match="a user, a query or a fragment") as caught:
            AuthClient(part)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        "url",
        [
            "http://heartbeat.example",
            "http://192.0.2.1",
            "http://127.0.0.1.example",
            "HTTP://Localhost.example",
            "http://[::2]",
        ],
    )
    def test_plain_http_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigError, match="allow_insecure_http"):
            AuthClient(url)
        AuthClient(url, allow_insecure_http=True)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.8.8.8", "http://[::1]:1", "HTTP://LOCALHOST"])
    def test_plain_http_to_loopback_is_allowed(self, url: str) -> None:
        AuthClient(url)

    def test_no_trust_roots_is_not_an_empty_list_of_them(self) -> None:
        with pytest.raises(ConfigError, match="trust_roots is empty"):
            AuthClient("https://heartbeat.example", trust_roots=[])

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"trust_roots": "root.pem"}, r"trust_roots is 'root.pem'.*load_trust_roots"),
            ({"trust_roots": ["root.pem"]}, r"trust_roots is \['root.pem'\].*load_trust_roots"),
            ({"server_proof": "always"}, r"server_proof is 'always': give 'verify_if_offered' or 'require'"),
            ({"verify": 5}, "verify is 5: give True, or the path"),
        ],
    )
    def test_an_option_of_the_wrong_kind_is_one_clear_error(self, options: dict[str, Any], says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            AuthClient("https://heartbeat.example", **options)


class TestServerProof:
    ROOT = make_identity("root", authority=True)
    PROVEN = make_identity("server", ROOT)

    @pytest.mark.parametrize("policy", list(ServerProofPolicy))
    @pytest.mark.parametrize("roots", [None, [ROOT.certificate]])
    def test_a_server_that_proves_itself(
        self, server: Server, service: SignInService, policy: ServerProofPolicy, roots: Any
    ) -> None:
        service.identity = self.PROVEN
        with AuthClient(server.url, server_proof=policy, trust_roots=roots) as client:
            assert client.sign_in(CREDENTIALS) == SESSION

    def test_a_server_that_offers_no_proof(self, server: Server, client: AuthClient) -> None:
        assert client.sign_in(CREDENTIALS) == SESSION
        with AuthClient(server.url, server_proof=ServerProofPolicy.REQUIRE) as strict:
            failure = failure_of(lambda: strict.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.UNPROVEN_SERVER
        assert failure.permanent

    @pytest.mark.parametrize(
        "proof",
        [{"cert": PROVEN.certificate_pem}, {"signature": "00"}, {"cert": PROVEN.certificate_pem, "signature": "00"}],
    )
    def test_a_server_that_fails_to_is_sent_nothing_more(
        self, server: Server, client: AuthClient, service: SignInService, proof: dict[str, str]
    ) -> None:
        service.challenge |= proof
        failure = failure_of(lambda: client.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.UNPROVEN_SERVER
        assert len(server.requests) == 1

    def test_a_proof_without_a_trusted_root(self, server: Server, service: SignInService) -> None:
        service.identity = make_identity("self-made")
        with AuthClient(server.url, trust_roots=[self.ROOT.certificate]) as client:
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.UNPROVEN_SERVER


class TestAbandonment:
    @staticmethod
    def assert_ends_at_once(client: AuthClient, server: Server) -> None:
        """Abandon a sign-in whose first step hangs, long before the read timeout."""
        asked = threading.Event()
        server.respond = hanging_and_telling(asked)
        abandonment = Abandonment()
        with ThreadPoolExecutor(1) as pool:
            result: Future[Session] = pool.submit(client.sign_in, CREDENTIALS, abandonment)
            assert asked.wait(BOUND)
            started = time.monotonic()
            abandonment.abandon()
            failure = failure_of(lambda: result.result(BOUND))
        assert time.monotonic() - started < 5
        assert failure.kind is FailureKind.ABANDONED
        assert len(server.requests) == 1

    def test_an_answer_is_not_waited_for(self, client: AuthClient, server: Server) -> None:
        self.assert_ends_at_once(client, server)

    def test_abandoned_before_it_began(self, client: AuthClient, server: Server) -> None:
        abandonment = Abandonment()
        abandonment.abandon()
        for call in (
            lambda: client.sign_in(CREDENTIALS, abandonment),
            lambda: client.sign_out(AGENT, SESSION, abandonment),
            lambda: client.query_online_state(AGENT, SESSION, [], abandonment),
        ):
            assert failure_of(call).kind is FailureKind.ABANDONED
        assert server.requests == []

    def test_abandoned_while_step_1_is_answered(
        self, client: AuthClient, server: Server, service: SignInService
    ) -> None:
        abandonment = Abandonment()

        def respond(request: Request, connection: socket.socket) -> bytes | None:
            abandonment.abandon()
            return service(request, connection)

        server.respond = respond
        assert failure_of(lambda: client.sign_in(CREDENTIALS, abandonment)).kind is FailureKind.ABANDONED
        assert len(server.requests) == 1

    def test_abandoned_between_the_steps(self, client: AuthClient, server: Server) -> None:
        class LosesInterest(Abandonment):
            """Is abandoned from the second look on, which comes after step 1."""

            looks = 0

            @property
            def abandoned(self) -> bool:
                self.looks += 1
                return self.looks > 1

        assert failure_of(lambda: client.sign_in(CREDENTIALS, LosesInterest())).kind is FailureKind.ABANDONED
        assert len(server.requests) == 1

    def test_abandoned_in_step_2_it_hands_back_the_session(
        self, client: AuthClient, server: Server, service: SignInService
    ) -> None:
        abandonment = Abandonment()

        def respond(request: Request, connection: socket.socket) -> bytes | None:
            if "nonce" in request.content:
                abandonment.abandon()
            return service(request, connection)

        server.respond = respond
        assert client.sign_in(CREDENTIALS, abandonment) == SESSION

    def test_a_late_abandonment_harms_nobody(self, client: AuthClient) -> None:
        abandonment = Abandonment()
        session = client.sign_in(CREDENTIALS, abandonment)
        abandonment.abandon()
        abandonment.abandon()
        assert abandonment.abandoned
        client.sign_out(AGENT, session)


def test_importing_the_package_alone_stays_light() -> None:
    script = "import sys, agentcp_fsm; sys.exit(any(name in sys.modules for name in ('requests', 'cryptography')))"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_what_a_connection_takes_is_the_packages_own() -> None:
    for name in ("AuthClient", "Credentials", "ServerProofPolicy", "load_trust_roots"):
        assert getattr(agentcp_fsm, name) is getattr(agentcp_fsm.sign_in, name)


def test_no_descriptor_is_left(server: Server) -> None:
    def open_descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with AuthClient(server.url) as client:
        client.sign_in(CREDENTIALS)
    before = open_descriptors()
    for _ in range(20):
        abandonment = Abandonment()
        with AuthClient(server.url) as client:
            client.sign_in(CREDENTIALS, abandonment)
        abandonment.abandon()
    until(lambda: open_descriptors() <= before)  # the server's ends close in their own threads
