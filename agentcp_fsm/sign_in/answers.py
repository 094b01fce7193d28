"""From an HTTP answer to checked values: statuses, JSON, fields (protocol, "Sign-in").

Nothing that an answer holds is trusted, and a failure quotes none of its secrets: tokens, nonces and cookies must not
reach a log.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in.http import MAX_ANSWER, Answer
from agentcp_fsm.sign_in.nonce import fault_of_nonce
from agentcp_fsm.sign_in.zones import with_zone
from agentcp_fsm.support.addresses import near
from agentcp_fsm.support.lookups import is_address
from agentcp_fsm.support.quoting import quoted

MAX_RETRY_AFTER = 86_400.0
"""Seconds.  A server may ask for a day of patience, but not for silence for ever."""

MAX_PARTS = 4096
"""How many lists and objects an answer may have: they take fifty times the memory of their text."""

_HOST_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_REMEDIES = {
    400: "check the agent id and the server's URL",
    401: "check that the agent's key and certificate are the ones that this server knows",
    403: "ask the server's operator to admit the agent",
    404: "check the server's URL, and that the agent is registered there",
    429: "sign in less often",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """The JSON object of an answer, whose fields are checked as they are read."""

    url: str
    content: Mapping[str, Any]
    near: str = ""
    """Which kind of address answered; loopback is this machine itself."""
    zone: str = ""
    """The interface by whose link it did, if that matters."""

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Decode an answer of status 200; raises `SignInError` of kind TOO_LARGE or NOT_JSON."""
        if len(answer.body) > MAX_ANSWER:
            raise SignInError(
                FailureKind.TOO_LARGE,
                f"{answer.url}: the answer is larger than {MAX_ANSWER} bytes: is this a sign-in server?",
            )
        content = _object_in(answer.body)
        if content is None:
            media_type = quoted(answer.headers.get("Content-Type", "an unnamed type"))
            fewer = f" of at most {MAX_PARTS} parts" if _parts(answer.body) > MAX_PARTS else ""
            raise SignInError(
                FailureKind.NOT_JSON,
                f"{answer.url}: the answer ({len(answer.body)} bytes of {media_type}) is not a JSON object{fewer}:"
                " check the server's URL, and whether a proxy or a network's log-in page answers in its place",
            )
        return cls(answer.url, content, answer.near, answer.zone)

    def text(self, name: str) -> str:
        """Return a string that is not empty and can be encoded."""
        value = self._value(name)
        # JSON can write half a surrogate pair, which UTF-8 cannot.
        if not isinstance(value, str) or not value or value.encode(errors="replace").decode() != value:
            raise self.invalid(name, "no text")
        return value

    def number(self, name: str, minimum: int, maximum: int) -> int:
        """Return a whole number that came as a number or as decimal digits."""
        value = self._value(name)
        if isinstance(value, str) and len(value) <= 20 and value.isascii() and value.isdecimal():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise self.invalid(name, f"no whole number from {minimum} to {maximum}")
        return value

    def items(self, name: str) -> list[Any]:
        """Return a list, whose items are unchecked."""
        value = self._value(name)
        if not isinstance(value, list):
            raise self.invalid(name, "no list")
        return value

    def mapping(self, name: str) -> Self:
        """Return the fields of an object that came as such or as its JSON text."""
        value = self._value(name)
        content = _object_in(value.encode(errors="replace")) if isinstance(value, str) else value
        if not isinstance(content, dict):
            raise self.invalid(name, "no JSON object")
        return type(self)(self.url, content, self.near, self.zone)

    def nonce(self) -> str:
        """Return what step 2 of the sign-in signs, if a key may sign it."""
        nonce = self.text("nonce")
        if fault := fault_of_nonce(nonce):
            raise self.invalid("nonce", fault)
        return nonce

    def session(self) -> Session:
        """Return the session that step 2 of the sign-in yields."""
        host = self.text("server_ip")
        if not is_host(host):
            raise self.invalid("server_ip", "no IP address or host name")
        kind = near(host)
        any_address = self.near == "loopback" or kind == self.near != ""
        if kind and not any_address:
            raise self.invalid("server_ip", f"a {kind} address, to which no server elsewhere may send an agent")
        return Session(
            with_zone(host, self.zone) if kind == "link-local" and ":" in host else host,
            self.number("port", 1, 65_535),
            self.number("sign_cookie", 0, 2**64 - 1),
            self.text("signature"),
            any_address,
        )

    def _value(self, name: str) -> Any:
        value = self.content.get(name)
        if value is not None:
            return value
        if refusal := error_text(self.content):
            raise SignInError(FailureKind.REJECTED, f"{self.url}: the server says: {refusal}")
        raise SignInError(
            FailureKind.MISSING_FIELD,
            f"{self.url}: the answer has no field {name!r}: check the server's URL and its version",
            field=name,
        )

    def invalid(self, name: str, fault: str) -> SignInError:
        """Return the failure that the field's value is `fault`."""
        return SignInError(
            FailureKind.INVALID_FIELD,
            f"{self.url}: the answer's field {name!r} is {fault}: tell the server's operator",
            field=name,
        )


