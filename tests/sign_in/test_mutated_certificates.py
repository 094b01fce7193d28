"""Certificates that a reader may choke on: whatever it raises, the proof has failed, and that is all."""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import FailureKind, ServerProofError, SignInError
from agentcp_fsm.sign_in import ServerProof, verify_server_proof
from agentcp_fsm.sign_in.call import Call, Timeouts
from agentcp_fsm.sign_in.trust.chain import ChainVerifier
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher
from tests.sign_in.certificates import Identity, make_identity
from tests.sign_in.servers import Issuers, Server, raw

AGENT, REQUEST = "alice.agentid.pub", "0123456789abcdef0123456789abcdef"
NAME = "kite.example"
ROOT = make_identity("root", authority=True, names=None)
MIDDLE = make_identity("middle", ROOT, authority=True, names=None)
SERVER = make_identity(NAME, MIDDLE, names=None, issuer_urls=["ftp://issuer.example/"])
NAMED = make_identity("server", MIDDLE, names=[x509.DNSName(NAME)])
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a", "ignore:Attribute's length", "ignore:The parsed certificate")


def elements(der: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """Each element of DER, with those within it: where its tag, its content and its end are."""
    position, end = start, len(der) if end is None else end
    while position + 2 <= end:
        tag, length, content = der[position], der[position + 1], position + 2
        if length & 0x80:
            content += length & 0x7F
            length = int.from_bytes(der[position + 2 : content])
        if content + length > end:
            return  # it is no DER, but octets that look like it
        yield position, content, content + length
        if tag & 0x20 or tag in (0x03, 0x04):  # what may hold others; a string of bits begins with an octet of its own
            yield from elements(der, content + (tag == 0x03), content + length)
        position = content + length


def der_of(tag: int, content: bytes) -> bytes:
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, *([0x80 | len(length)] if len(content) > 0x7F else []), *length]) + content


