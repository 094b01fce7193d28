"""The client against real servers: what it sends, what it accepts, and every way in which a server can fail."""

import logging
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentcp_fsm
from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in import Abandonment, AuthClient, Credentials, ServerProofPolicy
from tests.sign_in.calls import AGENT, CREDENTIALS, IDENTITY, SESSION, failure_of, sign_in_failure
from tests.sign_in.certificates import make_identity
from tests.sign_in.servers import (
    Request,
    Server,
    SignInService,
    as_json,
    raw,
    sending,
)
from tests.sign_in.test_answers import json_values
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")


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
