"""What the server can do wrong on purpose, as one value that is replaced while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agentcp_fsm.errors import ConfigError, WireError
from agentcp_fsm.wire import AgentCPCodec, HeartbeatResponse, NextBeatEncoding


class SignInFault(StrEnum):
    """How a sign-in goes wrong."""

    NONE = "none"
    DOWN = "down"
    """The connection is closed without a word."""
    HANG = "hang"
    """No answer ever comes."""
    HANG_AFTER_HEADERS = "hang-after-headers"
    """The answer begins and never goes on."""
    SLOW = "slow"
    """The answer comes, one byte a second."""
    STATUS = "status"
    """The answer is `Faults.status`, with a Retry-After if `Faults.retry_after` says so."""
    REDIRECT = "redirect"
    NOT_JSON = "not-json"
    """HTML, where JSON is due."""
    TRUNCATED = "truncated"
    """JSON that ends in the middle."""
    HUGE = "huge"
    """A body of 100 MB."""
    MISSING_FIELD = "missing-field"
    """The answer lacks `Faults.field`."""
    PORT_OUT_OF_RANGE = "port-out-of-range"
    BAD_PROOF = "bad-proof"
    """The server proves itself with another's signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """All faults; the default is none.  Raises ConfigError for a value that makes no sense."""

    drop: float = 0.0
    """The share of datagrams that is lost, of either direction: 0 (none) to 1 (all: an outage)."""
    silent: bool = False
    """Whether heartbeats are taken but not answered."""
    delay: float = 0.0
    """Seconds by which answers are late."""
    copies: int = 1
    """How often each answer is sent."""
    unauthorized: bool = False
    """Whether every heartbeat is answered 401."""
    stranger: bool = False
    """Whether answers come from another port than heartbeats go to."""
    next_beat: int | None = None
    """NextBeat in milliseconds, as absurd as you like; None for the server's own."""
    encoding: NextBeatEncoding = NextBeatEncoding.U64
    sign_in: SignInFault = SignInFault.NONE
    status: int = 503
    """The HTTP status of SignInFault.STATUS."""
    retry_after: str = ""
    """The Retry-After of SignInFault.STATUS: seconds, an HTTP date, or nonsense; empty for none."""
    field: str = "server_ip"
    """What SignInFault.MISSING_FIELD leaves out."""

    def __post_init__(self) -> None:
        if not 0 <= self.drop <= 1:
            raise ConfigError(f"drop={self.drop!r}: give a share from 0 to 1")
        if not 0 <= self.delay <= 3600:
            raise ConfigError(f"delay={self.delay!r}: give seconds from 0 to 3600")
        if not 0 <= self.copies <= 100:
            raise ConfigError(f"copies={self.copies!r}: give a number from 0 to 100")
        if not 400 <= self.status <= 599:
            raise ConfigError(f"status={self.status!r}: give an HTTP error status, 400 to 599")
        if self.next_beat is not None:
            try:
                AgentCPCodec(self.encoding).encode(HeartbeatResponse(1, self.next_beat))
            except WireError as error:
                raise ConfigError(f"next_beat={self.next_beat!r} as {self.encoding.name.lower()}: {error}") from None
