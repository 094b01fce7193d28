"""What the server can do wrong on purpose, as one value that is replaced while it runs."""

from dataclasses import dataclass
from enum import StrEnum

from agentcp_fsm.errors import ConfigError, WireError
from agentcp_fsm.wire import AgentCPCodec, HeartbeatResponse, NextBeatEncoding

MAX_SECONDS = 3600.0
MAX_COPIES = 100
MAX_PORT = 2**16 - 1


class Direction(StrEnum):
    """Which datagrams a fault loses."""

    BOTH = "both"
    REQUESTS = "requests"
    """Those to the server."""
    ANSWERS = "answers"
    """Those from the server, invitations among them."""


class Unauthorized(StrEnum):
    """Which heartbeats of valid sessions are answered 401."""

    OFF = "off"
    ONCE = "once"
    """The next one; then the fault sets itself to `OFF`."""
    ON = "on"


class Stranger(StrEnum):
    """Where the server's datagrams come from."""

    OFF = "off"
    """From where heartbeats go, as they should."""
    ON = "on"
    """From another port."""
    ADDRESS = "address"
    """From another address, 127.0.0.2 or 127.0.0.1, but the port that the server has when this is switched on: only a
    server on 127.0.0.0/8 can."""


class OldPort(StrEnum):
    """What becomes of the UDP port that the server moves away from."""

    DEAD = "dead"
    """It is closed."""
    UNAUTHORIZED = "401"
    """It answers 401 to every heartbeat."""


class SignInFault(StrEnum):
    """How a call goes wrong, in both steps of a sign-in unless it concerns a field of one."""

    NONE = "none"
    REFUSED = "refused"
    """The HTTP port is closed, for every call: connections are refused and standing ones dropped."""
    DOWN = "down"
    """The connection is closed without a word."""
    HANG = "hang"
    """No answer ever comes."""
    HANG_AFTER_HEADERS = "hang-after-headers"
    """The answer begins and never goes on."""
    SLOW = "slow"
    """The right answer comes, but its body takes `Faults.slow_seconds`, byte by byte."""
    STATUS = "status"
    """The answer is `Faults.status`, with a Retry-After if `Faults.retry_after` says so."""
    REDIRECT = "redirect"
    """To another place of the server, where nothing is."""
    NOT_JSON = "not-json"
    """HTML, where JSON is due."""
    TRUNCATED = "truncated"
    """The first half of the JSON text, as if it were all."""
    HUGE = "huge"
    """The right answer and 100 MB of padding in it."""
    MISSING_FIELD = "missing-field"
    """The answer lacks `Faults.field`."""
    PORT_OUT_OF_RANGE = "port-out-of-range"
    """The answer names the UDP port `Faults.port`."""
    BAD_PROOF = "bad-proof"
    """The server proves itself with the signature of something else; only one with credentials can."""


class ConfigShape(StrEnum):
    """What the access point's config looks like."""

    OBJECT = "object"
    """The config, as an object."""
    TEXT = "text"
    """The config, as the JSON text of an object; as good as the other."""
    ABSENT = "absent"
    """None at all."""
    EMPTY = "empty"
    """An object that names no server."""
    BROKEN = "broken"
    """Text that is no JSON."""


SIGN_IN_ONLY = frozenset(
    {SignInFault.REFUSED, SignInFault.MISSING_FIELD, SignInFault.PORT_OUT_OF_RANGE, SignInFault.BAD_PROOF}
)
"""Faults that a sign-out, or the call for the access point's config, cannot have by itself."""
SERVER_ONLY = frozenset({SignInFault.REFUSED, SignInFault.PORT_OUT_OF_RANGE})
"""Faults that a sign-in at the access point cannot have: it has the server's HTTP port and names no UDP port."""
FIELDS = ("nonce", "server_ip", "port", "sign_cookie", "signature")
"""The fields that an answer can lack."""

KINDS: dict[str, type[StrEnum]] = {
    "direction": Direction,
    "unauthorized": Unauthorized,
    "stranger": Stranger,
    "sign_in": SignInFault,
    "sign_out": SignInFault,
    "access_point": SignInFault,
    "config_call": SignInFault,
    "config": ConfigShape,
}
"""The faults that have a choice of values."""
_IMPOSSIBLE = {"sign_out": SIGN_IN_ONLY, "access_point": SERVER_ONLY, "config_call": SIGN_IN_ONLY}
"""Faults that a call cannot have."""


