"""Chains to a trusted root, with issuers fetched from real servers, kind and hostile, and the names they vouch for."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import ConfigError, FailureKind, SignInError
from agentcp_fsm.sign_in import AuthClient, Credentials, ServerProofPolicy, Timeouts
from agentcp_fsm.sign_in.http import MAX_ANSWER, Call
from agentcp_fsm.sign_in.trust import issuers
from agentcp_fsm.sign_in.trust.chain import MAX_FETCHES, MAX_KNOWN, MAX_SENT, ChainVerifier
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher, is_public
from agentcp_fsm.support.abandonment import Abandonment
from tests.sign_in.certificates import Identity, make_identity, usage
from tests.sign_in.servers import (
    BOUND,
    Issuers,
    Request,
    Server,
    SignInService,
    dripping,
    hanging,
    hanging_and_telling,
    raw,
)

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")

AGENT = "alice.agentid.pub"
CREDENTIALS = Credentials.from_pem(AGENT, (_alice := make_identity(AGENT)).key_pem, _alice.certificate_pem)
ROOT = make_identity("root", authority=True)
BEFORE = timedelta(hours=-1)


def verifier(*roots: Identity, name: str | None = None, private: bool = True) -> ChainVerifier:
    fetcher = IssuerFetcher(verify=True, allow_insecure_private=private)
    return ChainVerifier([root.certificate for root in roots or (ROOT,)], name, fetcher)


def call(total: float = 20.0, abandonment: Abandonment | None = None) -> Call:
    return Call.begin(Timeouts(connect=2, read=10, total=total), abandonment)


def verify(chain: ChainVerifier, *sent: Identity, within: Call | None = None) -> None:
    chain.verify([each.certificate for each in sent], within or call())


def refusal(chain: ChainVerifier, *sent: Identity, within: Call | None = None) -> SignInError:
    with pytest.raises(SignInError) as caught:
        verify(chain, *sent, within=within)
    return caught.value


def assert_unproven(failure: SignInError, says: str) -> None:
    assert failure.kind is FailureKind.UNPROVEN_SERVER
    assert failure.permanent
    assert says in str(failure)


@dataclass(frozen=True, slots=True)
class Link:
    """One authority of a chain, and what is wrong with it."""

    is_sent: bool
    path_length: int | None
    fault: str


links = st.builds(
    Link,
    st.booleans(),
    st.none() | st.integers(0, 3),
    st.sampled_from(["none"] * 6 + ["expired", "no authority", "may not issue", "agents only", "stranger's", "lost"]),
)


def make_link(link: Link, name: str, above: Identity | None, urls: Sequence[str]) -> Identity:
    if link.fault == "stranger's" and above is not None:  # of the same name, but with another key
        above = make_identity(above.certificate.subject.rfc4514_string().removeprefix("CN="), authority=True)
    purposes = [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])] if link.fault == "agents only" else []
    return make_identity(
        name,
        above,
        authority=link.fault != "no authority",
        path_length=None if link.fault == "no authority" else link.path_length,
        key_usage=usage(key_cert_sign=False) if link.fault == "may not issue" else None,
        valid_until=BEFORE if link.fault == "expired" else timedelta(days=1),
        issuer_urls=urls,
        more=purposes,
    )


class TestShapes:
    def test_a_chain_holds_exactly_if_every_link_does(self, place: Issuers, host: Server) -> None:
        @given(st.lists(links, min_size=1, max_size=4), st.booleans(), st.sampled_from(["PEM", "DER"]))
        def check(shape: list[Link], root_is_known: bool, form: str) -> None:
            """The first link is the root; the others follow downwards, to the server's certificate."""
            made: list[Identity] = []
            sent: list[Identity] = []
            for depth, link in enumerate(shape):
                url = [f"{host.url}/{depth - 1}"] if depth and not shape[depth - 1].is_sent else []
                made.append(make_link(link, f"authority {depth}", made[-1] if made else None, url))
                pem, der = made[-1].certificate_pem.encode(), made[-1].certificate_der
                place.answers[f"/{depth}"] = raw(pem if form == "PEM" else der)
                if link.fault == "lost":
                    place.answers[f"/{depth}"] = raw(b"", "404 Not Found")
                elif link.is_sent:
                    sent.insert(0, made[-1])
            url = [] if shape[-1].is_sent else [f"{host.url}/{len(shape) - 1}"]
            server = make_identity("server", made[-1], issuer_urls=url)
            holds = root_is_known and all(
                link.fault in ("none", "lost" if depth == 0 else "", "stranger's" if depth == 0 else "")
                and (link.path_length is None or link.path_length >= len(shape) - 1 - depth)
                for depth, link in enumerate(shape)
            )
            chain = verifier(made[0] if root_is_known else ROOT)
            if holds:
                verify(chain, server, *sent)
            else:
                assert refusal(chain, server, *sent).kind is FailureKind.UNPROVEN_SERVER

        check()

    @pytest.mark.parametrize("expired", ["root", "middle", "server"])
    def test_nothing_in_a_chain_may_have_expired(self, expired: str) -> None:
        def until(name: str) -> timedelta:
            return BEFORE if name == expired else timedelta(days=1)

        root = make_identity("root", authority=True, valid_until=until("root"))
        middle = make_identity("middle", root, authority=True, valid_until=until("middle"))
        server = make_identity("server", middle, valid_until=until("server"))
        assert_unproven(refusal(verifier(root), server, middle), "not valid at validation time")

    def test_an_unknown_root(self) -> None:
        stranger = make_identity("stranger", authority=True)
        failure = refusal(verifier(), make_identity("server", stranger), stranger)
        assert_unproven(failure, "chain ends at CN=stranger, which is no trusted root")

    @pytest.mark.parametrize("purpose", [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION])
    def test_a_certificate_for_another_purpose(self, purpose: x509.ObjectIdentifier) -> None:
        server = make_identity("server", ROOT, more=[x509.ExtendedKeyUsage([purpose])])
        assert_unproven(refusal(verifier(), server), "extended key usage")
        for fit in (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE):
            verify(verifier(), make_identity("server", ROOT, more=[x509.ExtendedKeyUsage([purpose, fit])]))

    def test_a_key_that_may_not_sign(self) -> None:
        idle = make_identity("server", ROOT, key_usage=usage(key_cert_sign=False, digital_signature=False))
        assert_unproven(refusal(verifier(), idle), "key usage is not to sign")

    def test_more_certificates_than_a_chain_needs(self) -> None:
        server = make_identity("server", ROOT)
        verify(verifier(), server, *[ROOT] * (MAX_SENT - 1))
        assert_unproven(refusal(verifier(), server, *[ROOT] * MAX_SENT), f"more than {MAX_SENT}")


