"""The machine's whole output: requests to the code around it, which carries them out in order."""

from __future__ import annotations

from dataclasses import dataclass

from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.session import Invitation, Session


@dataclass(frozen=True, slots=True)
class SignIn:
    """Begin a sign-in; report `SignedIn` or `SignInFailed` with the same attempt."""

    attempt: int
    connect_timeout: float
    """Seconds that its connections may take to be made (rule 2)."""


@dataclass(frozen=True, slots=True)
class AbandonSignIn:
    """Give up waiting for this sign-in.  If it still succeeds, report `SignedIn`."""

    attempt: int


@dataclass(frozen=True, slots=True)
class SignOut:
    """Begin a sign-out of the session; report `SignedOut` with the same attempt, however it ends."""

    attempt: int
    session: Session


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Open a UDP socket to the session's server; report `SocketOpened` or `SocketFailed`."""

    attempt: int
    session: Session


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Close the attempt's socket, or give up opening it.  Every `OpenSocket` is followed by one."""

    attempt: int


@dataclass(frozen=True, slots=True)
class ConfirmSession:
    """Let the authenticator know that the session is good: the server has answered the first of its heartbeats."""

    session: Session


@dataclass(frozen=True, slots=True)
class SendHeartbeat:
    """Send a heartbeat request; report `BeatSent` or `SendFailed`."""

    attempt: int
    sequence: int
    """MessageSeq: 1 for the connection's first datagram, one more with each (protocol, "Datagrams")."""
    session: Session


@dataclass(frozen=True, slots=True)
class AnswerInvitation:
    """Send an invite response; report `SendFailed` if that fails."""

    attempt: int
    sequence: int
    """MessageSeq, as in `SendHeartbeat`."""
    session: Session
    invitation: Invitation


@dataclass(frozen=True, slots=True)
class DeliverInvitation:
    """Hand the invitation to the application, outside the machine's path."""

    invitation: Invitation


@dataclass(frozen=True, slots=True)
class ReportTransition:
    """The state changed."""

    source: State
    dest: State
    trigger: str
    reason: str
    """The reason of the chart's row."""
    detail: str
    """The event's failure, and for a wait the time of the next try; empty if there is neither."""
    at: float
    """When, on the clock of the caller, in seconds."""
    lost: bool = False
    """Whether a proven connection was lost by it (rule 4)."""

    @property
    def text(self) -> str:
        """The reason, with its detail."""
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


@dataclass(frozen=True, slots=True)
class ReportError:
    """Something that needs a person: retrying will not mend it."""

    reason: str


Effect = (
    SignIn
    | AbandonSignIn
    | SignOut
    | OpenSocket
    | CloseSocket
    | ConfirmSession
    | SendHeartbeat
    | AnswerInvitation
    | DeliverInvitation
    | ReportTransition
    | ReportError
)
