"""The agent's proof of itself (protocol, "Sign-in", step 2)."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agentcp_fsm.sign_in.trust.certificates import UNREADABLE, common_names
from agentcp_fsm.support.names import folded

_ECDSA_SHA256 = ec.ECDSA(hashes.SHA256())


class Unproven(Exception):  # noqa: N818 - it is no error of the server's but an outcome, answered to the agent
    """An agent did not prove that it is who it says; the text says why."""


def check_agent(agent_id: str, nonce: str, public_key: str, certificate: str, signature: str) -> None:
    """Raise `Unproven` unless the certificate names the agent and its key, and that key signed the nonce.

    `public_key` and `certificate` are PEM, `signature` is hex.  The certificate's issuer does not matter: this server
    has no register of agents.
    """
    try:
        _check(agent_id, nonce, public_key, certificate, signature)
    except Unproven:
        raise
    except UNREADABLE as error:
        raise Unproven("cert or public_key cannot be read") from error


def _check(agent_id: str, nonce: str, public_key: str, certificate: str, signature: str) -> None:
    parsed = x509.load_pem_x509_certificate(certificate.encode())
    certified_key = parsed.public_key()
    sent_key = serialization.load_pem_public_key(public_key.encode())
    if not isinstance(certified_key, ec.EllipticCurvePublicKey):
        raise Unproven("the certificate's key is no elliptic curve key")
    if certified_key != sent_key:
        raise Unproven("public_key is not the certificate's")
    if folded(agent_id) not in map(folded, common_names(parsed.subject)):
        raise Unproven("the certificate's common name is not agent_id")
    if not parsed.not_valid_before_utc <= datetime.now(UTC) <= parsed.not_valid_after_utc:
        raise Unproven("the certificate is not valid at this time")
    try:
        certified_key.verify(bytes.fromhex(signature), nonce.encode(), _ECDSA_SHA256)
    except (ValueError, InvalidSignature) as error:
        raise Unproven("signature is not the key's over the nonce") from error
