"""Who may sign in, and who is signed in: the server's decisions, without its sockets."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from agentcp_fsm.errors import AgentCPError

CHALLENGE_SECONDS = 60.0
"""How long a nonce can be answered."""
CHALLENGE_LIMIT = 10_000
SESSION_LIMIT = 100_000
TEXT_LIMIT = 16 * 1024
"""Characters of the longest text in a request."""


class RefusedError(AgentCPError):
    """A request that the server refuses, with the HTTP status that says so."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class AgentSession:
    """An agent that is signed in."""

    agent_id: str
    cookie: int = field(repr=False)
    token: str = field(repr=False)
    signed_in_at: float
    address: Any = None
    """Where its last heartbeat came from; None before the first."""
    last_beat_at: float | None = None
    heartbeats: int = 0


class Registry:
    """Challenges and sessions; times are seconds of a clock that is handed in."""

    def __init__(self) -> None:
        self._challenges: OrderedDict[str, tuple[str, str, float]] = OrderedDict()
        self._by_agent: OrderedDict[str, AgentSession] = OrderedDict()
        self._by_cookie: dict[int, AgentSession] = {}

    @property
    def sessions(self) -> tuple[AgentSession, ...]:
        """Everybody who is signed in."""
        return tuple(self._by_agent.values())

    def challenge(self, agent_id: str, request_id: str, now: float) -> str:
        """Step 1: a nonce to be signed, good for one answer within a minute."""
        nonce = secrets.token_hex(16)
        self._challenges[nonce] = (agent_id, request_id, now + CHALLENGE_SECONDS)
        if len(self._challenges) > CHALLENGE_LIMIT:
            self._challenges.popitem(last=False)
        return nonce

    def sign_in(self, request: dict[str, Any], now: float) -> AgentSession:
        """Step 2: check the signature and open a session; raises RefusedError."""
        agent_id, request_id, nonce = (text(request, name) for name in ("agent_id", "request_id", "nonce"))
        expected = self._challenges.pop(nonce, None)
        if expected is None or expected[2] < now:
            raise RefusedError(401, "the nonce is unknown, used or expired: start again with step 1")
        if expected[:2] != (agent_id, request_id):
            raise RefusedError(401, "the nonce was given to another request")
        check_identity(agent_id, nonce, request)
        if (known := self._by_agent.pop(agent_id.lower(), None)) is not None:
            del self._by_cookie[known.cookie]
        elif len(self._by_agent) >= SESSION_LIMIT:
            raise RefusedError(503, "too many agents are signed in")
        session = AgentSession(agent_id, secrets.randbits(64), secrets.token_hex(32), now)
        self._by_agent[agent_id.lower()] = session
        self._by_cookie[session.cookie] = session
        return session

    def sign_out(self, request: dict[str, Any]) -> None:
        """End the session that the request's token stands for; raises RefusedError."""
        session = self.authorized(request)
        del self._by_agent[session.agent_id.lower()]
        del self._by_cookie[session.cookie]

    def authorized(self, request: dict[str, Any]) -> AgentSession:
        """The session that the request's agent_id and token name; raises RefusedError."""
        session = self.of_agent(text(request, "agent_id"))
        token = text(request, "signature")
        if session is None or not secrets.compare_digest(session.token.encode(), token.encode(errors="replace")):
            raise RefusedError(401, "not signed in")
        return session

    def of_agent(self, agent_id: str) -> AgentSession | None:
        """An agent's session, if it is signed in."""
        return self._by_agent.get(agent_id.lower())

    def of_datagram(self, agent_id: str, cookie: int) -> AgentSession | None:
        """The session that a datagram belongs to, if there is one."""
        session = self._by_cookie.get(cookie)
        return session if session is not None and session.agent_id == agent_id else None

    def forget(self) -> None:
        """Lose all memory, as a restart does."""
        self._challenges.clear()
        self._by_agent.clear()
        self._by_cookie.clear()


def text(request: dict[str, Any], name: str) -> str:
    """A text of a request; raises RefusedError if it is missing, empty or too long."""
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise RefusedError(400, f"the field {name!r} is missing")
    if len(value) > TEXT_LIMIT:
        raise RefusedError(400, f"the field {name!r} is longer than {TEXT_LIMIT} characters")
    return value


def check_identity(agent_id: str, nonce: str, request: dict[str, Any]) -> None:
    """Whether the certificate names the agent and its key signed the nonce; raises RefusedError if not."""
    public_pem, certificate_pem, signature = (text(request, name) for name in ("public_key", "cert", "signature"))
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        public_key = load_pem_public_key(public_pem.encode())
        signed = bytes.fromhex(signature)
        own_key = certificate.public_key()
    except Exception as error:  # whatever a stranger's bytes make a parser raise
        raise RefusedError(400, f"key, certificate or signature cannot be read: {error}") from error
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise RefusedError(400, "the public key is not on an elliptic curve")
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if own_key.public_bytes(*form) != public_key.public_bytes(*form):
        raise RefusedError(403, "the certificate is for another key")
    names = [str(name.value).lower() for name in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    if agent_id.lower() not in names:
        raise RefusedError(403, f"the certificate is for {', '.join(names) or 'nobody'}, not for {agent_id}")
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise RefusedError(403, "the certificate is not valid now")
    try:
        public_key.verify(signed, nonce.encode(), ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise RefusedError(401, "the signature is not that of the nonce") from error
