"""The calls by which the SDK has an identity made: this server signs any certificate that it is asked for.

`AgentCP.create_aid` asks the access point for ``/sign_cert``, a guest for ``/sign_guest_cert``, and `load_aid`, of a
certificate that ends soon, for ``/resign_cert`` in two steps, as in a sign-in.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from agentcp_fsm.server.identity import Unproven
from agentcp_fsm.server.registry import Nonces
from agentcp_fsm.sign_in.trust.certificates import UNREADABLE, certificate_builder, common_names, named
from agentcp_fsm.support.names import folded

VALIDITY = timedelta(days=365)
"""Of an agent's certificate; the authority's own is valid for ten times as long."""
NAME = "agentcp-fsm local authority"
ENTRYPOINT = ";"
"""An entry point that the SDK takes for none."""

Text = Callable[[str], str]
"""Returns a field of the request, or refuses it."""


class Authority:
    """A certificate authority that exists as long as the server, and checks no one's identity."""

    def __init__(self, nonces: Nonces) -> None:
        self._nonces = nonces

    def sign(self, agent_id: str, text: Text) -> Mapping[str, str]:
        """Sign a request; raises `Unproven` for one that cannot be read, or names another agent."""
        return {"certificate": self._certified(agent_id, text("csr"))}

    def sign_again(self, agent_id: str, text: Text, second_step: bool) -> Mapping[str, str]:
        """Renew a certificate: a nonce first, and then, against its signature, the certificate.

        Raises `Unproven` if the nonce was not issued to this agent, or the signature is not the key's.
        """
        request_id, public_key = f"resign_cert {text('request_id')}", text("public_key")
        if not second_step:
            return {"nonce": self._nonces.issue(agent_id, request_id)}
        nonce = text("nonce")
        if not self._nonces.redeem(nonce, agent_id, request_id):
            raise Unproven("nonce was not issued for this renewal, was used or has expired; begin again")
        key = _key(public_key)
        try:
            key.verify(bytes.fromhex(text("signature")), (public_key + nonce).encode(), ec.ECDSA(SHA256()))
        except (ValueError, InvalidSignature) as error:
            raise Unproven("signature is not the key's over public_key and nonce") from error
        return {"certificate": self._certified(agent_id, text("csr"), key), "entrypoint": ENTRYPOINT}

    def sign_guest(self, host: str) -> Mapping[str, str]:
        """Make a guest's key and certificate; the last two labels of the host that was asked are its access point."""
        labels = host.partition(":")[0].split(".")
        access_point = ".".join(labels[-2:]) if len(labels) > 1 and labels[-1].isalpha() else "agentid.pub"
        agent_id = f"guest{secrets.token_hex(6)}.{access_point}"
        key = ec.generate_private_key(ec.SECP384R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "guest_aid": agent_id,
            "key": pem.decode(),
            "cert": _pem(self._issue(named(agent_id), key.public_key())),
            "entrypoint": ENTRYPOINT,
        }

    def _certified(self, agent_id: str, csr: str, key: ec.EllipticCurvePublicKey | None = None) -> str:
        """The certificate that was asked for; ``key`` is the one that it must be for, if that is known."""
        try:
            request = x509.load_pem_x509_csr(csr.encode())
            asked = request.public_key()
            signed = request.is_signature_valid
            names = common_names(request.subject)
        except UNREADABLE as error:
            raise Unproven("csr cannot be read") from error
        if not isinstance(asked, ec.EllipticCurvePublicKey) or not signed or key not in (None, asked):
            raise Unproven("csr is not signed by the elliptic curve key that it is for")
        if [folded(agent_id)] != [folded(name) for name in names]:
            raise Unproven("the common name of csr is not id")
        return _pem(self._issue(request.subject, asked))

    @cached_property
    def _own(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP384R1())
        builder = certificate_builder(named(NAME), named(NAME), 10 * VALIDITY, authority=True)
        return key, builder.public_key(key.public_key()).sign(key, SHA256())

    def _issue(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        own_key, own = self._own
        return certificate_builder(subject, own.subject, VALIDITY).public_key(key).sign(own_key, SHA256())


def _key(public_key: str) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_pem_public_key(public_key.encode())
    except UNREADABLE as error:
        raise Unproven("public_key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Unproven("public_key is no elliptic curve key")
    return key


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
