"""Chains to a trusted root, with issuers fetched from real servers, kind and hostile, and the names they vouch for."""

import ipaddress
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import ConfigError, FailureKind, SignInError
from agentcp_fsm.sign_in import AuthClient, ServerProofPolicy, Timeouts
from agentcp_fsm.sign_in.trust.chain import MAX_SENT
from tests.sign_in.certificates import Identity, make_identity, usage
from tests.sign_in.chains import (
    BEFORE,
    CREDENTIALS,
    ROOT,
    Link,
    assert_unproven,
    links,
    make_link,
    refusal,
    verifier,
    verify,
)
from tests.sign_in.servers import (
    Issuers,
    Server,
    SignInService,
    hanging,
    raw,
)

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")


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
