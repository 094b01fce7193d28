"""Every threshold and timing of a connection, validated, with the specification's defaults."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
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


def check_setting(setting: Field[Any], value: object) -> None:
    """Raise ConfigError unless a field of `Config` can have `value`, whatever the others have."""
    unit = setting.metadata["unit"]
    if unit == "seconds":
        check_seconds(setting.name, value, zero=setting.metadata["zero"])
    elif unit == "count":
        optional = setting.metadata["optional"]
        if not (type(value) is int and 1 <= value <= HIGHEST) and not (optional and value is None):
            raise ConfigError(
                f"{setting.name}={value!r}: give a whole number, 1 to {HIGHEST}{', or None' if optional else ''}"
            )
    elif not (_is_number(value) and 0 <= value <= 1):
        raise ConfigError(f"{setting.name}={value!r}: give a share between 0 and 1")


# A field's metadata: its unit, what it accepts beyond the unit's bounds, and the rule or section that it serves.


def _seconds(default: float, *, serves: str, zero: bool = False) -> Any:
    return field(default=default, metadata={"unit": "seconds", "zero": zero, "serves": serves})


def _share(default: float, *, serves: str) -> Any:
    return field(default=default, metadata={"unit": "share", "serves": serves})


def _count(default: int | None, *, serves: str, optional: bool = False) -> Any:
    return field(default=default, metadata={"unit": "count", "optional": optional, "serves": serves})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How patient, how persistent and how polite a connection is.  Times are seconds; limits are counts, at least 1.

    Raises ConfigError, which names the field, its value and what is accepted.
    """

    # Heartbeats (rules 1 to 3)
    interval_min: float = _seconds(5.0, serves="rule 1")
    """The shortest heartbeat interval that a server's NextBeat can bring about."""
    interval_max: float = _seconds(30.0, serves="rule 1")
    """The longest heartbeat interval that a server's NextBeat can bring about (rule 1): NAT bindings live no longer."""
    probe_interval: float = _seconds(1.0, serves="rules 2 and 5")
    """How often an unanswered heartbeat is repeated before the first answer of a session (rule 2); also the wait after
    the first probe of a doubtful session, which doubles with each probe, up to the interval (rule 5)."""
    probe_limit: int = _count(3, serves="rule 2")
    """How many heartbeats may go unanswered before the first answer of a session; then the attempt ends (rule 2)."""
    probe_time_max: float = _seconds(30.0, serves="rule 2")
    """The time that `probe_interval` and `probe_limit` allow doubles with each attempt that it ends, up to this; with
    ONLINE it starts afresh (rule 2).  So a long round trip gets through.  It is never below what the two allow."""
    retransmission_min: float = _seconds(1.0, serves="rules 3 and 4")
    """The shortest time after which an unanswered heartbeat is repeated (rule 3).  The time follows the measured round
    trips (RFC 6298); it is never above the interval, nor above `silence_timeout`."""
    retransmission_spread: float = _share(0.1, serves="rule 3")
    """The share by which `retransmission_min` is prolonged at random, once for each start, so that clients do not fall
    into step (rule 3): 0 (not at all) to 1 (up to twice the time)."""
    failure_instant: float = _seconds(0.01, zero=True, serves="rule 3")
    """Failed sends, and failed receives, that come no later than this after one that was counted are the same failure
    (rule 3): one cause in one instant.  0: only those at the very same time."""
    send_retry_initial: float = _seconds(1.0, serves="rule 3")
    """The wait after the first of several failed sends; it doubles with each."""
    send_retry_max: float = _seconds(30.0, serves="rule 3")
    """The longest wait between failed sends."""

    # When a connection is lost (rule 4)
    send_failure_limit: int = _count(3, serves="rule 4")
    """Consecutive failed sends that mean that the connection is lost."""
    receive_failure_limit: int = _count(3, serves="rule 4")
    """Consecutive failed receives that mean that the connection is lost."""
    silence_limit: int = _count(3, serves="rule 4")
    """Heartbeat intervals without an answer that mean that the connection is lost."""
    silence_timeout: float = _seconds(15.0, serves="rule 4")
    """Seconds without an answer, counted from when a heartbeat was due, that mean the same, if they are over sooner.
    To both, `retransmission_min` is added: the last repetition can be answered, too (rule 4)."""

    # Signing in (rules 5 to 7)
    sign_in_interval_min: float = _seconds(5.0, zero=True, serves="rule 5")
    """The least time between the starts of two sign-ins."""
    sign_in_timeout: float = _seconds(30.0, serves="rule 2")
    """How long a sign-in may take in all, whatever its parts are allowed."""
    sign_in_attempt_limit: int | None = _count(None, optional=True, serves="rule 6")
    """Consecutive failed attempts after which the connection stops; None: it tries for ever (rule 6)."""
    stable_after: float = _seconds(30.0, zero=True, serves="rule 6")
    """How long ONLINE must last before attempts and backoff start afresh (rule 6).  A connection that is lost before is
    a failed attempt.  The first such loss is followed by a sign-in as soon as rule 5 allows it, each further one in a
    row by a backoff."""
    flapping_limit: int = _count(3, serves="rule 6")
    """Connections in a row that a 401 ended within `flapping_span` of ONLINE: the last of them, and each further one,
    is reported as an error (rule 6), for another copy of the agent may be signing in."""
    flapping_span: float = _seconds(90.0, zero=True, serves="rule 6")
    """How soon after ONLINE began a 401 counts as one of those (rule 6).  Of two copies one is ONLINE for as long as
    the other waits, which is `flapping_wait` and a backoff: let this be longer."""
    flapping_wait: float = _seconds(45.0, serves="rule 6")
    """The least wait after a 401 that is reported so; the backoff comes on top (rule 6).  With the defaults, an agent
    then signs in no more than 60 times an hour.  `retry_now` and `reconnect` end the wait."""
    socket_timeout: float = _seconds(5.0, serves="rule 2")
    """How long opening the socket (name resolution included) may take."""
    backoff_initial: float = _seconds(1.0, serves="rule 6")
    """The backoff after the first failed attempt, before jitter; it doubles with each."""
    backoff_max: float = _seconds(30.0, serves="rule 6")
    """The cap of the backoff; the wait after a rejection that retrying soon cannot mend."""
    backoff_jitter: float = _share(0.65, serves="rule 6")
    """The share of the backoff that is drawn at random, after the cap: 0 (none of it) to 1 (all of it)."""
    retry_after_max: float = _seconds(600.0, serves="rule 6")
    """The longest Retry-After that is obeyed: no server can silence a connection for ever."""
    unauthorized_spread: float = _seconds(2.0, zero=True, serves="rule 7")
    """Sign-ins after a 401 are spread evenly over this span: a 401 to many at once means that a server restarted."""

    # Leaving (rule 8)
    sign_out_timeout: float = _seconds(3.0, serves="rule 8")
    """How long stopping waits for the sign-out."""

    # Invitations (rule 10)
    invitation_window: float = _seconds(5.0, zero=True, serves="rule 10")
    """For how long a delivered invitation is remembered: the same one is not delivered again meanwhile.  Later it is a
    new one, and delivered; so it is at once with 0."""
    invitation_memory: int = _count(64, serves="rule 10")
    """How many of the latest invitations are remembered at most."""

    # HTTP, for the edge
    connect_timeout: float = _seconds(2.0, serves="rule 2")
    """How long an HTTP connection may take to be made (rule 2)."""
    connect_timeout_max: float = _seconds(10.0, serves="rule 2")
    """That time doubles with each failed attempt, up to this; it is never below `connect_timeout`.  So a long
    round trip gets through, and a lost packet costs little (rule 2)."""
    read_timeout: float = _seconds(10.0, serves='protocol, "Sign-in"')
    """How long an HTTP answer may pause."""
    discovery_interval_min: float = _seconds(60.0, zero=True, serves='protocol, "Finding the heartbeat server"')
    """The least time between two questions to the access point, as long as a server is known."""
    blocking_calls_max: int = _count(64, serves='protocol, "Sign-in"')
    """How many calls that block (sign-ins, sign-outs) of all connections of one loop run at once, each on a thread; the
    others wait their turn.  The largest of these connections' counts is what holds."""

    def __post_init__(self) -> None:
        for item in fields(self):
            check_setting(item, getattr(self, item.name))
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
        """Seconds within which ONLINE and DEGRADED are left when the server falls silent (lifecycle, L3)."""
        patience = min(self.silence_limit * self.interval_max, self.interval_max + self.silence_timeout)
        one_retransmission = self.interval_max + min(self.interval_max, self.silence_timeout)
        last_repetition = min(self.retransmission_min, self.interval_max, self.silence_timeout)
        return max(patience + last_repetition, one_retransmission)

    @property
    def backoff_bound(self) -> float:
        """The longest that any BACKOFF can last, in seconds (lifecycle, S8)."""
        compulsory = max(self.retry_after_max, self.backoff_max, self.flapping_wait, self.sign_in_interval_min)
        return compulsory + self.backoff_max + self.unauthorized_spread

    @property
    def attempt_bound(self) -> float:
        """The longest that one attempt (sign-in, socket, heartbeats) can last, in seconds."""
        proof = max(self.probe_limit * self.probe_interval, self.probe_time_max)
        return self.sign_in_timeout + self.socket_timeout + proof

    @property
    def recovery_bound(self) -> float:
        """Seconds within which a healthy server and network lead to ONLINE (lifecycle, L1), unless it is to stop.

        At worst, a dead session is held until its silence is noticed, or an attempt begun in worse times first fails;
        then the longest backoff follows, and the attempt after that succeeds.  Or a start waits for the sign-out of the
        life before.
        """
        ended = max(self.silence_bound, self.attempt_bound) + self.backoff_bound
        return max(ended, self.sign_out_timeout) + self.attempt_bound

    @property
    def return_bound(self) -> float:
        """Seconds from the network's return to ONLINE when the server still knows the session (lifecycle, L4).

        Round trips come on top, and what is left of a sign-in that is in flight at the return.
        """
        return max(self.interval_max, self.probe_interval)

    @property
    def stop_bound(self) -> float:
        """Seconds from stop to OFFLINE at most (L2)."""
        return self.sign_out_timeout


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
