"""The machine's whole input: everything that can happen to a connection (lifecycle, "Events").

Each event names its trigger in the chart.  An edge's event carries the number of its attempt: one sign-in, the session
it yields and the socket opened for that session.  That number shows that an event of an earlier attempt is late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agentcp_fsm.lifecycle.session import Invitation, Session


class Event:
    """The base of all events."""

    __slots__ = ()

    trigger: ClassVar[str]
    """The event's name in the chart."""
    reason: str = ""
    """What went wrong, in words, where something did."""


# From the application ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start(Event):
    """The application wants to be reachable."""

    trigger: ClassVar[str] = "start"


@dataclass(frozen=True, slots=True)
class Stop(Event):
    """The application wants out."""

    trigger: ClassVar[str] = "stop"


@dataclass(frozen=True, slots=True)
class Reconnect(Event):
    """The application wants what there is to be dropped, and a new sign-in."""

    trigger: ClassVar[str] = "reconnect"


@dataclass(frozen=True, slots=True)
class RetryNow(Event):
    """The application wants a backoff to end early."""

    trigger: ClassVar[str] = "retry_now"


# From the sign-in's edge ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignedIn(Event):
    """A sign-in succeeded."""

    trigger: ClassVar[str] = "signed_in"
    attempt: int
    session: Session


@dataclass(frozen=True, slots=True)
class SignInFailed(Event):
    """A sign-in failed, in any way."""

    trigger: ClassVar[str] = "sign_in_failed"
    attempt: int
    reason: str
    retry_after: float | None = None
    """Seconds that the server asked to wait, if it did."""
    rejected: bool = False
    """Whether retrying soon cannot mend it (rule 6: 400, 403, 404, a server that fails to prove itself)."""


@dataclass(frozen=True, slots=True)
class SignedOut(Event):
    """A sign-out ended: with success, or with a `reason` why not."""

    trigger: ClassVar[str] = "signed_out"
    attempt: int
    reason: str = ""


# From the socket's edge ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SocketOpened(Event):
    """The socket is open and connected to the session's server."""

    trigger: ClassVar[str] = "socket_opened"
    attempt: int


@dataclass(frozen=True, slots=True)
class SocketFailed(Event):
    """The socket could not be opened, or is beyond use."""

    trigger: ClassVar[str] = "socket_failed"
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class BeatSent(Event):
    """A heartbeat was handed to the network."""

    trigger: ClassVar[str] = "beat_sent"
    attempt: int


@dataclass(frozen=True, slots=True)
class SendFailed(Event):
    """A datagram could not be sent."""

    trigger: ClassVar[str] = "send_failed"
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReceiveFailed(Event):
    """Receiving failed (an empty socket is no failure)."""

    trigger: ClassVar[str] = "receive_failed"
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class BeatAnswered(Event):
    """The server answered a heartbeat."""

    trigger: ClassVar[str] = "beat_answered"
    attempt: int
    next_beat: int
    """NextBeat as the wire carries it, in milliseconds; any number, bounded by the machine."""


@dataclass(frozen=True, slots=True)
class Unauthorized(Event):
    """The server answered 401: it does not know the session."""

    trigger: ClassVar[str] = "unauthorized"
    attempt: int


@dataclass(frozen=True, slots=True)
class Invited(Event):
    """An invitation arrived."""

    trigger: ClassVar[str] = "invited"
    attempt: int
    invitation: Invitation


@dataclass(frozen=True, slots=True)
class Malformed(Event):
    """A datagram arrived that the protocol does not have."""

    trigger: ClassVar[str] = "malformed"
    attempt: int


# From time -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeadlinePassed(Event):
    """The machine's deadline has passed; it knows which of its timers is due."""

    trigger: ClassVar[str] = "deadline_passed"


EVENTS: tuple[type[Event], ...] = (
    Start, Stop, Reconnect, RetryNow, SignedIn, SignInFailed, SignedOut, SocketOpened, SocketFailed, BeatSent,
    SendFailed, ReceiveFailed, BeatAnswered, Unauthorized, Invited, Malformed, DeadlinePassed,
)  # fmt: skip
"""Every kind of event; the chart decides each of them in every state."""
