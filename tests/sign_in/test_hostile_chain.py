"""Correctly signed certificates that are made to cost their verifier processor time."""

import math
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.sign_in import AuthClient
from agentcp_fsm.sign_in.call import Call
from agentcp_fsm.sign_in.trust import chain
from agentcp_fsm.sign_in.trust.chain import MAX_SENT
from agentcp_fsm.support.abandonment import Abandonment
from tests.sign_in.certificates import places, usage
from tests.sign_in.chains import CREDENTIALS, ROOT, call, verifier
from tests.sign_in.servers import Issuers, Request, Server, as_json, raw

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")

PublicKey = ec.EllipticCurvePublicKey | dsa.DSAPublicKey
SECONDS = 5.0
"""Of processor time, where there would be minutes and more if nothing were bounded."""


@cache
def factors(bits: int) -> tuple[int, ...]:
    """Small primes whose product has at most `bits` bits: a modulus that hides nothing, and is made at once."""
    primes: list[int] = []
    candidate = 2**13 + 1
    while math.prod(primes).bit_length() + 14 <= bits:
        if all(candidate % divisor for divisor in range(3, math.isqrt(candidate) + 1, 2)):
            primes.append(candidate)
        candidate += 2
    return tuple(primes)


@dataclass(frozen=True, slots=True)
class HostileKey:
    """A key of RSA that certificates are really signed with."""

    bits: int
    exponent: int

    @property
    def public(self) -> rsa.RSAPublicKey:
        return rsa.RSAPublicNumbers(self.exponent, math.prod(factors(self.bits))).public_key()

    def certificate(
        self, subject: str, key: PublicKey | None = None, urls: Sequence[str] = (), issuer: str = "hostile"
    ) -> x509.Certificate:
        """Certify `key`, or this one as an authority's."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key or self.public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=key is None, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.public), critical=False)
        )
        if urls:
            builder = builder.add_extension(places(urls), critical=False)
        if key is None:
            builder = builder.add_extension(usage(key_cert_sign=True), critical=True)
        signed = builder.sign(_stand_in(), SHA256()).tbs_certificate_bytes  # for whom the algorithm is the same
        algorithm = bytes.fromhex("300d06092a864886f70d01010b0500")
        return x509.load_der_x509_certificate(
            _der(0x30, signed + algorithm + _der(0x03, b"\0" + self._signature(signed)))
        )

    def _signature(self, signed: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 (RFC 8017, 8.2.1), prime by prime."""
        digest = Hash(SHA256())
        digest.update(signed)
        hashed = bytes.fromhex("3031300d060960864801650304020105000420") + digest.finalize()
        primes = factors(self.bits)
        length = (math.prod(primes).bit_length() + 7) // 8
        padded = int.from_bytes(b"\0\1" + b"\xff" * (length - len(hashed) - 3) + b"\0" + hashed)
        signature, product = 0, 1
        for prime in primes:
            part = pow(padded, pow(self.exponent, -1, prime - 1), prime)
            signature += (part - signature) * pow(product, -1, prime) % prime * product
            product *= prime
        return signature.to_bytes(length)


@cache
def _stand_in() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


def _der(tag: int, content: bytes) -> bytes:
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


LARGE = HostileKey(8192, 2**32 - 5)
"""As large as is looked at.  The exponents are prime numbers, and so fit any modulus."""
LARGER = HostileKey(16384, 2**16 + 1)
SLOWER = HostileKey(3072, 2**64 - 59)
SERVER = ec.generate_private_key(ec.SECP256R1())


def refusal(sent: Sequence[x509.Certificate], within: Call | None = None) -> SignInError:
    """Why they are refused, which must not take long."""
    started = time.thread_time()
    with pytest.raises(SignInError) as caught:
        verifier().verify(sent, within or call())
    assert time.thread_time() - started < SECONDS
    return caught.value


def everybodys(key: HostileKey, urls: Sequence[str] = ()) -> list[x509.Certificate]:
    """A server's certificate and authorities of one name and key, each of which issued all of the others."""
    authorities = [key.certificate("hostile") for _ in range(MAX_SENT - 1)]
    return [key.certificate("server", SERVER.public_key(), urls), *authorities]


