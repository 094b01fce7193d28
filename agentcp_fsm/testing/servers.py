"""A virtual heartbeat server, for many agents, with the habits of bad ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.testing.clock import Clock

HOST, PORT = "192.0.2.1", 5000
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Refusal:
    """A sign-in's answer that is no session."""

    reason: str
    retry_after: float | None = None
    """Seconds that the server asks to wait."""
    rejected: bool = False
    """Whether retrying soon cannot mend it."""


@dataclass(slots=True)
class KnownSession:
    """What the server knows of a session."""

    agent_id: str
    heartbeats: int = 0
    reply: Callable[[int | Invitation], object] | None = None
    """How the server reaches the agent: the way back of the latest heartbeat."""


class VirtualServer:
    """Sessions, and what is wrong with them.  Its attributes may be changed at any time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.next_beat = 5000
        """What its answers say, in milliseconds."""
        self.deaf = False
        """It answers no heartbeat."""
        self.strangers_ignored = False
        """It does not answer heartbeats of sessions that it does not know; else 401."""
        self.flaps = False
        """It answers the first heartbeat of each session, and 401 to all others."""
        self.latest_only = False
        """It keeps the latest session of an agent only."""
        self.refusal: Refusal | None = None
        """What every sign-in is answered with."""
        self.capacity: int | None = None
        """Sign-ins that it takes in each second; more are answered 503."""
        self.retry_after: float | None = None
        """What comes with those, in seconds."""
        self.sessions: dict[int, KnownSession] = {}
        """By cookie."""
        self.sign_ins = Counter[int]()
        """Sign-ins offered, taken or not, by the second of the clock."""
        self.heartbeats = 0
        """Heartbeats that arrived."""
        self._cookie = 1000

    def sign_in(self, agent_id: str) -> Session | Refusal:
        """The last request of a sign-in arrives; return what it is answered."""
        second = int(self.clock.now)
        self.sign_ins[second] += 1
        if self.refusal is not None:
            return self.refusal
        if self.capacity is not None and self.sign_ins[second] > self.capacity:
            return Refusal("503", self.retry_after)
        if self.latest_only:
            for cookie in [cookie for cookie, known in self.sessions.items() if known.agent_id == agent_id]:
                del self.sessions[cookie]
        self._cookie += 1
        self.sessions[self._cookie] = KnownSession(agent_id)
        return Session(HOST, PORT, self._cookie, f"token {self._cookie}")

    def sign_out(self, cookie: int) -> None:
        """A sign-out arrives."""
        self.sessions.pop(cookie, None)

    def heartbeat(self, cookie: int, reply: Callable[[int | Invitation], object]) -> None:
        """A heartbeat arrives; `reply` leads back, with a NextBeat or an invitation."""
        self.heartbeats += 1
        if self.deaf:
            return
        known = self.sessions.get(cookie)
        if known is None:
            if not self.strangers_ignored:
                reply(UNAUTHORIZED)
            return
        known.heartbeats += 1
        if self.flaps and known.heartbeats > 1:
            del self.sessions[cookie]
            reply(UNAUTHORIZED)
            return
        known.reply = reply
        reply(self.next_beat)

    def invite(self, agent_id: str, invitation: Invitation) -> None:
        """Invite an agent, by all the sessions that it has."""
        for known in self.sessions.values():
            if known.agent_id == agent_id and known.reply is not None:
                known.reply(invitation)

    def restart(self) -> None:
        """Forget all sessions."""
        self.sessions.clear()
