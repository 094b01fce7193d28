"""What the server has seen and done, as counts."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Counters:
    """Counts since the server was made."""

    calls: int = 0
    """All HTTP requests that arrived, good or bad."""
    challenges: int = 0
    """Sign-ins begun: nonces issued in step 1."""
    sign_ins: int = 0
    """Sessions opened in step 2."""
    sign_outs: int = 0
    queries: int = 0
    """Answered calls of query_online_state."""
    access_point_sign_ins: int = 0
    """Sessions opened at the access point."""
    access_point_sign_outs: int = 0
    configs: int = 0
    """Answered calls of get_accesspoint_config."""
    refused: int = 0
    """Calls whose nonce, certificate, signature or token did not hold."""
    http_malformed: int = 0
    """Requests that are no HTTP, no POST to a known path, too large, not JSON or without a needed field."""
    datagrams: int = 0
    """All datagrams that arrived, good or bad."""
    malformed: int = 0
    """Datagrams that the protocol does not have."""
    unexpected: int = 0
    """Datagrams that only a server sends, answers of an unknown session, and any at the stranger's port."""
    dropped: int = 0
    """Datagrams that a fault lost, either way, or that the network did not take."""
    socket_errors: int = 0
    """Errors of the UDP sockets other than a full one."""
    heartbeats: int = 0
    """Heartbeats of valid sessions."""
    answers: int = 0
    """Heartbeat responses that the server made, 401 excepted; a dropped, late or repeated one counts once."""
    unauthorized: int = 0
    """Heartbeat responses that say 401."""
    invitations: int = 0
    """Invitations that the server made."""
    invitations_answered: int = 0
    """Answers to them; a repeated one counts again."""


@dataclass(slots=True, kw_only=True)
class ServerStatistics(Counters):
    """The counts at one moment, and how much the server keeps then."""

    sessions: int
    """Sessions now."""
    nonces: int
    """Nonces that wait for step 2 now."""
    agents: int
    """Agents now remembered, with or without a session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """What the server knows of one agent."""

    agent_id: str
    """As the agent spelled it when it first signed in."""
    online: bool
    """Whether a heartbeat of its sessions that stand arrived within the last 3 intervals."""
    sessions: int
    sign_ins: int
    heartbeats: int
    last_sequence: int | None
    """MessageSeq of the latest heartbeat; None before the first."""
    silent_for: float | None
    """Seconds since the latest heartbeat; None before the first."""
    address: tuple[str, int] | None
    """IP address and UDP port that the latest heartbeat came from; None before the first of its sessions that stand."""
    invitations: int
    invitations_answered: int
