"""The server's memory of agents that are signed in or signing in, all of it bounded."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.server.statistics import AgentView
from agentcp_fsm.support.names import folded

SESSIONS_PER_AGENT = 8
"""An agent that signs in once more loses its oldest session."""
SILENT_INTERVALS = 3
"""Heartbeat intervals without a heartbeat that make an agent offline."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the server keeps; what is oldest gives way.  Counts are at least 1."""

    agents: int = 100_000
    """Agents remembered; one that is forgotten loses its sessions."""
    nonces: int = 10_000
    """Nonces that wait for step 2 of their sign-in."""
    nonce_lifetime: float = 60.0
    """Seconds from step 1 to step 2 of a sign-in; above 0."""
    request_size: int = 64 * 1024
    """Bytes of the largest HTTP request body."""
    delayed_datagrams: int = 10_000
    """Datagrams that the fault `delay` holds back at a time."""

    def __post_init__(self) -> None:
        for name in ("agents", "nonces", "request_size", "delayed_datagrams"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; use 1 or more")
        if not self.nonce_lifetime > 0:
            raise ConfigError(f"nonce_lifetime is {self.nonce_lifetime}; use seconds above 0")


@dataclass(eq=False, slots=True)
class Agent:
    """One agent's record."""

    agent_id: str
    key: str = field(init=False)
    """The agent id as it is compared."""
    sessions: dict[str, int] = field(default_factory=dict)
    """From bearer token to cookie, oldest first."""
    sign_ins: int = 0
    heartbeats: int = 0
    last_sequence: int | None = None
    last_seen: float | None = None
    """By the server's clock, in seconds."""
    address: tuple[str, int] | None = None
    """Where to send: the socket address of the latest heartbeat of a session that stands, for IPv6 with two numbers
    more."""
    invitations: int = 0
    invitations_answered: int = 0

    def __post_init__(self) -> None:
        self.key = folded(self.agent_id)

    def is_named(self, agent_id: str) -> bool:
        """Whether `agent_id` is this agent's, however it is spelled."""
        return agent_id == self.agent_id or folded(agent_id) == self.key

    def view(self, now: float, interval: float) -> AgentView:
        """Return what is known; `interval` is the heartbeat interval in seconds."""
        silent_for = None if self.last_seen is None else now - self.last_seen
        return AgentView(
            agent_id=self.agent_id,
            online=self.address is not None and silent_for is not None and silent_for <= SILENT_INTERVALS * interval,
            sessions=len(self.sessions),
            sign_ins=self.sign_ins,
            heartbeats=self.heartbeats,
            last_sequence=self.last_sequence,
            silent_for=silent_for,
            address=self.address and self.address[:2],
            invitations=self.invitations,
            invitations_answered=self.invitations_answered,
        )


class Agents:
    """Every agent that signed in, by id and by the cookies of its sessions."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_key: dict[str, Agent] = {}
        self.by_cookie: dict[int, Agent] = {}
        """The agent of each valid session."""

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._by_key.values())

    def get(self, agent_id: str) -> Agent | None:
        """Return the agent's record, if it is remembered."""
        return self._by_key.get(folded(agent_id))

    def open_session(self, agent_id: str) -> tuple[int, str]:
        """Return the cookie and the bearer token of a new session."""
        agent = self.get(agent_id)
        if agent is None:
            if len(self._by_key) >= self._limit:
                self._forget(next(iter(self._by_key)))
            agent = Agent(agent_id)
            self._by_key[agent.key] = agent
        if len(agent.sessions) >= SESSIONS_PER_AGENT:
            del self.by_cookie[agent.sessions.pop(next(iter(agent.sessions)))]
        cookie = secrets.randbits(64)
        while cookie in self.by_cookie:
            cookie = secrets.randbits(64)
        token = secrets.token_hex(32)
        agent.sessions[token] = cookie
        agent.sign_ins += 1
        self.by_cookie[cookie] = agent
        return cookie, token

    def has_session(self, agent_id: str, token: str) -> bool:
        """Whether `token` is the bearer token of one of the agent's sessions."""
        agent = self.get(agent_id)
        return agent is not None and token in agent.sessions

    def close_session(self, agent_id: str, token: str) -> bool:
        """End the session; returns whether there was one."""
        agent = self.get(agent_id)
        if agent is None or token not in agent.sessions:
            return False
        del self.by_cookie[agent.sessions.pop(token)]
        if not agent.sessions:
            agent.address = None
        return True

    def forget_sessions(self) -> None:
        """End every session; the agents' counts remain."""
        self.by_cookie.clear()
        for agent in self:
            agent.sessions.clear()
            agent.address = None

    def _forget(self, key: str) -> None:
        for cookie in self._by_key.pop(key).sessions.values():
            del self.by_cookie[cookie]


class Nonces:
    """Nonces that were issued: each is good once, for one sign-in, for a limited time."""

    def __init__(self, limit: int, lifetime: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._lifetime = lifetime
        self._clock = clock
        self._issued: dict[str, tuple[str, str, float]] = {}
        """From nonce to agent, request id and expiry; all live equally long, so the first to expire is the first."""

    def __len__(self) -> int:
        self._drop_expired()
        return len(self._issued)

    def issue(self, agent_id: str, request_id: str) -> str:
        """Return a fresh nonce for step 2 of this sign-in."""
        self._drop_expired()
        if len(self._issued) >= self._limit:
            del self._issued[next(iter(self._issued))]
        nonce = secrets.token_hex(32)
        self._issued[nonce] = (folded(agent_id), request_id, self._clock() + self._lifetime)
        return nonce

    def redeem(self, nonce: str, agent_id: str, request_id: str) -> bool:
        """Whether the nonce was issued for this sign-in and is still good; it is used up in any case."""
        self._drop_expired()
        issued_for = self._issued.pop(nonce, None)
        return issued_for is not None and issued_for[:2] == (folded(agent_id), request_id)

    def forget(self) -> None:
        """Drop all of them."""
        self._issued.clear()

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._issued:
            nonce = next(iter(self._issued))
            if self._issued[nonce][2] > now:
                return
            del self._issued[nonce]
