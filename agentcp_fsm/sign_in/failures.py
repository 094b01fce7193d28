"""Why a call of the sign-in service failed, in terms that the lifecycle and a person can act on."""

from enum import StrEnum

from agentcp_fsm.errors import AgentCPError

_PERMANENT_STATUSES = frozenset({400, 403, 404})
"""Rejections that retrying soon cannot mend (lifecycle, rule 6)."""


MAX_QUOTE = 200
"""Characters of the server's text that a failure quotes."""


class FailureKind(StrEnum):
    """The class of a failure."""

    NETWORK = "network"
    """No connection, or it broke before the answer was complete."""
    TIMEOUT = "timeout"
    """Not connected, not answered, or not answered completely in time."""
    HTTP_STATUS = "http_status"
    """A status other than 200 that is no rejection and no redirect."""
    REDIRECTED = "redirected"
    """A status 3xx: credentials are not carried to wherever an answer points."""
    REJECTED = "rejected"
    """The server refuses the call: status 400, 401, 403 or 404, or an error in an answer of status 200."""
    TOO_LARGE = "too_large"
    """An answer larger than any that the protocol has."""
    NOT_JSON = "not_json"
    """An answer that is not one JSON object in UTF-8."""
    MISSING_FIELD = "missing_field"
    """An answer without a field that the protocol requires."""
    INVALID_FIELD = "invalid_field"
    """A field of the wrong type or out of range."""
    UNPROVEN_SERVER = "unproven_server"
    """The server's TLS certificate or its proof (protocol, "Sign-in", step 1) does not hold."""
    ABANDONED = "abandoned"
    """The caller abandoned the call."""


class SignInError(AgentCPError):
    """A sign-in, sign-out or query failed; the text says what happened and what a person can do about it."""

    def __init__(
        self,
        kind: FailureKind,
        text: str,
        *,
        remedy: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(kind, f"{text}: {remedy}" if remedy else text)
        self.kind = kind
        self.fault = text
        """The text without the remedy, if that was told apart."""
        self.status = status
        """The HTTP status, when a status is what failed."""
        self.retry_after = retry_after
        """Seconds that the server asks to wait before the next try; finite, not negative."""
        self.field = field
        """The name of the missing or invalid field."""

    def __str__(self) -> str:
        return str(self.args[1])

    @property
    def permanent(self) -> bool:
        """Whether retrying soon cannot mend it, so that a person is needed (lifecycle, rule 6)."""
        return self.status in _PERMANENT_STATUSES or self.kind is FailureKind.UNPROVEN_SERVER


def quoted(text: str) -> str:
    """Return the server's text fit for one line of a log: printable and at most `MAX_QUOTE` characters."""
    shown = text[: MAX_QUOTE - 1] + "…" if len(text) > MAX_QUOTE else text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in shown).strip()


def unproven(reason: str) -> SignInError:
    """Return the failure of a server whose proof (protocol, "Sign-in", step 1) does not hold."""
    return SignInError(
        FailureKind.UNPROVEN_SERVER,
        f"the server fails to prove itself: {reason}: somebody may be posing as the server; check its URL and, if that"
        " is right, tell its operator",
    )