def possible(name: str) -> tuple[StrEnum, ...]:
    """The values that the fault `name`, one of `KINDS`, can have."""
    return tuple(value for value in KINDS[name] if value not in _IMPOSSIBLE.get(name, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """All faults; the default is none: `Faults()` is a healthy server.

    Raises `ConfigError` for a value that makes no sense.
    """

    drop: float = 0.0
    """The share of datagrams that is lost: 0 (none) to 1 (all)."""
    direction: Direction = Direction.BOTH
    """Which ones `drop` loses; an outage loses both."""
    silent: bool = False
    """Whether heartbeats are taken but no datagram is sent."""
    delay: float = 0.0
    """Seconds by which the server's datagrams are late."""
    copies: int = 1
    """How often each of the server's datagrams is sent."""
    unauthorized: Unauthorized = Unauthorized.OFF
    stranger: Stranger = Stranger.OFF
    next_beat: int | None = None
    """NextBeat in milliseconds, as absurd as you like; None for the server's own."""
    encoding: NextBeatEncoding | None = None
    """How NextBeat is written; None for the server's own way."""
    sign_in: SignInFault = SignInFault.NONE
    sign_out: SignInFault = SignInFault.NONE
    """Any but `SIGN_IN_ONLY`."""
    status: int = 503
    """The HTTP status of SignInFault.STATUS."""
    retry_after: str = ""
    """The Retry-After of SignInFault.STATUS: seconds, an HTTP date, or nonsense; empty for none."""
    slow_seconds: float = 20.0
    """How long SignInFault.SLOW takes, in seconds."""
    field: str = "server_ip"
    """What SignInFault.MISSING_FIELD leaves out, one of `FIELDS`; "signature" is the bearer token, not the proof."""
    port: int = MAX_PORT + 1
    """The port of SignInFault.PORT_OUT_OF_RANGE."""
    access_point: SignInFault = SignInFault.NONE
    """How a sign-in at the access point goes wrong: any but `SERVER_ONLY`."""
    config_call: SignInFault = SignInFault.NONE
    """How the call for the access point's config goes wrong: any but `SIGN_IN_ONLY`."""
    config: ConfigShape = ConfigShape.OBJECT
    heartbeat_server: str = ""
    """The heartbeat server's URL in the config, valid or not; empty for this server's own."""
    message_server: str = ""
    """The message server's URL in the config; empty for this server's own, which carries no messages."""

    def __post_init__(self) -> None:
        for name, kind in KINDS.items():
            if not isinstance(getattr(self, name), kind):
                raise ConfigError(f"{name}={getattr(self, name)!r}: give a {kind.__name__} ({', '.join(kind)})")
        if not 0 <= self.drop <= 1:
            raise ConfigError(f"drop={self.drop!r}: give a share from 0 to 1")
        for name in ("delay", "slow_seconds"):
            if not 0 <= getattr(self, name) <= MAX_SECONDS:
                raise ConfigError(f"{name}={getattr(self, name)!r}: give seconds from 0 to {MAX_SECONDS:g}")
        if not 1 <= self.copies <= MAX_COPIES:
            raise ConfigError(f"copies={self.copies!r}: give a number from 1 to {MAX_COPIES}")
        if not 400 <= self.status <= 599:
            raise ConfigError(f"status={self.status!r}: give an HTTP error status, 400 to 599")
        if not (self.retry_after.isascii() and self.retry_after.isprintable()):
            raise ConfigError(f"retry_after={self.retry_after!r}: give seconds or an HTTP date, in printable ASCII")
        if self.field not in FIELDS:
            raise ConfigError(f"field={self.field!r}: give one of {', '.join(FIELDS)}")
        if 1 <= self.port <= MAX_PORT:
            raise ConfigError(f"port={self.port!r}: give a number that is not from 1 to {MAX_PORT}")
        for name in _IMPOSSIBLE:
            if (fault := getattr(self, name)) not in possible(name):
                raise ConfigError(f"{name}={fault.value!r}: give one of {', '.join(possible(name))}")
        if self.next_beat is not None:
            try:
                AgentCPCodec(self.encoding or NextBeatEncoding.U64).encode(HeartbeatResponse(1, self.next_beat))
            except WireError as error:
                raise ConfigError(f"next_beat={self.next_beat!r}: {error}") from None