def check_status(answer: Answer) -> None:
    """Raise `SignInError` of kind REDIRECTED, REJECTED or HTTP_STATUS unless the status is 200."""
    if answer.status == 200:
        return
    if 300 <= answer.status <= 399:
        kind = FailureKind.REDIRECTED
        says = f" (to {quoted(answer.headers.get('Location', 'nowhere'))})"
        remedy = "redirects are not followed: give the server's final URL, if you trust it"
    else:
        kind = FailureKind.REJECTED if answer.status in (400, 401, 403, 404) else FailureKind.HTTP_STATUS
        says = _refusal(answer)
        remedy = _REMEDIES.get(answer.status, "the server is at fault or down: if it lasts, tell its operator")
    raise SignInError(
        kind,
        f"{answer.url}: HTTP status {answer.status}{says}: {remedy}",
        status=answer.status,
        retry_after=retry_after(answer.headers),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks for, 0 to `MAX_RETRY_AFTER`; None if there is no valid one.

    A date is counted from the answer's own Date, if it has one, so that this machine's clock need not be right.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), MAX_RETRY_AFTER)
    until = http_date(value)
    if until is None:
        return None
    now = http_date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max((until - now).total_seconds(), 0.0), MAX_RETRY_AFTER)


def error_text(content: Mapping[str, Any]) -> str:
    """Return the server's words in ``{"error": ...}``, a string or ``{code, message}``; else those in ``message``."""
    error = content.get("error")
    if isinstance(error, dict):
        error = ": ".join(str(error[part]) for part in ("code", "message") if isinstance(error.get(part), str | int))
    text = next((text for text in (error, content.get("message")) if isinstance(text, str) and text), "")
    return quoted(text)


def _refusal(answer: Answer) -> str:
    """Return the server's words in an answer of another status, if it has any; a page of HTML has none."""
    try:
        text = error_text(Fields.of(answer).content)
    except SignInError:
        text = ""
    return f" ({text})" if text else ""


def _object_in(data: bytes) -> dict[str, Any] | None:
    """Parse a JSON object in UTF-8; None if `data` is something else, or has too many parts."""
    if _parts(data) > MAX_PARTS:
        return None
    try:
        content = json.loads(data.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _parts(data: bytes) -> int:
    """Return how many lists and objects a JSON text has at the most; brackets in strings count, too."""
    return data.count(b"[") + data.count(b"{")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def http_date(text: str) -> datetime | None:
    """Return the time that a header such as Date names; None if it names none."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def is_host(host: str) -> bool:
    """Whether `host` is an IP address or can be a name."""
    if is_address(host):
        return (
            "%" not in host
        )  # a zone, as in fe80::1%eth0, names an interface of the server's machine, not of this one
    labels = host.removesuffix(".").split(".")
    return len(host) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in labels)
