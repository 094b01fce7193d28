"""How missing issuers are fetched: from where, how much, how long, and from whom not."""

import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from agentcp_fsm.errors import FailureKind
from agentcp_fsm.sign_in.http import MAX_ANSWER
from agentcp_fsm.sign_in.trust import issuers
from agentcp_fsm.sign_in.trust.chain import MAX_FETCHES, MAX_KNOWN, ChainVerifier
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher
from agentcp_fsm.support.abandonment import Abandonment
from agentcp_fsm.support.addresses import is_public
from tests.sign_in.certificates import Identity, make_identity
from tests.sign_in.chains import BEFORE, ROOT, assert_unproven, call, refusal, verifier, verify
from tests.sign_in.servers import (
    BOUND,
    Issuers,
    Request,
    Server,
    dripping,
    hanging_and_telling,
    raw,
)

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")


class TestFetching:
    def middle_at(self, url: str, place: Issuers) -> Identity:
        middle = make_identity("middle", ROOT, authority=True)
        place.answers[url] = raw(middle.certificate_der)
        return middle

    def test_an_issuer_is_asked_once_and_then_remembered(self, place: Issuers, host: Server) -> None:
        middle = self.middle_at("/ca", place)
        chain = verifier()
        for name in ("a", "b"):
            verify(chain, make_identity(name, middle, issuer_urls=[f"{host.url}/ca"]))
        assert [request.line for request in host.requests] == ["GET /ca HTTP/1.1"]
        assert host.requests[0].headers["host"] == host.url.removeprefix("http://")
        assert not {"cookie", "authorization"} & set(host.requests[0].headers)

    def test_nothing_is_remembered_of_a_chain_that_does_not_hold(self, place: Issuers, host: Server) -> None:
        stranger = make_identity("stranger", authority=True)
        place.answers["/ca"] = raw(stranger.certificate_pem.encode())
        chain = verifier()
        for count in (1, 2):
            refusal(chain, make_identity("server", stranger, issuer_urls=[f"{host.url}/ca"]))
            assert len(host.requests) == count

    def test_two_clients_share_no_memory(self, place: Issuers, host: Server) -> None:
        server = make_identity("server", self.middle_at("/ca", place), issuer_urls=[f"{host.url}/ca"])
        verify(verifier(), server)
        verify(verifier(), server)
        assert len(host.requests) == 2

    def test_memory_is_bounded_and_an_expired_issuer_is_asked_for_again(self, place: Issuers, host: Server) -> None:
        chain = verifier()
        for number in range(MAX_KNOWN + 1):
            verify(chain, make_identity("server", self.middle_at("/ca", place), issuer_urls=[f"{host.url}/ca"]))
            assert len(host.requests) == number + 1
        assert len(chain._known) == MAX_KNOWN
        middle = make_identity("middle", ROOT, authority=True, valid_until=BEFORE)
        chain._known = (middle.certificate,)
        place.answers["/ca"] = raw(b"", "404 Not Found")
        assert_unproven(refusal(chain, make_identity("s", middle, issuer_urls=[f"{host.url}/ca"])), "HTTP status 404")

    def test_the_next_place_is_asked_when_one_fails(self, place: Issuers, host: Server) -> None:
        middle = self.middle_at("/ca", place)
        places = ["ldap://ldap.example/cn=ca", f"{host.url}/gone", f"{host.url}/ca"]
        verify(verifier(), make_identity("server", middle, issuer_urls=places))

    def test_only_a_chain_that_breaks_off_is_asked_about(self, place: Issuers, host: Server) -> None:
        middle = make_identity("middle", ROOT, authority=True, path_length=0, issuer_urls=[f"{host.url}/root"])
        below = make_identity("below", middle, authority=True, issuer_urls=[f"{host.url}/middle"])
        verify(verifier(), make_identity("server", middle, issuer_urls=[f"{host.url}/middle"]), middle)
        refusal(verifier(), make_identity("server", below), below, middle)
        assert not host.requests

    def test_issuers_that_name_each_other_end(self, place: Issuers, host: Server) -> None:
        first = make_identity("first", authority=True)
        second = make_identity("second", authority=True)

        def cross(subject: Identity, issuer: Identity, path: str) -> None:
            url = f"{host.url}/{issuer.certificate.subject.rfc4514_string()}"
            crossed = make_identity(
                subject.certificate.subject.rfc4514_string()[3:],
                issuer,
                authority=True,
                issuer_urls=[url],
                key=subject.key,
            )
            place.answers[path] = raw(crossed.certificate_pem.encode())

        cross(first, second, "/CN=first")
        cross(second, first, "/CN=second")
        server = make_identity("server", first, issuer_urls=[f"{host.url}/CN=first"])
        assert_unproven(refusal(verifier(), server), "no trusted root")
        assert len(host.requests) == 2

    def test_a_chain_without_end_ends(self, place: Issuers, host: Server) -> None:
        chain = [make_identity("top", authority=True)]
        for number in range(2 * MAX_FETCHES, 0, -1):
            urls = [f"{host.url}/{number}"]
            place.answers[f"/{number}"] = raw(chain[-1].certificate_der)
            chain.append(make_identity(f"{number}", chain[-1], authority=True, issuer_urls=urls))
        assert_unproven(refusal(verifier(), chain[-1]), f"{MAX_FETCHES} issuers were asked")
        assert len(host.requests) == MAX_FETCHES

    def test_a_certificate_that_names_a_trusted_issuers_place_is_not_its_certificate(
        self, place: Issuers, host: Server
    ) -> None:
        url = f"{host.url}/ca"
        middle = self.middle_at("/ca", place)
        chain = verifier()
        verify(chain, make_identity("server", middle, issuer_urls=[url]))
        mallory = make_identity("middle", authority=True)
        for _ in range(2):
            failure = refusal(chain, make_identity("server", mallory, issuer_urls=[url]))
            assert_unproven(failure, "did not issue the certificate of CN=server")

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (raw(b"<html>"), "is no issuer's certificate"),
            (raw(b""), "is no issuer's certificate"),
            (raw(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "is no issuer's certificate"),
            (raw(bytes(MAX_ANSWER + 1)), "is larger than"),
            (raw(b"", "302 Found", "Location: /ca"), "HTTP status 302"),
            (raw(b"", "301 Moved", "Location: file:///etc/passwd"), "HTTP status 301"),
            (raw(b"", "503 Busy"), "HTTP status 503"),
            (raw(ROOT.certificate_der), "did not issue"),
        ],
    )
    def test_what_is_no_issuer(self, place: Issuers, host: Server, answer: bytes, says: str) -> None:
        middle = self.middle_at("/ca", place)
        place.answers["/x"] = answer
        assert_unproven(refusal(verifier(), make_identity("s", middle, issuer_urls=[f"{host.url}/x"])), says)
        assert len(host.requests) == 1

    def test_of_a_huge_answer_only_the_first_is_read(self, host: Server) -> None:
        sent = 0

        def respond(request: Request, connection: socket.socket) -> bytes | None:
            nonlocal sent
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while sent < 100_000_000:
                connection.sendall(bytes(100_000))
                sent += 100_000
            return None

        host.respond = respond
        server = make_identity("server", make_identity("middle", ROOT, authority=True), issuer_urls=[f"{host.url}/ca"])
        assert_unproven(refusal(verifier(), server), "is larger than")
        assert sent < 20_000_000  # what the system's buffers may hold

    @pytest.mark.parametrize(
        "url",
        [
            "file:///etc/passwd",
            "ftp://127.0.0.1/ca",
            "ldap://127.0.0.1/cn=ca",
            "//127.0.0.1/ca",
            "/etc/passwd",
            "",
            "http://",
            "http://user:secret@127.0.0.1/ca",
            "http://[",
            "http://127.0.0.1:99999/",
            "data:,x",
            "gopher://127.0.0.1:25/",
        ],
    )
    def test_only_http_and_https_are_asked(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def forbidden(*_: object, **__: object) -> None:
            raise AssertionError("the network was asked")

        monkeypatch.setattr(socket, "getaddrinfo", forbidden)
        server = make_identity("server", make_identity("middle", ROOT, authority=True), issuer_urls=[url])
        assert refusal(verifier(), server).kind is FailureKind.UNPROVEN_SERVER

    @pytest.mark.parametrize("end", ["", ":1", ":99999", "/ca"])
    @pytest.mark.parametrize("start", ["http://127.0.0.1", "http://127.0.0.1:1", "file://"])
    def test_a_place_steers_no_log(self, start: str, end: str) -> None:
        url = f"{start}/\x1b[2J\r\nX: y{'a' * 5000}{end}"
        server = make_identity("server", make_identity("middle", ROOT, authority=True), issuer_urls=[url])
        text = str(refusal(verifier(), server))
        assert text.isprintable()
        assert len(text) < 600

    def test_a_network_that_fails_is_no_reason_to_call_for_a_person(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/ca"
        server = make_identity("server", make_identity("middle", ROOT, authority=True), issuer_urls=[url])
        failure = refusal(verifier(), server)
        assert (failure.kind, failure.permanent) == (FailureKind.NETWORK, False)
        assert "Connection refused" in str(failure)
        assert url in str(failure)


class TestBounds:
    def server_at(self, host: Server) -> Identity:
        middle = make_identity("middle", ROOT, authority=True)
        return make_identity("server", middle, issuer_urls=[f"{host.url}/ca"])

    @pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
    def test_a_slow_drip_ends_with_the_sign_ins_time(self, host: Server, head: bytes) -> None:
        host.respond = dripping(head, b"X")
        started = time.monotonic()
        failure = refusal(verifier(), self.server_at(host), within=call(total=0.3))
        assert time.monotonic() - started < 4
        assert (failure.kind, failure.permanent) == (FailureKind.TIMEOUT, False)

    def test_and_with_a_fetchs_own(self, host: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(issuers, "FETCH_TIME", 0.3)
        host.respond = dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"X")
        failure = refusal(verifier(), self.server_at(host))
        assert failure.kind is FailureKind.TIMEOUT
        assert "all of it 0.3 s" in str(failure)

    def test_an_abandoned_sign_in_waits_for_no_issuer(self, host: Server) -> None:
        asked = threading.Event()
        host.respond = hanging_and_telling(asked)
        abandonment = Abandonment()
        self.assert_ends_at_once(self.server_at(host), asked, abandonment)

    def test_nor_for_its_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, over = threading.Event(), threading.Event()

        def getaddrinfo(*_: object, **__: object) -> list[Any]:
            asked.set()
            over.wait(BOUND)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        middle = make_identity("middle", ROOT, authority=True)
        server = make_identity("server", middle, issuer_urls=["http://slow.example/ca"])
        self.assert_ends_at_once(server, asked, Abandonment())
        failure = refusal(verifier(), server, within=call(total=0.2))
        assert failure.kind is FailureKind.TIMEOUT
        over.set()

    @staticmethod
    def assert_ends_at_once(server: Identity, asked: threading.Event, abandonment: Abandonment) -> None:
        with ThreadPoolExecutor(1) as pool:
            result = pool.submit(refusal, verifier(), server, within=call(abandonment=abandonment))
            assert asked.wait(BOUND)
            started = time.monotonic()
            abandonment.abandon()
            assert result.result(BOUND).kind is FailureKind.ABANDONED
        assert time.monotonic() - started < 4

    def test_a_name_without_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        middle = make_identity("middle", ROOT, authority=True)
        for host in ("nowhere.invalid", "a" * 64 + ".invalid"):
            server = make_identity("server", middle, issuer_urls=[f"http://{host}/ca"])
            failure = refusal(verifier(private=False), server)
            assert (failure.kind, failure.permanent) == (FailureKind.NETWORK, False)


class TestPrivateAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:0:7f00:1::",
            "fe80::1",
            "fe80::1%lo",
            "fc00::1",
            "fec0::1",
            "::7f00:1",
            "::ffff:0:7f00:1",
            "64:ff9b:1::7f00:1",
            "ff02::1",
        ],
    )
    def test_what_is_private(self, address: str) -> None:
        assert not is_public(address)

    @pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
    def test_what_is_public(self, address: str) -> None:
        assert is_public(address)

    @pytest.mark.parametrize(
        "written", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"]
    )
    def test_loopback_is_not_asked_however_it_is_written(self, place: Issuers, host: Server, written: str) -> None:
        middle = make_identity("middle", ROOT, authority=True)
        place.answers["/ca"] = raw(middle.certificate_der)
        url = host.url.replace("127.0.0.1", written) + "/ca"
        server = make_identity("server", middle, issuer_urls=[url])
        assert_unproven(refusal(verifier(private=False), server), "is inside a private network")
        assert not host.requests
        verify(verifier(private=True), server)

    def test_a_name_that_changes_its_address_is_looked_up_once(
        self, place: Issuers, host: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was judged is what is asked: a name may mean something else a moment later."""
        middle = make_identity("middle", ROOT, authority=True)
        place.answers["/ca"] = raw(middle.certificate_der)
        really = socket.getaddrinfo
        looked_up: list[str] = []

        def getaddrinfo(name: str, *arguments: Any, **options: Any) -> Any:
            if name == "rebinding.example":
                looked_up.append(name)
                name = "127.0.0.1" if len(looked_up) == 1 else "127.0.0.2"
            return really(name, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(issuers, "is_public", lambda address: address == "127.0.0.1")
        port = host.url.rpartition(":")[2]
        url = f"http://rebinding.example:{port}/ca"
        verify(verifier(private=False), make_identity("server", middle, issuer_urls=[url]))
        assert looked_up == ["rebinding.example"]
        assert host.requests[0].headers["host"] == f"rebinding.example:{port}"


class TestTLS:
    def test_an_issuer_over_https_is_asked_of_the_right_host_only(self, place: Issuers, tmp_path: Path) -> None:
        authority = make_identity("ca", authority=True)
        authorities = tmp_path / "ca.pem"
        authorities.write_text(authority.certificate_pem)
        tls = make_identity("tls", authority, names=[x509.DNSName("localhost")])
        (tmp_path / "tls.pem").write_text(tls.key_pem + tls.certificate_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "tls.pem")
        middle = make_identity("middle", ROOT, authority=True)
        place.answers["/ca"] = raw(middle.certificate_der)
        with Server(place, context) as host:
            right, wrong = (
                make_identity("server", middle, issuer_urls=[host.url.replace("127.0.0.1", name) + "/ca"])
                for name in ("localhost", "127.0.0.1")
            )
            for verify_tls, server, holds in (
                (str(authorities), right, True),
                (str(authorities), wrong, False),
                (True, right, False),
            ):
                chain = ChainVerifier([ROOT.certificate], None, IssuerFetcher(verify_tls, allow_insecure_private=True))
                if holds:
                    verify(chain, server)
                else:
                    assert_unproven(refusal(chain, server), "the TLS certificate cannot be trusted")
