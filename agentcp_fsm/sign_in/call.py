"""How long a call may take, and whether its result is still wanted."""

import time
from dataclasses import dataclass, fields, replace
from typing import Self

from agentcp_fsm.lifecycle.config import check_seconds
from agentcp_fsm.support.abandonment import Abandonment

LONGEST_WAIT = 1e6
"""Seconds.  The system's calls count milliseconds in 31 bits, so a socket waits no longer (11 days) for one thing."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a call may take, each in seconds; raises `ConfigError` for a time that no `Config` could hold either.

    ``connect`` counts for looking up the server's name, and for each of its addresses.
    """

    connect: float = 3.0
    """Until a connection stands, and again until TLS stands on it; a `Connection` allows more as attempts fail."""
    read: float = 10.0
    """Until the next byte of the answer."""
    total: float = 30.0
    """For the whole call, which is two requests for a sign-in."""

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            check_seconds(f"the timeout {name}", getattr(self, name))


@dataclass(frozen=True, slots=True)
class Call:
    """The patience of one call, which may make several requests."""

    timeouts: Timeouts
    deadline: float
    """Monotonic seconds."""
    abandonment: Abandonment | None

    @classmethod
    def begin(cls, timeouts: Timeouts, abandonment: Abandonment | None = None) -> Self:
        """Start the clock."""
        if abandonment is not None and abandonment.connect_timeout is not None:
            timeouts = replace(timeouts, connect=abandonment.connect_timeout)
        return cls(timeouts, time.monotonic() + timeouts.total, abandonment)

    @property
    def abandoned(self) -> bool:
        """Whether the caller no longer waits."""
        return self.abandonment is not None and self.abandonment.abandoned

    def patience(self, seconds: float) -> float:
        """Return the least of ``seconds``, the rest of the call's time and `LONGEST_WAIT`.

        Raises TimeoutError at the end of the call's time.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the answer was not complete within {self.timeouts.total:g} s")
        return min(seconds, left, LONGEST_WAIT)
