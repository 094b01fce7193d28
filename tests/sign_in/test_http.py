"""Time, broken networks, shared connections and abandoned calls, against real servers."""

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm.errors import ConfigError, FailureKind
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.sign_in import Abandonment, AuthClient, Timeouts, Transport
from agentcp_fsm.sign_in.http import KEEP_ALIVE
from tests.needs import needs_posix
from tests.sign_in.calls import (
    AGENT,
    CREDENTIALS,
    HURRIED,
    IMPATIENT,
    SESSION,
    assert_ends_at_once,
    failure_of,
    sign_in_failure,
)
from tests.sign_in.servers import (
    BOUND,
    Request,
    Respond,
    Server,
    SignInService,
    dripping,
    hanging,
    raw,
    sending,
)
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")


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

    def test_the_environments_proxy_is_used(
        self, server: Server, service: SignInService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", server.url)
        service.session["server_ip"] = "192.0.2.1"  # what answers is elsewhere, though the proxy is here
        with AuthClient("http://heartbeat.invalid", allow_insecure_http=True) as client:
            assert client.sign_in(CREDENTIALS).host == "192.0.2.1"
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
        needs_posix("a process forks")
        script = """
import os, sys
from agentcp_fsm.sign_in import AuthClient
from tests.needs import needs_posix
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


class TestAbandonment:
    def test_an_answer_is_not_waited_for(self, client: AuthClient, server: Server) -> None:
        assert_ends_at_once(client, server)

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