class TestNames:
    @pytest.mark.parametrize(
        ("names", "asked", "holds"),
        [
            ([x509.DNSName("beat.agentid.pub")], "beat.agentid.pub", True),
            ([x509.DNSName("beat.agentid.pub")], "BEAT.agentid.pub", True),
            ([x509.DNSName("*.agentid.pub")], "beat.agentid.pub", True),
            ([x509.DNSName("*.agentid.pub")], "a.beat.agentid.pub", False),
            ([x509.DNSName("alice.agentid.pub")], "beat.agentid.pub", False),
            ([x509.IPAddress(ipaddress.ip_address("192.0.2.1"))], "192.0.2.1", True),
            ([x509.IPAddress(ipaddress.ip_address("192.0.2.1"))], "192.0.2.2", False),
            ([x509.IPAddress(ipaddress.ip_address("2001:db8::1"))], "2001:db8:0::1", True),
            ([], "common.agentid.pub", False),  # there are alternative names, so the common one does not count
            (None, "common.agentid.pub", True),
            (None, "Common.AgentID.pub", True),
            (None, "beat.agentid.pub", False),
        ],
    )
    def test_a_name(self, names: Sequence[x509.GeneralName] | None, asked: str, holds: bool) -> None:
        server = make_identity("common.agentid.pub", ROOT, names=names)
        verify(verifier(), server)
        if holds:
            verify(verifier(name=asked), server)
        else:
            assert_unproven(refusal(verifier(name=asked), server), f"not of {asked} (if")

    def test_a_trusted_certificate_needs_no_name(self) -> None:
        server = make_identity("server")
        verify(verifier(server, name="another.example"), server)

    def test_an_authority_for_some_names_cannot_vouch_for_a_common_one(self) -> None:
        only = x509.NameConstraints([x509.DNSName("other.example")], None)
        middle = make_identity("middle", ROOT, authority=True, names=None, more=[only])
        common = make_identity("beat.agentid.pub", middle, names=None)
        assert_unproven(refusal(verifier(name="beat.agentid.pub"), common, middle), "that of nobody")
        alternative = make_identity("x", middle, names=[x509.DNSName("beat.agentid.pub")])
        assert_unproven(refusal(verifier(), alternative, middle), "no trusted root")

    @pytest.mark.parametrize("name", ["", "a..b", "a b", "*.example", "例子.example"])
    def test_what_is_no_name(self, name: str) -> None:
        with pytest.raises(ConfigError, match="no certificate can have the name"):
            verifier(name=name)


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


