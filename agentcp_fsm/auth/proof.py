"""The server's proof of itself (protocol, "Sign-in", step 1): a certificate and a signature over this very request.

Without trust roots the proof shows only that the server holds the key of the certificate it presents; with them, that
a root vouches for that certificate, through the certificates that the server sends along, each followed by its issuer.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from agentcp_fsm.auth.failures import FailureKind, SignInError
from agentcp_fsm.errors import ConfigError

_BAD_EXTENSIONS = (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_UNDERSTOOD_EXTENSIONS = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectAlternativeName)


class ServerProofPolicy(StrEnum):
    """What is asked of a server that may prove itself.  A proof that is offered must hold under either policy."""

    VERIFY_IF_OFFERED = "verify_if_offered"
    """A server that offers none is accepted, as the SDKs do; TLS then stands alone."""
    REQUIRE = "require"
    """A server that offers none is refused."""


@dataclass(frozen=True, slots=True)
class ServerProof:
    """What a server offers as its proof, unverified."""

    certificate_pem: str
    """The server's certificate; its issuers may follow."""
    signature: str
    """Hex ECDSA-SHA256, by the certificate's key, over the UTF-8 of ``(agent_id + request_id).lower()``."""

    @classmethod
    def offered(cls, content: Mapping[str, Any]) -> Self | None:
        """Return the proof in step 1's answer, None if there is none; raises `SignInError` when only half is there."""
        certificate, signature = content.get("cert"), content.get("signature")
        if not certificate and not signature:
            return None
        if not (certificate and isinstance(certificate, str) and signature and isinstance(signature, str)):
            raise _unproven("it offers a certificate or a signature, but not both as text")
        return cls(certificate, signature)


def load_trust_roots(path: str | os.PathLike[str]) -> tuple[x509.Certificate, ...]:
    """Read the certificates, PEM, of the roots to trust; raises `ConfigError` if the file holds none."""
    try:
        return tuple(x509.load_pem_x509_certificates(Path(path).read_bytes()))
    except OSError as error:
        raise ConfigError(f"the trust roots {path} cannot be read: {error.strerror}") from error
    except (ValueError, x509.InvalidVersion) as error:
        raise ConfigError(f"the trust roots {path} hold no certificate in PEM") from error


def verify_server_proof(
    proof: ServerProof, agent_id: str, request_id: str, trust_roots: Sequence[x509.Certificate] | None = None
) -> None:
    """Raise `SignInError` of kind UNPROVEN_SERVER unless the proof holds; without roots no chain is asked for."""
    try:
        chain = x509.load_pem_x509_certificates(proof.certificate_pem.encode(errors="replace"))
        key = chain[0].public_key()
        signature = bytes.fromhex(proof.signature)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise _unproven("its certificate or signature cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _unproven("its certificate's key is no elliptic-curve key")
    try:
        key.verify(signature, (agent_id + request_id).lower().encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise _unproven("its signature is not by the certificate's key over this request") from None
    now = datetime.now(UTC)
    if not _is_current(chain[0], now):
        raise _unproven("its certificate has expired or is not valid yet; check this machine's clock")
    if trust_roots is not None and not _is_trusted(chain, trust_roots, now):
        raise _unproven("no trusted root vouches for its certificate")


def _unproven(reason: str) -> SignInError:
    return SignInError(
        FailureKind.UNPROVEN_SERVER,
        f"the server fails to prove itself: {reason}: somebody may be posing as the server; check its URL and, if that"
        " is right, tell its operator",
    )


def _is_trusted(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: datetime) -> bool:
    """Whether ``chain``, each certificate followed by its issuer, leads to a root or to one that a root issued."""
    for authorities_below, certificate in enumerate(chain):
        if certificate in roots or any(_issued(certificate, root, authorities_below, now) for root in roots):
            return True
        issuer = chain[authorities_below + 1 : authorities_below + 2]
        if not issuer or not _issued(certificate, issuer[0], authorities_below, now):
            return False
    return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, authorities_below: int, now: datetime) -> bool:
    """Whether ``issuer`` signed ``certificate`` and had the right to (RFC 5280, section 6.1.4)."""
    try:
        certificate.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        key_usages = [each.value for each in issuer.extensions if isinstance(each.value, x509.KeyUsage)]
        strange = [
            each
            for each in (*issuer.extensions, *certificate.extensions)
            if each.critical and not isinstance(each.value, _UNDERSTOOD_EXTENSIONS)
        ]
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, *_BAD_EXTENSIONS):
        return False
    return (
        constraints.ca
        and (constraints.path_length is None or authorities_below <= constraints.path_length)
        and all(usage.key_cert_sign for usage in key_usages)
        and not strange
        and _is_current(issuer, now)
    )


def _is_current(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
