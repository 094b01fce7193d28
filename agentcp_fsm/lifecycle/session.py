"""The two values that the machine, the wire and the sign-in share: a session and an invitation."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Session:
    """What a successful sign-in yields (protocol, "Sign-in")."""

    host: str
    """Where heartbeats go: an IP address or a host name."""
    port: int
    """UDP port, 1 to 65535."""
    cookie: int = field(repr=False)
    """SignCookie: an unsigned 64-bit number that every datagram of the session carries; a secret too."""
    token: str = field(repr=False)
    """The bearer token of the session's HTTP calls; a secret, so it is never shown."""
    any_address: bool = field(default=True, compare=False)
    """Whether the host may have any address: this machine's server named it, or the application itself did.  A server
    elsewhere may name none that means another host on each machine, such as loopback."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """Another agent's invitation to a message session (protocol, "Datagrams")."""

    inviter_agent_id: str
    invite_code: str
    invite_code_expire: int
    """As the wire carries it: a signed 64-bit number."""
    session_id: str
    message_server: str
