"""The server's proof of itself (protocol, "Sign-in", step 1): a certificate and a signature over this very request.

Without trust roots the proof shows only that the server holds the key of the certificate it presents, which anybody can
make; with them, that a root vouches for that certificate, and for its being the server's (see `chain`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from agentcp_fsm.errors import ConfigError, ServerProofError, SignInError
from agentcp_fsm.sign_in.call import Call, Timeouts
from agentcp_fsm.sign_in.trust.certificates import UNREADABLE
from agentcp_fsm.sign_in.trust.chain import ChainVerifier
from agentcp_fsm.support import files


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
            raise ServerProofError("it offers a certificate or a signature, but not both as text")
        return cls(certificate, signature)


def load_trust_roots(path: str | os.PathLike[str]) -> tuple[x509.Certificate, ...]:
    """Read the certificates, PEM, of the roots to trust; raises `ConfigError` if the file holds none."""
    try:
        return tuple(x509.load_pem_x509_certificates(files.read_small(path)))
    except OSError as error:
        raise ConfigError(f"the trust roots {path} cannot be read ({error.strerror}): give a file in PEM") from error
    except UNREADABLE as error:
        raise ConfigError(f"the trust roots {path} hold no certificate in PEM: give a file that does") from error


def verify_server_proof(
    proof: ServerProof, agent_id: str, request_id: str, chain: ChainVerifier | None = None, call: Call | None = None
) -> None:
    """Raise `SignInError` unless the proof holds; without a chain verifier, no root is asked for.

    Its kind is UNPROVEN_SERVER, or, if an issuer could not be fetched within the call's bounds, that of the fetch.
    """
    try:
        sent = _check_signature(proof, (agent_id + request_id).lower())
    except SignInError:
        raise
    except UNREADABLE as error:
        raise ServerProofError("its certificate or signature cannot be read") from error
    if chain is not None:
        chain.verify(sent, call or Call.begin(Timeouts()))


def _check_signature(proof: ServerProof, text: str) -> list[x509.Certificate]:
    """Return the certificates that come with a signature of `text` by the first one's key, in that one's time."""
    sent = x509.load_pem_x509_certificates(proof.certificate_pem.encode(errors="replace"))
    key = sent[0].public_key()
    signature = bytes.fromhex(proof.signature)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ServerProofError("its certificate's key is no elliptic-curve key")
    try:
        key.verify(signature, text.encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise ServerProofError("its signature is not by the certificate's key over this request") from None
    if not sent[0].not_valid_before_utc <= datetime.now(UTC) <= sent[0].not_valid_after_utc:
        raise ServerProofError("its certificate has expired or is not valid yet; check this machine's clock")
    return sent