class TestKeys:
    @pytest.mark.parametrize("key", [LARGER, SLOWER], ids=["modulus", "exponent"])
    @pytest.mark.parametrize("is_sent", [True, False], ids=["sent", "fetched"])
    def test_a_key_that_takes_long_to_verify_with(
        self, key: HostileKey, is_sent: bool, place: Issuers, host: Server
    ) -> None:
        authority = key.certificate("hostile")
        place.answers["/ca"] = raw(authority.public_bytes(Encoding.DER))
        server = key.certificate("server", SERVER.public_key(), [f"{host.url}/ca"])
        failure = refusal([server, authority] if is_sent else [server])
        assert failure.kind is FailureKind.UNPROVEN_SERVER
        assert "the RSA key of CN=hostile has" in str(failure)

    def test_a_key_of_dsa(self) -> None:
        old = LARGE.certificate("old", dsa.generate_private_key(1024).public_key())
        failure = refusal([LARGE.certificate("server", SERVER.public_key()), old])
        assert failure.kind is FailureKind.UNPROVEN_SERVER
        assert "the key of CN=old is of DSA" in str(failure)

    def test_a_key_on_a_curve_that_no_authority_uses(self) -> None:
        odd = LARGE.certificate("odd", ec.generate_private_key(ec.BrainpoolP512R1()).public_key())
        failure = refusal([LARGE.certificate("server", SERVER.public_key()), odd])
        assert failure.kind is FailureKind.UNPROVEN_SERVER
        assert "the key of CN=odd is on the curve brainpoolP512r1" in str(failure)

    def test_a_large_key_that_a_root_vouches_for(self) -> None:
        root = LARGE.certificate("hostile")
        chain.ChainVerifier([root], None, verifier()._fetcher).verify(
            [LARGE.certificate("server", SERVER.public_key())], call()
        )


class TestPaths:
    def test_certificates_that_all_issued_each_other(self) -> None:
        """Of their paths there are more than anybody could follow."""
        assert f"more than {chain.MAX_SIGNATURES} signatures" in str(refusal(everybodys(LARGE)))
        assert "no trusted root vouches" in str(refusal(everybodys(LARGE)[:5]))

    def test_and_lead_nowhere(self, place: Issuers, host: Server) -> None:
        """With each answer, all of them are gone through again."""
        urls = [f"{host.url}/{number}" for number in range(8)]
        for number in range(8):
            more = [LARGE.certificate("end", issuer="hostile") for _ in range(4)]
            place.answers[f"/{number}"] = raw(b"".join(each.public_bytes(Encoding.PEM) for each in more))
        ends = [LARGE.certificate("hostile", urls=urls, issuer="end") for _ in range(MAX_SENT - 1)]
        failure = refusal([LARGE.certificate("server", SERVER.public_key()), *ends])
        assert failure.kind is FailureKind.UNPROVEN_SERVER

    def test_signatures_are_verified_only_so_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chain, "MAX_SIGNATURES", MAX_SENT)
        assert f"more than {MAX_SENT} signatures" in str(refusal(everybodys(LARGE)))


class TestBounds:
    def test_the_calls_time(self) -> None:
        failure = refusal(everybodys(LARGE), replace(call(), deadline=time.monotonic()))
        assert (failure.kind, failure.permanent) == (FailureKind.TIMEOUT, False)

    @pytest.mark.parametrize("looks", [0, 1, 10, 20])
    def test_an_abandoned_call_ends_between_two_signatures(self, looks: int) -> None:
        class LosesInterest(Abandonment):
            left = looks

            @property
            def abandoned(self) -> bool:
                self.left -= 1
                return self.left < 0

        losing = LosesInterest()
        assert refusal(everybodys(LARGE), call(abandonment=losing)).kind is FailureKind.ABANDONED
        assert losing.left == -1

    def test_a_sign_in(self) -> None:
        """The same sent by a server, in an answer that is not too large."""
        sent = everybodys(LARGE)

        def respond(request: Request, connection: socket.socket) -> bytes:
            signed = (request.content["agent_id"] + request.content["request_id"]).lower().encode()
            proof = {
                "cert": b"".join(each.public_bytes(Encoding.PEM) for each in sent).decode(),
                "signature": SERVER.sign(signed, ec.ECDSA(SHA256())).hex(),
            }
            return as_json({"nonce": "x", **proof})

        with Server(respond) as server, AuthClient(server.url, trust_roots=[ROOT.certificate]) as client:
            started = time.thread_time()
            with pytest.raises(SignInError, match="signatures would be needed"):
                client.sign_in(CREDENTIALS)
            assert time.thread_time() - started < SECONDS
