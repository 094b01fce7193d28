from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, load_pem_x509_certificate
from hypothesis import example, given
from hypothesis import strategies as st

from agentcp_fsm.errors import ConfigError, FailureKind, SignInError
from agentcp_fsm.sign_in import ServerProof, load_trust_roots, verify_server_proof
from agentcp_fsm.sign_in.trust.chain import ChainVerifier
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher
from tests.sign_in.certificates import VERSION_POSITION, Identity, damaged_pem, make_identity, usage

AGENT = "Alice.agentid.pub"
REQUEST = "0123456789abcdef0123456789ABCDEF"
ROOT = make_identity("root", authority=True, curve=ec.SECP521R1())
MIDDLE = make_identity("middle", ROOT, authority=True, curve=ec.SECP384R1(), key_usage=usage(key_cert_sign=True))
SERVER = make_identity("server", MIDDLE)


def proof_of(identity: Identity, *issuers: Identity, signed: str = (AGENT + REQUEST).lower()) -> ServerProof:
    return ServerProof("".join(each.certificate_pem for each in (identity, *issuers)), identity.sign_hex(signed))


def verify(proof: ServerProof, roots: Sequence[Identity] | None = None) -> None:
    chain = None if roots is None else ChainVerifier([r.certificate for r in roots], None, IssuerFetcher(verify=True))
    verify_server_proof(proof, AGENT, REQUEST, chain)


def assert_unproven(proof: ServerProof, roots: Sequence[Identity] | None = None, match: str | None = None) -> None:
    with pytest.raises(SignInError, match=match) as caught:
        verify(proof, roots)
    assert caught.value.kind is FailureKind.UNPROVEN_SERVER
    assert caught.value.permanent


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_a_proof_holds_on_any_curve(curve: ec.EllipticCurve) -> None:
    verify(proof_of(make_identity(curve=curve)))


@given(agent_id=st.text(), request_id=st.text())
def test_a_proof_is_of_one_agent_and_one_request(agent_id: str, request_id: str) -> None:
    proof = proof_of(SERVER)
    if (agent_id + request_id).lower() != (AGENT + REQUEST).lower():
        with pytest.raises(SignInError):
            verify_server_proof(proof, agent_id, request_id)


def test_a_proof_by_another_key() -> None:
    stolen = ServerProof(SERVER.certificate_pem, MIDDLE.sign_hex((AGENT + REQUEST).lower()))
    assert_unproven(stolen, match="not by the certificate's key")


def test_a_proof_that_was_not_lowered() -> None:
    assert_unproven(proof_of(SERVER, signed=AGENT + REQUEST))


@pytest.mark.parametrize("days", [(-9, -1), (1, 9)])
def test_a_certificate_out_of_its_time(days: tuple[int, int]) -> None:
    stale = make_identity(valid_from=timedelta(days=days[0]), valid_until=timedelta(days=days[1]))
    assert_unproven(proof_of(stale), match="expired or is not valid yet")
    assert_unproven(proof_of(stale), [stale])


def test_a_certificate_of_another_kind_of_key() -> None:
    certificate = make_identity().certificate
    other = (
        CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(certificate.issuer)
        .public_key(rsa.generate_private_key(65537, 2048).public_key())
        .serial_number(1)
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
        .sign(ROOT.key, SHA256())
    )
    pem = other.public_bytes(Encoding.PEM).decode()
    assert_unproven(ServerProof(pem, "00"), match="no elliptic-curve key")


@given(st.text() | st.just(SERVER.certificate_pem), st.text() | st.binary().map(bytes.hex))
def test_junk_proves_nothing(certificate: str, signature: str) -> None:
    assert_unproven(ServerProof(certificate, signature))


@pytest.mark.filterwarnings("ignore:Parsed a serial number", "ignore:Attribute's length")
@given(st.sampled_from([SERVER, MIDDLE]), st.integers(0, 1000), st.integers(0, 255))
@example(SERVER, VERSION_POSITION, 9)
@example(MIDDLE, VERSION_POSITION, 9)
def test_what_a_chain_certifies_cannot_be_changed(identity: Identity, position: int, byte: int) -> None:
    damaged = damaged_pem(identity.certificate, position, byte)
    chain = [damaged if each is identity else each.certificate_pem for each in (SERVER, MIDDLE)]
    try:
        verify(ServerProof("".join(chain), SERVER.sign_hex((AGENT + REQUEST).lower())), [ROOT])
    except SignInError:
        return
    certified = load_pem_x509_certificate(damaged.encode()).tbs_certificate_bytes
    assert certified == identity.certificate.tbs_certificate_bytes


