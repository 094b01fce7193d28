"""A server of many simulated agents, which knows of each session no more than its agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.testing.clock import Clock
from agentcp_fsm.testing.servers import HOST, PORT, UNAUTHORIZED, Refusal


class Server:
    """Sessions, a queue of sign-ins, and what is wrong with them.  Its attributes may be changed at any time."""

    def __init__(self, clock: Clock, random: Callable[[], float]) -> None:
        self.clock = clock
        self._random = random
        self.next_beat = 5000
        """What its answers say, in milliseconds."""
        self.port = PORT
        """Where it takes heartbeats; those to another port go nowhere."""
        self.deaf = False
        """It answers no heartbeat."""
        self.rate: float | None = None
        """Sign-ins that it works off in a second, one after the other; None: any number at once."""
        self.queue = 0
        """Sign-ins that may wait for their turn; more are answered 503."""
        self.limit: int | None = None
        """Sign-ins that it takes in each second of the clock; more are answered 429."""
        self.retry_after: float | None = None
        """What comes with a 429 or 503, in seconds."""
        self.failing = 0.0
        """The share of sign-ins that is answered 500."""
        self.offered = Counter[int]()
        """Sign-ins that arrived, by the second of the clock."""
        self.heartbeats = Counter[int]()
        """Heartbeats that arrived, by the second of the clock."""
        self.sessions: dict[int, int] = {}
        """The number of the agent, by cookie."""
        self._cookie = 1000
        self._busy_until = 0.0

    def sign_in(self, number: int) -> tuple[float, Session | Refusal]:
        """A sign-in of the agent of this number arrives; return after how many seconds it is answered, and what."""
        now = self.clock.now
        second = int(now)
        self.offered[second] += 1
        if self.limit is not None and self.offered[second] > self.limit:
            return 0.0, Refusal("HTTP status 429", self.retry_after)
        if self.failing and self._random() < self.failing:
            return 0.0, Refusal("HTTP status 500")
        wait = 0.0
        if self.rate is not None:
            begin = max(self._busy_until, now)
            if (begin - now) * self.rate > self.queue:
                return 0.0, Refusal("HTTP status 503", self.retry_after)
            self._busy_until = begin + 1 / self.rate
            wait = self._busy_until - now
        self._cookie += 1
        self.sessions[self._cookie] = number
        return wait, Session(HOST, self.port, self._cookie, "")

    def sign_out(self, cookie: int) -> None:
        """A sign-out arrives."""
        self.sessions.pop(cookie, None)

    def heartbeat(self, session: Session) -> int | None:
        """A heartbeat arrives where the session says; return its answer's NextBeat, None for no answer."""
        if session.port != self.port:
            return None
        self.heartbeats[int(self.clock.now)] += 1
        if self.deaf:
            return None
        return self.next_beat if session.cookie in self.sessions else UNAUTHORIZED

    def restart(self, *, move: bool = False) -> None:
        """Forget all sessions; with `move`, take heartbeats on another port from now on."""
        self.sessions.clear()
        self._busy_until = 0.0
        self.port += move