class TestSignIn:
    """The same through the client's options."""

    @pytest.fixture
    def service(self) -> SignInService:
        return SignInService()

    @pytest.fixture
    def sign_in(self, service: SignInService) -> Iterator[Callable[..., SignInError | None]]:
        with Server(service) as server:

            def sign_in(**options: Any) -> SignInError | None:
                try:
                    with AuthClient(server.url, trust_roots=[ROOT.certificate], **options) as client:
                        client.sign_in(CREDENTIALS)
                except SignInError as error:
                    return error
                return None

            yield sign_in

    def test_the_servers_name_is_its_urls_unless_another_is_given(
        self, service: SignInService, sign_in: Callable[..., SignInError | None]
    ) -> None:
        service.identity = make_identity("beat.agentid.pub", ROOT, names=None)
        refused = sign_in()
        assert refused is not None
        assert_unproven(refused, "is that of beat.agentid.pub, not of 127.0.0.1")
        assert sign_in(server_name="beat.agentid.pub") is None
        assert sign_in(allow_insecure_any_server_name=True) is None

    def test_an_agents_certificate_of_the_same_root_is_not_the_servers(
        self, service: SignInService, sign_in: Callable[..., SignInError | None]
    ) -> None:
        service.identity = make_identity("mallory.agentid.pub", ROOT, names=None)
        refused = sign_in()
        assert refused is not None
        assert refused.kind is FailureKind.UNPROVEN_SERVER

    def test_trust_roots_ask_for_a_proof(self, sign_in: Callable[..., SignInError | None]) -> None:
        refused = sign_in()
        assert refused is not None
        assert_unproven(refused, "offers no proof of itself")
        assert sign_in(server_proof=ServerProofPolicy.VERIFY_IF_OFFERED) is None

    def test_an_issuer_inside_the_network_needs_the_option(
        self, service: SignInService, sign_in: Callable[..., SignInError | None], place: Issuers, host: Server
    ) -> None:
        middle = make_identity("middle", ROOT, authority=True)
        place.answers["/ca"] = raw(middle.certificate_pem.encode())
        service.identity = make_identity("server", middle, issuer_urls=[f"{host.url}/ca"])
        refused = sign_in()
        assert refused is not None
        assert_unproven(refused, "allow_insecure_private_issuers")
        assert sign_in(allow_insecure_private_issuers=True) is None

    def test_a_fetch_counts_within_the_sign_ins_time(
        self, service: SignInService, sign_in: Callable[..., SignInError | None], host: Server
    ) -> None:
        host.respond = hanging()
        middle = make_identity("middle", ROOT, authority=True)
        service.identity = make_identity("server", middle, issuer_urls=[f"{host.url}/ca"])
        started = time.monotonic()
        refused = sign_in(timeouts=Timeouts(total=0.5), allow_insecure_private_issuers=True)
        assert time.monotonic() - started < 5
        assert refused is not None
        assert refused.kind is FailureKind.TIMEOUT

    @pytest.mark.parametrize(
        "options",
        [
            {"server_name": "x.example"},
            {"allow_insecure_any_server_name": True},
            {"allow_insecure_private_issuers": True},
        ],
    )
    def test_options_that_mean_nothing_without_roots(self, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match="give trust_roots"):
            AuthClient("https://heartbeat.example", **options)

    def test_options_that_contradict_each_other(self) -> None:
        with pytest.raises(ConfigError, match="give one of them"):
            AuthClient(
                "https://heartbeat.example",
                trust_roots=[ROOT.certificate],
                server_name="x.example",
                allow_insecure_any_server_name=True,
            )
