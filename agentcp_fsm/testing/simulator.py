"""A deterministic world around one machine: a clock, a network and a server, with switches for their faults.

    world = World(Lifecycle(Config(), Random(1)))
    world.tell(Start())
    assert world.run_until("ONLINE", 10.0) < 1.0
    with world.outage():
        world.run_until("RECONNECTING", 1000.0)

Time passes only in `run_until` and `run_for`, and costs nothing.  Each of its switches decides about a whole kind of
call; for packets that are lost, networks that fail, and servers of many agents, see `agentcp_fsm.testing.agents`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from agentcp_fsm.lifecycle import effects, events
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.testing.monitor import Watched


class World:
    """The clock, the network and the server of one machine.  Its attributes may be changed at any time.

    Each call takes `latency` seconds.  A machine that has seen events already may be given together with its `Watched`.
    """

    def __init__(self, machine: Lifecycle | Watched, *, now: float = 0.0, latency: float = 0.01) -> None:
        self.watched = machine if isinstance(machine, Watched) else Watched(machine)
        self.machine = self.watched.machine
        self.now = now
        """The world's clock, in seconds."""
        self.latency = latency
        """What a sign-in, a sign-out, the opening of a socket, and a heartbeat's answer each take, in seconds."""
        self.sign_ins: Literal["succeed", "fail", "rejected", "hang"] = "succeed"
        self.sockets: Literal["open", "fail", "hang"] = "open"
        self.heartbeats: Literal["answered", "silent", "unsendable"] = "answered"
        self.sign_outs: Literal["succeed", "hang"] = "succeed"
        self.strangers: Literal["silent", "unauthorized"] = "unauthorized"
        """What the server does with heartbeats of a session that it does not know."""
        self.retry_after: float | None = None
        """What comes with a failed sign-in, in seconds."""
        self.next_beat = 5000
        """What the server's answers say, in milliseconds."""
        self.known: set[int] = set()
        """The cookies of the sessions that the server knows."""
        self.effects: list[tuple[float, Effect]] = []
        """Everything that the machine asked for, with the time."""
        self._calls: list[tuple[float, int, Event]] = []
        self._number = 0

    @property
    def state(self) -> str:
        """The machine's state."""
        return self.machine.state

    def tell(self, event: Event) -> list[Effect]:
        """Hand the machine an event now and carry out what it asks for.  Raises InvariantError as `Watched` does."""
        effects = self.watched.handle(event, self.now)
        for effect in effects:
            self.effects.append((self.now, effect))
            self._carry_out(effect)
        return effects

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Sign-ins fail and heartbeats vanish meanwhile; sessions last."""
        before = self.sign_ins, self.heartbeats
        self.sign_ins, self.heartbeats = "fail", "silent"
        try:
            yield
        finally:
            self.sign_ins, self.heartbeats = before

    @contextmanager
    def refuse_sign_ins(self, retry_after: float | None = None) -> Iterator[None]:
        """Sign-ins fail meanwhile, with a Retry-After of so many seconds."""
        before = self.sign_ins, self.retry_after
        self.sign_ins, self.retry_after = "fail", retry_after
        try:
            yield
        finally:
            self.sign_ins, self.retry_after = before

    def restart(self) -> None:
        """The server forgets all sessions."""
        self.known.clear()

    def invite(self, invitation: Invitation) -> list[Effect]:
        """An invitation arrives on the present socket; return what the machine makes of it."""
        return self.tell(events.Invited(self.machine.attempt, invitation))

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self._next() <= until:
            self._step()
        self.now = until

    def run_until(self, states: str | tuple[str, ...], limit: float) -> float:
        """Let time pass until the machine is in (one of) `states`; return the seconds that took.

        Raises TimeoutError if that takes more than `limit` seconds; time stands there then.
        """
        wanted = (states,) if isinstance(states, str) else states
        began = self.now
        while self.state not in wanted:
            if self._next() > began + limit:
                self.now = began + limit
                raise TimeoutError(f"still {self.state} after {limit} s, not {' or '.join(wanted)}")
            self._step()
        return self.now - began

    def _next(self) -> float:
        return min(self.machine.deadline, self._calls[0][0] if self._calls else math.inf)

    def _step(self) -> None:
        if self._calls and self._calls[0][0] <= self.machine.deadline:
            at, _, event = heapq.heappop(self._calls)
            self.now = max(self.now, at)
            self.tell(event)
        else:
            self.now = max(self.now, self.machine.deadline)
            self.tell(events.DeadlinePassed())

    def _later(self, event: Event) -> None:
        self._number += 1
        heapq.heappush(self._calls, (self.now + self.latency, self._number, event))

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case effects.SignIn(attempt) if self.sign_ins == "succeed":
                cookie = 1000 + attempt
                self.known.add(cookie)
                self._later(events.SignedIn(attempt, Session("192.0.2.1", 5000, cookie, f"token {attempt}")))
            case effects.SignIn(attempt) if self.sign_ins != "hang":
                self._later(events.SignInFailed(attempt, "no", self.retry_after, self.sign_ins == "rejected"))
            case effects.OpenSocket(attempt) if self.sockets == "open":
                self._later(events.SocketOpened(attempt))
            case effects.OpenSocket(attempt) if self.sockets == "fail":
                self._later(events.SocketFailed(attempt, "no route to host"))
            case effects.SendHeartbeat(attempt) if self.heartbeats == "unsendable":
                self._later(events.SendFailed(attempt, "no buffer space"))
            case effects.SendHeartbeat(attempt, _, session):
                self._later(events.BeatSent(attempt))
                if self.heartbeats == "answered" and session.cookie in self.known:
                    self._later(events.BeatAnswered(attempt, self.next_beat))
                elif self.heartbeats == "answered" and self.strangers == "unauthorized":
                    self._later(events.Unauthorized(attempt))
            case effects.SignOut(attempt, session):
                self.known.discard(session.cookie)
                if self.sign_outs == "succeed":
                    self._later(events.SignedOut(attempt))
            case _:
                pass
