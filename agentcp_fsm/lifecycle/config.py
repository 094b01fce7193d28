"""Every threshold and timing of a connection, validated, with the specification's defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, TypeGuard

from agentcp_fsm.errors import ConfigError

SHORTEST = 0.001
"""The shortest time that can be configured, in seconds: a clock must be seen to move."""
LONGEST = 1e9
"""The longest, in seconds (32 years)."""
HIGHEST = 1_000_000
"""The highest limit that can be configured."""


def check_seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Raise ConfigError unless `value` is a time that can be configured: `SHORTEST` to `LONGEST`, or 0 if allowed."""
    if not (_is_number(value) and (SHORTEST <= value <= LONGEST or (zero and value == 0))):
        raise ConfigError(
            f"{name}={value!r}: give a finite number of seconds, {'0 or ' if zero else ''}{SHORTEST} to {LONGEST:.0f}"
        )


def _seconds(default: float, *, zero: bool = False) -> Any:
    return field(default=default, metadata={"unit": "seconds", "zero": zero})


def _count(default: int | None, *, optional: bool = False) -> Any:
    return field(default=default, metadata={"unit": "count", "optional": optional})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How patient, how persistent and how polite a connection is.  Times are seconds; limits are counts, at least 1.

    Raises ConfigError, which names the field, its value and what is accepted.
    """

    # Heartbeats (rules 1 to 3)
    interval_min: float = _seconds(5.0)
    """The shortest heartbeat interval that a server's NextBeat can bring about."""
    interval_max: float = _seconds(300.0)
    """The longest heartbeat interval that a server's NextBeat can bring about."""
    probe_interval: float = _seconds(1.0)
    """How often an unanswered heartbeat is repeated before the first answer of a session."""
    probe_limit: int = _count(3)
    """How many heartbeats may go unanswered before the first answer of a session; then the attempt ends."""
    send_retry_initial: float = _seconds(1.0)
    """The wait after the first of several failed sends; it doubles with each."""
    send_retry_max: float = _seconds(30.0)
    """The longest wait between failed sends."""

    # When a connection is lost (rule 4)
    send_failure_limit: int = _count(3)
    """Consecutive failed sends that mean that the connection is lost."""
    receive_failure_limit: int = _count(3)
    """Consecutive failed receives that mean that the connection is lost."""
    silence_limit: int = _count(3)
    """Heartbeat intervals without an answer that mean that the connection is lost."""

    # Signing in (rules 5 to 7)
    sign_in_interval_min: float = _seconds(5.0, zero=True)
    """The least time between the starts of two sign-ins."""
    sign_in_timeout: float = _seconds(30.0)
    """How long a sign-in may take in all, whatever its parts are allowed."""
    sign_in_attempt_limit: int | None = _count(None, optional=True)
    """Consecutive failed attempts after which the connection stops; None: it tries for ever."""
    socket_timeout: float = _seconds(5.0)
    """How long opening the socket (name resolution included) may take."""
    backoff_initial: float = _seconds(1.0)
    """The backoff after the first failed attempt, before jitter; it doubles with each."""
    backoff_max: float = _seconds(30.0)
    """The cap of the backoff; the wait after a rejection that retrying soon cannot mend."""
    backoff_jitter: float = 0.65
    """The share of the backoff that is drawn at random, after the cap: 0 (none of it) to 1 (all of it)."""
    retry_after_max: float = _seconds(600.0)
    """The longest Retry-After that is obeyed: no server can silence a connection for ever."""
    unauthorized_spread: float = _seconds(2.0, zero=True)
    """Sign-ins after a 401 are spread evenly over this span: a 401 to many at once means that a server restarted."""

    # Leaving (rule 8)
    sign_out_timeout: float = _seconds(3.0)
    """How long stopping waits for the sign-out."""

    # Invitations (rule 10)
    invitation_memory: int = _count(64)
    """How many of the latest invitations are remembered, to deliver each once."""

    # HTTP, for the edge
    connect_timeout: float = _seconds(3.0)
    """How long an HTTP connection may take to be made."""
    read_timeout: float = _seconds(10.0)
    """How long an HTTP answer may pause."""
    discovery_interval_min: float = _seconds(60.0, zero=True)
    """The least time between two questions to the access point, as long as a server is known."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.metadata.get("unit") == "seconds":
                check_seconds(item.name, value, zero=item.metadata["zero"])
            elif item.metadata.get("unit") == "count":
                optional = item.metadata["optional"]
                if not (type(value) is int and 1 <= value <= HIGHEST) and not (optional and value is None):
                    raise ConfigError(
                        f"{item.name}={value!r}: give a whole number, 1 to {HIGHEST}{', or None' if optional else ''}"
                    )
        if not (_is_number(self.backoff_jitter) and 0 <= self.backoff_jitter <= 1):
            raise ConfigError(f"backoff_jitter={self.backoff_jitter!r}: give a share between 0 and 1")
        for low, high in (
            ("interval_min", "interval_max"),
            ("send_retry_initial", "send_retry_max"),
            ("backoff_initial", "backoff_max"),
            ("sign_in_interval_min", "backoff_max"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise ConfigError(
                    f"{low}={getattr(self, low)!r} is above {high}={getattr(self, high)!r}: lower the one or raise "
                    "the other"
                )

    @property
    def silence_bound(self) -> float:
        """Seconds within which ONLINE and DEGRADED are left when the server falls silent (lifecycle, L3).

        With a `silence_limit` of 1, the heartbeat that is to break the silence still has one interval to be answered.
        """
        return max(self.silence_limit, 2) * self.interval_max

    @property
    def backoff_bound(self) -> float:
        """The longest that any BACKOFF can last, in seconds (lifecycle, S8)."""
        after_failure = max(self.retry_after_max, self.backoff_max) + self.backoff_max
        return max(after_failure, self.sign_in_interval_min + self.unauthorized_spread)

    @property
    def attempt_bound(self) -> float:
        """The longest that one attempt (sign-in, socket, heartbeats) can last, in seconds."""
        return self.sign_in_timeout + self.socket_timeout + self.probe_limit * self.probe_interval

    @property
    def recovery_bound(self) -> float:
        """Seconds within which a healthy server and network lead to ONLINE (lifecycle, L1), unless it is to stop.

        At worst, a dead session is held until its silence is noticed, or an attempt begun in worse times first fails
        and is followed by the longest backoff, or a start waits for the sign-out of the life before; the attempt after
        that succeeds.
        """
        lost = self.silence_bound + self.sign_in_interval_min + self.unauthorized_spread
        failed = self.attempt_bound + self.backoff_bound
        return max(lost, failed, self.sign_out_timeout) + self.attempt_bound

    @property
    def stop_bound(self) -> float:
        """Seconds from stop to OFFLINE at most (L2)."""
        return self.sign_out_timeout


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
