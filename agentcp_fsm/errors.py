"""Every error this library raises, under one base class.

Network input never raises one of these past the edge: it is counted and ignored.  Each error answers something that
the caller did, and names the value and the remedy.
"""

from collections.abc import Callable
from enum import StrEnum

_PERMANENT_STATUSES = frozenset({400, 403, 404})
"""Rejections that retrying soon cannot mend (lifecycle, rule 6)."""


class AgentCPError(Exception):
    """The base class of all errors of this library; each can be copied, and pickled on its way out of a process."""

    def __reduce__(self) -> tuple[Callable[..., "AgentCPError"], tuple[object, ...]]:
        return _made_again, (type(self), self.args, self.__dict__)


def _made_again(kind: type[AgentCPError], args: tuple[object, ...], attributes: dict[str, object]) -> AgentCPError:
    """Make a copy of an error.  Not by its constructor, as exceptions do by default: it takes more than the text."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(attributes)
    return error


class ChartError(AgentCPError, ValueError):
    """A chart contradicts itself, or a model lacks what its chart names; the text names the row."""


class UndecidedError(ChartError):
    """An event that no row of its chart decides, where the chart says that this is an error."""


class ConfigError(AgentCPError, ValueError):
    """A configured value cannot work; the text names the field, the value and what would be accepted."""


class URLError(ConfigError):
    """No URL of a server."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}: {remedy}")
        self.fault = fault


class WireError(AgentCPError, ValueError):
    """Bytes that are no AgentCP datagram, or a message that no datagram can carry."""


class CredentialsError(AgentCPError):
    """A key or certificate on disk cannot be used; the text names the file and the remedy."""


class PasswordRequiredError(CredentialsError):
    """The key is encrypted, and no password was given."""


class ServerError(AgentCPError, RuntimeError):
    """The reference server cannot do what was asked now; the text names what stands in the way."""


class ConnectionStateError(AgentCPError, RuntimeError):
    """The connection is in no state to do what was asked, or did not get there in time."""


class SDKError(AgentCPError):
    """The AgentCP SDK is not installed, or not as it is known; the text names the remedy."""


class RendererError(AgentCPError, RuntimeError):
    """A picture cannot be drawn, because its renderer is not installed or failed; the text names the remedy."""


class DiagramFileError(AgentCPError):
    """A file can hold no diagram; the text names the file and the remedy."""


class TraceError(AgentCPError, ValueError):
    """A file is no trace of a connection, or not one that can be read; the text names the file and the remedy."""


class FailureKind(StrEnum):
    """The class of a failure."""

    NETWORK = "network"
    """No connection, or it broke before the answer was complete."""
    TIMEOUT = "timeout"
    """Not connected, not answered, or not answered completely in time."""
    HTTP_STATUS = "http_status"
    """A status other than 200 that is no rejection and no redirect."""
    REDIRECTED = "redirected"
    """A status 3xx: credentials are not carried to where an answer points."""
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
        """The text without the remedy, if the remedy was given apart."""
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


class ServerProofError(SignInError):
    """The server's proof of itself (protocol, "Sign-in", step 1) does not hold."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            FailureKind.UNPROVEN_SERVER,
            f"the server fails to prove itself: {reason}: somebody may be posing as the server; check its URL and, if"
            " that is right, contact its operator",
        )


class DiscoveryStep(StrEnum):
    """The step at which the heartbeat server was not found, in the order in which they are taken."""

    NAME_RESOLUTION = "name resolution"
    CONNECTION = "connection"
    TLS = "TLS handshake"
    SIGN_IN = "sign-in at the access point"
    CONFIG_CALL = "call of get_accesspoint_config"
    CONFIG_CONTENT = "content of the access point's config"


_DISCOVERY_REMEDIES = {
    DiscoveryStep.NAME_RESOLUTION: "check the agent id's last two labels, which name the access point, and the"
    " name servers of this machine",
    DiscoveryStep.CONNECTION: "check the network, its firewalls and its proxy",
}
"""Better advice, at these steps, than that of the call that failed."""


class DiscoveryError(SignInError):
    """The heartbeat server was not found; the text names the step that failed, and what to try."""

    def __init__(self, step: DiscoveryStep, agent_id: str, failure: SignInError) -> None:
        why = f"{failure.fault}: {_DISCOVERY_REMEDIES[step]}" if step in _DISCOVERY_REMEDIES else str(failure)
        super().__init__(
            failure.kind,
            f"the heartbeat server of {agent_id} was not found (failed step: {step}): {why}; or give the access point"
            " (--access-point) or the server's URL (--server) yourself",
            status=failure.status,
            retry_after=failure.retry_after,
            field=failure.field,
        )
        self.step = step


class WalkError(AgentCPError, AssertionError):
    """The chart asked a guard that the walk does not answer, or did not ask one that it does."""


class InvariantError(AgentCPError, AssertionError):
    """A machine broke an invariant; the text names it, the step, and what led there."""


class StatusError(AgentCPError):
    """A status place did not answer as one does."""


class UnreachableError(StatusError):
    """Nobody answers at the address of a status place."""


class FixtureError(AgentCPError):
    """A fixture cannot be made, for want of the extra or because another one has the name of what it needs."""
