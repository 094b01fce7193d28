"""An agent of a simulation: a machine with the smallest edges that carry out its effects.

It keeps no books, and its calls are no packets one by one (as those of `agentcp_fsm.testing.agents`): the time that a
call takes is drawn at its beginning, with every packet that is lost and sent again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Protocol

from agentcp_fsm.lifecycle import effects, events
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.simulation.server import Server
from agentcp_fsm.testing.clock import Clock
from agentcp_fsm.testing.network import Network, Outage
from agentcp_fsm.testing.servers import UNAUTHORIZED, Refusal

SYN_TIMEOUT = 1.0
"""Seconds until an unanswered SYN is sent again."""
LEAST_VARIATION = 0.2
"""Seconds by which a retransmission timeout is above the round trip, at least (Linux, TCP_RTO_MIN)."""
CONNECTED = 4
"""Packets until a connection is made: two of TCP, two of TLS."""
SIGN_IN, SIGN_OUT = 8, 6
"""Packets of a whole call, the two steps of a sign-in among them."""
DEADLINE_PASSED = events.DeadlinePassed()


class Surroundings(Protocol):
    """What an agent knows of its fleet."""

    clock: Clock
    random: Random
    server: Server
    binding_life: float
    """Seconds that routers remember the way back to a socket that sends nothing."""

    def note(self, agent: Agent, transition: effects.ReportTransition) -> None:
        """Take a transition of an agent into the books."""


class Agent:
    """One agent of a fleet."""

    __slots__ = ("fleet", "machine", "network", "number", "sent_at", "socket", "wake_at")

    def __init__(self, fleet: Surroundings, number: int, machine: Lifecycle, network: Network) -> None:
        self.fleet = fleet
        self.number = number
        self.machine = machine
        self.network = network
        self.socket = 0
        """The attempt whose socket is open; 0: none is."""
        self.sent_at = 0.0
        """When it sent its last datagram."""
        self.wake_at = math.inf

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What the machine asks for."""
        return self.machine.handle(event, now)

    def tell(self, event: Event) -> None:
        """Hand the machine an event now, and carry out its effects."""
        clock = self.fleet.clock
        following: list[Event] = []
        while True:
            for effect in self.handle(event, clock.now):
                follows = _DEEDS[type(effect)](self, effect)
                if follows is not None:
                    following.append(follows)
            if not following:
                break
            event = following.pop(0)
        deadline = self.machine.deadline
        if deadline < self.wake_at:
            self.wake_at = deadline
            clock.at(deadline, self._wake, deadline)

    def _wake(self, at: float) -> None:
        if at != self.wake_at:  # an earlier one was armed since
            return
        self.wake_at = math.inf
        deadline = self.machine.deadline
        if deadline <= self.fleet.clock.now:
            self.tell(DEADLINE_PASSED)
        elif deadline < math.inf:
            self.wake_at = deadline
            self.fleet.clock.at(deadline, self._wake, deadline)

    # Calls ------------------------------------------------------------------------------------------------------------

    def _sign_in(self, effect: effects.SignIn) -> Event | None:
        self._call(SIGN_IN, effect.connect_timeout, effect.attempt, None)
        return None

    def _sign_out(self, effect: effects.SignOut) -> Event | None:
        self._call(SIGN_OUT, self.machine.config.connect_timeout, effect.attempt, effect.session.cookie)
        return None

    def _call(self, packets: int, connect_timeout: float, attempt: int, cookie: int | None) -> None:
        clock, outage = self.fleet.clock, self.network.outage
        if not self.network.sendable:
            clock.after(0.0, self._fail, attempt, cookie, "no route to host")
        elif outage is Outage.REFUSED:
            clock.after(self.network.weather.round_trip, self._fail, attempt, cookie, "connection refused")
        elif outage is Outage.SILENT or (made := self._duration(0, CONNECTED)) > connect_timeout:
            clock.after(connect_timeout, self._fail, attempt, cookie, f"not connected within {connect_timeout:g} s")
        else:
            clock.after(made + self._duration(CONNECTED, packets - 1), self._reach, attempt, cookie)

    def _duration(self, first: int, last: int) -> float:
        """Seconds until these packets of a call have arrived, each sent again until it does."""
        weather, random = self.network.weather, self.fleet.random.random
        again = weather.round_trip + max(LEAST_VARIATION, 2 * weather.round_trip)
        total = 0.0
        for packet in range(first, last):
            loss = weather.loss_down if packet % 2 else weather.loss_up
            timeout = SYN_TIMEOUT if packet < 2 else again
            while loss and random() < loss and total < self.machine.config.sign_in_timeout:
                total += timeout
                timeout *= 2
            total += weather.delay
            if weather.jitter:
                total += weather.jitter * random()
        return total

    def _reach(self, attempt: int, cookie: int | None) -> None:
        """A call's last request arrives at the server, or should."""
        clock, server = self.fleet.clock, self.fleet.server
        if self.network.outage is not Outage.NONE:
            patience = 0.0 if self.network.outage is Outage.REFUSED else self.machine.config.read_timeout
            clock.after(patience, self._fail, attempt, cookie, f"no answer within {patience:g} s")
        elif cookie is None:
            wait, answer = server.sign_in(self.number)
            clock.after(wait + self._duration(SIGN_IN - 1, SIGN_IN), self._signed_in, attempt, answer)
        else:
            server.sign_out(cookie)
            clock.after(self._duration(SIGN_OUT - 1, SIGN_OUT), self.tell, events.SignedOut(attempt))

    def _signed_in(self, attempt: int, answer: Session | Refusal) -> None:
        if isinstance(answer, Session):
            self.tell(events.SignedIn(attempt, answer))
        else:
            self.tell(events.SignInFailed(attempt, answer.reason, answer.retry_after, answer.rejected))

    def _fail(self, attempt: int, cookie: int | None, reason: str) -> None:
        self.tell(events.SignInFailed(attempt, reason) if cookie is None else events.SignedOut(attempt, reason))

    # Datagrams --------------------------------------------------------------------------------------------------------

    def _open_socket(self, effect: effects.OpenSocket) -> Event | None:
        if self.network.outage is Outage.ROUTELESS:
            return events.SocketFailed(effect.attempt, "network is unreachable")
        self.socket = effect.attempt
        return events.SocketOpened(effect.attempt)

    def _close_socket(self, _: effects.CloseSocket) -> Event | None:
        self.socket = 0
        return None

    def _send_heartbeat(self, effect: effects.SendHeartbeat) -> Event | None:
        if not self.network.sendable:
            return events.SendFailed(effect.attempt, "operation not permitted")
        self.sent_at = self.fleet.clock.now
        self.network.carry(True, self._reach_heartbeats, effect.attempt, effect.session)
        return events.BeatSent(effect.attempt)

    def _reach_heartbeats(self, attempt: int, session: Session) -> None:
        if self.network.outage is Outage.REFUSED:
            self.network.carry(False, self._receive, attempt, None)
        elif (answer := self.fleet.server.heartbeat(session)) is not None:
            self.network.carry(False, self._receive, attempt, answer)

    def _receive(self, attempt: int, answer: int | None) -> None:
        """An answer to the socket arrives, or a refusal: a router knows the way back for as long as its binding."""
        if attempt != self.socket or self.fleet.clock.now - self.sent_at > self.fleet.binding_life:
            return
        if answer is None:
            self.tell(events.ReceiveFailed(attempt, "connection refused"))
        elif answer == UNAUTHORIZED:
            self.tell(events.Unauthorized(attempt))
        else:
            self.tell(events.BeatAnswered(attempt, answer))

    def _note_transition(self, transition: effects.ReportTransition) -> Event | None:
        self.fleet.note(self, transition)
        return None

    def _ignore(self, _: Effect) -> Event | None:
        return None


_DEEDS: dict[type[Effect], Callable[..., Event | None]] = {
    effects.SignIn: Agent._sign_in,
    effects.AbandonSignIn: Agent._ignore,  # the call goes on: if it still succeeds, the machine hears of it
    effects.ConfirmSession: Agent._ignore,
    effects.SignOut: Agent._sign_out,
    effects.OpenSocket: Agent._open_socket,
    effects.CloseSocket: Agent._close_socket,
    effects.SendHeartbeat: Agent._send_heartbeat,
    effects.AnswerInvitation: Agent._ignore,
    effects.DeliverInvitation: Agent._ignore,
    effects.ReportTransition: Agent._note_transition,
    effects.ReportError: Agent._ignore,
}