def signed(tbs: bytes, issuer: Identity) -> bytes:
    """A certificate of these very bytes, with a signature that holds."""
    signature = issuer.key.sign(tbs, ec.ECDSA(SHA256()))
    return der_of(0x30, tbs + bytes.fromhex("300a06082a8648ce3d040302") + der_of(0x03, b"\0" + signature))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A chain of PEM, one of whose certificates has some elements changed; all signatures hold, if anything does."""
    chain = [draw(st.sampled_from([SERVER, NAMED])), MIDDLE]
    which = draw(st.integers(0, 1))
    tbs = bytearray(chain[which].certificate.tbs_certificate_bytes)
    parts = list(elements(bytes(tbs)))
    for _ in range(draw(st.integers(1, 3))):
        tag, content, end = draw(st.sampled_from(parts))
        match draw(st.integers(0, 3)):
            case 0:
                tbs[tag] = draw(st.integers(0, 255))
            case 1:
                tbs[content:end] = draw(st.binary(min_size=end - content, max_size=end - content))
            case 2:
                digits = draw(st.text("0123456789Z", min_size=end - content, max_size=end - content))
                tbs[content:end] = digits.encode()
            case _:
                tbs[draw(st.integers(0, len(tbs) - 1))] = draw(st.integers(0, 255))
    ders = [each.certificate_der for each in chain]
    ders[which] = signed(bytes(tbs), (MIDDLE, ROOT)[which])
    return b"".join(ssl.DER_cert_to_PEM_cert(der).encode() for der in ders)


def verifier(name: str | None = NAME) -> ChainVerifier:
    return ChainVerifier([ROOT.certificate], name, IssuerFetcher(verify=True))


def verify(pem: bytes, chain: ChainVerifier | None) -> None:
    """Verify a proof by the key that the certificates of `SERVER` or `NAMED` are for."""
    for identity in (SERVER, NAMED):
        signature = identity.sign_hex(AGENT + REQUEST)
        verify_server_proof(ServerProof(pem.decode(), signature), AGENT, REQUEST, chain)


@given(mutated())
def test_a_proof_holds_or_fails(pem: bytes) -> None:
    for chain in (None, verifier(None), verifier()):
        with pytest.raises(SignInError) as caught:  # of one of the two keys it is not
            verify(pem, chain)
        assert caught.value.kind is FailureKind.UNPROVEN_SERVER


@given(mutated())
def test_a_chain_holds_or_fails(pem: bytes) -> None:
    try:
        sent = x509.load_pem_x509_certificates(pem)
    except Exception:  # noqa: BLE001 - that is another test's
        return
    for chain in (verifier(None), verifier()):
        with suppress(ServerProofError):
            chain.verify(sent, Call.begin(Timeouts()))


def replaced(identity: Identity, old: bytes, new: bytes, issuer: Identity = MIDDLE) -> bytes:
    tbs = identity.certificate.tbs_certificate_bytes
    assert old in tbs
    return signed(tbs.replace(old, new), issuer)


def date(when: datetime) -> bytes:
    return when.strftime("%y%m%d%H%M%SZ").encode()


COMMON_NAME = bytes.fromhex("0603550403")
YEARS = {
    year: (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(MIDDLE.certificate.subject)
        .public_key(SERVER.key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2000, 1, 1))
        .not_valid_after(datetime(2051, 1, 1))
        .sign(MIDDLE.key, SHA256())
        .tbs_certificate_bytes.replace(b"20510101000000Z", year + b"0101000000Z")
    )
    for year in (b"0000", b"9999")
}
HOSTILE = {
    "a date in the year 0": signed(YEARS[b"0000"], MIDDLE),
    "a date in the year 9999, and no name": signed(YEARS[b"9999"], MIDDLE),
    "a string of bits in a name": replaced(
        SERVER, COMMON_NAME + b"\x0c\x0c" + NAME.encode(), COMMON_NAME + b"\x03\x0c\0" + NAME.encode()[1:]
    ),
    "no UTF-8 in a name": replaced(SERVER, b"\x0c\x0c" + NAME.encode(), b"\x0c\x0c\xff\xfe\xfd\xfc" + b"x" * 8),
    "a country of twelve letters": replaced(SERVER, COMMON_NAME + b"\x0c\x0c", bytes.fromhex("06035504060c0c")),
}
"""Those that were seen to end in a traceback, and their kin."""


@pytest.mark.parametrize("der", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", [NAME, "another.example"])
def test_what_a_reader_chokes_on_is_a_failed_proof(der: bytes, name: str) -> None:
    pem = ssl.DER_cert_to_PEM_cert(der) + MIDDLE.certificate_pem
    proof = ServerProof(pem, SERVER.sign_hex(AGENT + REQUEST))
    with pytest.raises(SignInError) as caught:
        verify_server_proof(proof, AGENT, REQUEST, verifier(name))
    assert caught.value.kind is FailureKind.UNPROVEN_SERVER
    assert caught.value.permanent


@pytest.mark.usefixtures("no_proxy_in_the_environment")
@pytest.mark.parametrize("der", HOSTILE.values(), ids=HOSTILE)
def test_an_issuer_that_a_reader_chokes_on(der: bytes, place: Issuers, host: Server) -> None:
    place.answers["/ca"] = raw(der)
    server = make_identity("server", MIDDLE, issuer_urls=[f"{host.url}/ca"])
    chain = ChainVerifier([ROOT.certificate], None, IssuerFetcher(verify=True, allow_insecure_private=True))
    with pytest.raises(SignInError) as caught:
        chain.verify([server.certificate], Call.begin(Timeouts()))
    assert caught.value.kind is FailureKind.UNPROVEN_SERVER
    assert host.requests


class TestNames:
    def named(self, name: str) -> list[x509.Certificate]:
        return [make_identity(name, MIDDLE, names=None).certificate, MIDDLE.certificate]

    def test_ascii_has_two_cases(self) -> None:
        verifier("KITE.example").verify(self.named("kite.EXAMPLE"), Call.begin(Timeouts()))

    @pytest.mark.parametrize("name", ["\N{KELVIN SIGN}ite.example", "ſite.example", "KİTE.example"])
    def test_a_letter_that_is_not_of_ascii_passes_for_none_that_is(self, name: str) -> None:
        for asked in (NAME, "site.example"):
            with pytest.raises(SignInError, match="its certificate is that of"):
                verifier(asked).verify(self.named(name), Call.begin(Timeouts()))


def test_the_changes_reach_the_certificates_insides() -> None:
    """Names, dates, the key and the extensions are among the elements that are changed."""
    tbs = SERVER.certificate.tbs_certificate_bytes
    contents = {bytes(tbs[content:end]) for _, content, end in elements(tbs)}
    assert {NAME.encode(), date(SERVER.certificate.not_valid_after_utc), b"ftp://issuer.example/"} <= contents
    x509.load_der_x509_certificate(signed(tbs, MIDDLE)).verify_directly_issued_by(MIDDLE.certificate)
