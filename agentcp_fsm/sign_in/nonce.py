"""What an agent's key signs for a server (protocol, "Sign-in", step 2), and what a server's key signs for an agent.

Both sign text that a stranger has chosen.  The same key may be good for more than that: a signature is worth as much as
the most that its text can mean anywhere.  So what could mean something is not signed.
"""

import base64
import json
import re

MAX_NONCE = 512
"""Characters.  A nonce that cannot be guessed takes 22."""

_NONCE = re.compile(rf"[!-~]{{1,{MAX_NONCE}}}")
"""Printable ASCII.  The space is left out, as in it are the texts that TLS 1.3 and SSH sign."""
_REQUEST_ID = r"(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_PROOF = re.compile(rf"\S*\.[^\s.]+{_REQUEST_ID}", re.IGNORECASE)
"""An agent id, which is a name with at least one dot, and a request id: a uuid4, in hex or with its dashes."""


def fault_of_nonce(nonce: str) -> str:
    """Return why an agent's key must not sign this; empty if it may."""
    if not _NONCE.fullmatch(nonce):
        return f"not of 1 to {MAX_NONCE} printable characters of ASCII without a space"
    if _PROOF.fullmatch(nonce):
        return "an agent id and a request id, by whose signature one could pose as that agent's server"
    if _is_jose(nonce):
        return "the beginning of a JSON web token, which the signature would complete"
    return ""


def may_prove(text: str) -> bool:
    """Whether a server's key may sign this for a stranger: it is what proves the server to an agent, and nothing else.

    No agent's key would sign it for a nonce.
    """
    return _PROOF.fullmatch(text) is not None and not _is_jose(text)


def _is_jose(text: str) -> bool:
    """Whether it begins as what a JSON web signature signs (RFC 7515, 5.1): a JSON object in base64url, and a dot."""
    header, dot, _ = text.partition(".")
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, RecursionError):
        return False
    return bool(dot) and isinstance(decoded, dict)
