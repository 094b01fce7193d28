"""The four messages of the heartbeat protocol as values, free of any byte layout (protocol, "Datagrams").

A message may hold any value; whether a datagram can carry it is decided by the codec that encodes it.
"""

from dataclasses import dataclass, field

from agentcp_fsm.lifecycle.session import Invitation

UNAUTHORIZED = 401
"""The NextBeat that is no time but means "sign in again"."""


@dataclass(frozen=True, slots=True)
class HeartbeatRequest:
    """Client to server: the agent is still there."""

    sequence: int
    """MessageSeq, unsigned 64 bits: 1 in the client's first datagram, one more in each that follows."""
    agent_id: str
    sign_cookie: int = field(repr=False)
    """SignCookie of the session, unsigned 64 bits; a secret, so it is never shown."""
    mask: int = 0
    """MessageMask, unsigned 64 bits; sent as 0."""
    payload_size: int | None = field(default=None, compare=False)
    """PayloadSize, unsigned 16 bits; None: the true one.  A received one is recorded but not trusted, nor compared."""


@dataclass(frozen=True, slots=True)
class HeartbeatResponse:
    """Server to client: the heartbeat arrived, and when the next one is due."""

    sequence: int
    """MessageSeq, unsigned 64 bits; whether the server echoes the request's is not known."""
    next_beat: int
    """NextBeat, unsigned 64 bits: milliseconds until the next heartbeat, or `UNAUTHORIZED`."""
    mask: int = 0
    """MessageMask, unsigned 64 bits."""
    payload_size: int | None = field(default=None, compare=False)
    """PayloadSize, as in `HeartbeatRequest`."""


@dataclass(frozen=True, slots=True)
class InviteRequest:
    """Server to client: another agent invites this one."""

    sequence: int
    """MessageSeq, unsigned 64 bits."""
    invitation: Invitation
    mask: int = 0
    """MessageMask, unsigned 64 bits."""
    payload_size: int | None = field(default=None, compare=False)
    """PayloadSize, as in `HeartbeatRequest`."""


@dataclass(frozen=True, slots=True)
class InviteResponse:
    """Client to server: the invitation arrived."""

    sequence: int
    """MessageSeq, unsigned 64 bits, counted together with the heartbeat requests."""
    agent_id: str
    inviter_agent_id: str
    session_id: str
    """The invitation's."""
    sign_cookie: int = field(repr=False)
    """SignCookie of the session, unsigned 64 bits; a secret, so it is never shown."""
    mask: int = 0
    """MessageMask, unsigned 64 bits; sent as 0."""
    payload_size: int | None = field(default=None, compare=False)
    """PayloadSize, as in `HeartbeatRequest`."""


Message = HeartbeatRequest | HeartbeatResponse | InviteRequest | InviteResponse
