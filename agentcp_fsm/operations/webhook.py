"""Posts each invitation to a URL: signed, bounded in number and time, tried again, and apart from the agent.

The headers are those of Standard Webhooks (https://www.standardwebhooks.com), so that its libraries verify them.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import random
import threading
import time
from dataclasses import asdict
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import uuid4

import requests

from agentcp_fsm.connection.workers import WorkerPool
from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.support.quoting import quoted

logger = logging.getLogger(__name__)

WAITING_MAX = 1000
"""Invitations that wait to be posted; further ones are dropped, and logged."""
WAIT_FIRST, WAIT_MAX = 1.0, 30.0
"""Seconds before the second try, half of them by chance, and at most; they double with each try."""
AGAIN = frozenset({408, 425, 429})
"""Statuses besides 5xx after which it is tried again; others but 2xx say that it never will be taken."""
CLOSE_WITHIN = 2.0
"""Seconds that a close waits for the calls under way."""


class Webhook:
    """Posts invitations to `url`, at most `limit` at once, each at most `tries` times with `timeout` seconds for each.

    The body is one JSON object with ``agent_id`` (the invited agent) and the fields of `Invitation`.  ``webhook-id`` is
    the same for each try of one invitation, ``webhook-timestamp`` is in seconds, and with a `secret`
    ``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``.  Redirects are not
    followed.  A call that comes to nothing is logged, and changes nothing else.

    Raises ConfigError for a URL that is none, or that leads over the network in clear.
    """

    def __init__(self, url: str, *, secret: str | None, timeout: float, tries: int, limit: int) -> None:
        check_url(url)
        self._url = url
        self._secret = None if secret is None else _key(secret)
        self._timeout = timeout
        self._tries = tries
        self._pool = WorkerPool("agentcp-webhook", limit)
        self._waiting = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def run(self, agent_id: str, invitation: Invitation) -> None:
        """Post an invitation, now or later; returns at once."""
        body = json.dumps({"agent_id": agent_id, **asdict(invitation)}).encode()
        with self._lock:
            if self._waiting >= WAITING_MAX:
                inviter = quoted(invitation.inviter_agent_id)
                logger.error(
                    "%s: an invitation by %s was dropped: %d wait for the webhook", agent_id, inviter, WAITING_MAX
                )
                return
            self._waiting += 1
        try:
            self._pool.submit(lambda: self._deliver(agent_id, body))
        except RuntimeError as error:  # the system has no thread for it
            with self._lock:
                self._waiting -= 1
            logger.error("%s: an invitation was not posted: %s", agent_id, error)

    def close(self) -> None:
        """Post nothing more; what is under way ends by itself, and is waited for a little."""
        self._closed.set()
        self._pool.close()
        self._pool.join(CLOSE_WITHIN)

    def _deliver(self, agent_id: str, body: bytes) -> None:
        try:
            delivery = f"msg_{uuid4().hex}"
            for attempt in range(1, self._tries + 1):
                says, wait = self._post(delivery, body)
                if says is None:
                    return
                if wait is None or attempt == self._tries:
                    logger.error("%s: the webhook did not take an invitation: %s (try %d)", agent_id, says, attempt)
                    return
                logger.info("%s: the webhook did not take an invitation yet: %s", agent_id, says)
                backoff = min(WAIT_FIRST * 2 ** (attempt - 1), WAIT_MAX)
                if self._closed.wait(max(backoff * random.uniform(0.5, 1.0), min(wait, WAIT_MAX))):  # noqa: S311
                    logger.warning("%s: an invitation was not posted: the program ends", agent_id)
                    return
        finally:
            with self._lock:
                self._waiting -= 1

    def _post(self, delivery: str, body: bytes) -> tuple[str | None, float | None]:
        """Try once.  Returns what went wrong, None if nothing did; and the least wait, None if no try will help."""
        at = str(int(time.time()))
        headers = {"Content-Type": "application/json", "webhook-id": delivery, "webhook-timestamp": at}
        if self._secret is not None:
            headers["webhook-signature"] = signature(self._secret, delivery, at, body)
        try:
            with requests.post(
                self._url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
            ) as answer:
                if 200 <= answer.status_code < 300:
                    return None, None
                says = f"status {answer.status_code}"
                if answer.status_code in AGAIN or answer.status_code >= 500:
                    asked = answer.headers.get("Retry-After", "")
                    return says, float(asked) if asked.isascii() and asked.isdigit() else 0.0
                return says, None
        except requests.RequestException as error:
            return type(error).__name__, 0.0


def check_url(url: str) -> None:
    """Raise ConfigError unless an invitation, which holds a code, may be posted there."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ConfigError(f"webhook={url!r} is no URL of a webhook: give one such as https://hooks.example/invitations")
    if parts.scheme == "http" and not _is_this_machine(host):
        raise ConfigError(f"webhook={url!r} would be posted in clear over the network: give an https URL")


def signature(key: bytes, delivery: str, at: str, body: bytes) -> str:
    """The signature of Standard Webhooks."""
    digest = hmac.digest(key, f"{delivery}.{at}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str) -> bytes:
    """The key in a secret: base64 after ``whsec_``, as Standard Webhooks writes it, else the text itself."""
    encoded = secret.removeprefix("whsec_")
    if encoded == secret:
        return secret.encode()
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        raise ConfigError("the webhook's secret begins with whsec_, and no base64 follows: copy all of it") from None


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