@pytest.mark.parametrize(
    "content",
    [
        {"cert": SERVER.certificate_pem},
        {"signature": "00"},
        {"cert": "", "signature": "00"},
        {"cert": SERVER.certificate_pem, "signature": None},
        {"cert": 1, "signature": "00"},
        {"cert": SERVER.certificate_pem, "signature": ["00"]},
    ],
)
def test_half_a_proof_is_a_failure(content: dict[str, Any]) -> None:
    with pytest.raises(SignInError) as caught:
        ServerProof.offered(content)
    assert caught.value.kind is FailureKind.UNPROVEN_SERVER


@pytest.mark.parametrize("content", [{}, {"cert": None, "signature": None}, {"cert": "", "signature": ""}])
def test_no_proof_is_none(content: dict[str, Any]) -> None:
    assert ServerProof.offered(content) is None


class TestChain:
    def test_a_root_vouches_through_what_the_server_sends(self) -> None:
        verify(proof_of(SERVER, MIDDLE), [make_identity("other", authority=True), ROOT])

    def test_the_root_may_be_sent_along(self) -> None:
        verify(proof_of(SERVER, MIDDLE, ROOT), [ROOT])

    def test_a_root_may_be_the_certificate_or_one_in_the_middle(self) -> None:
        verify(proof_of(SERVER), [SERVER])
        verify(proof_of(SERVER), [MIDDLE])
        verify(proof_of(SERVER, MIDDLE), [MIDDLE])

    def test_a_gap_breaks_it(self) -> None:
        assert_unproven(proof_of(SERVER), [ROOT], match="breaks off at CN=server, whose issuer CN=middle")

    def test_a_stranger_of_the_same_name_is_not_the_root(self) -> None:
        stranger = make_identity("root", authority=True)
        middle = make_identity("middle", stranger, authority=True)
        assert_unproven(proof_of(make_identity("server", middle), middle, stranger), [ROOT])

    def test_appending_a_trusted_certificate_earns_no_trust(self) -> None:
        assert_unproven(proof_of(make_identity("server"), ROOT), [ROOT])
        assert_unproven(proof_of(make_identity("server"), MIDDLE, ROOT), [ROOT])

    def test_what_is_no_authority_cannot_vouch(self) -> None:
        agent = make_identity("mallory.agentid.pub", ROOT)
        assert_unproven(proof_of(make_identity("server", agent), agent), [ROOT])

    def test_an_authority_that_may_not_sign_certificates_cannot_vouch(self) -> None:
        middle = make_identity("middle", ROOT, authority=True, key_usage=usage(key_cert_sign=False))
        assert_unproven(proof_of(make_identity("server", middle), middle), [ROOT])

    def test_an_expired_authority_cannot_vouch(self) -> None:
        middle = make_identity("middle", ROOT, authority=True, valid_until=timedelta(hours=-1))
        assert_unproven(proof_of(make_identity("server", middle), middle), [ROOT])

    @pytest.mark.parametrize(("path_length", "holds"), [(None, True), (1, True), (0, False)])
    def test_the_length_of_the_path_is_the_roots_to_limit(self, path_length: int | None, holds: bool) -> None:
        root = make_identity("root", authority=True, path_length=path_length)
        middle = make_identity("middle", root, authority=True, path_length=0)
        proof = proof_of(make_identity("server", middle), middle)
        if holds:
            verify(proof, [root])
        else:
            assert_unproven(proof, [root])

    def test_a_restriction_that_is_not_understood_is_not_ignored(self) -> None:
        middle = make_identity("middle", ROOT, authority=True, strange_extension=True)
        assert_unproven(proof_of(make_identity("server", middle), middle), [ROOT])
        assert_unproven(proof_of(make_identity("server", ROOT, strange_extension=True)), [ROOT])


def test_trust_roots_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "roots.pem"
    file.write_text(ROOT.certificate_pem + MIDDLE.certificate_pem)
    assert load_trust_roots(file) == (ROOT.certificate, MIDDLE.certificate)


def test_a_file_without_trust_roots(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_trust_roots(tmp_path / "none.pem")
    (tmp_path / "junk.pem").write_text("junk")
    with pytest.raises(ConfigError, match="hold no certificate in PEM: give"):
        load_trust_roots(tmp_path / "junk.pem")
