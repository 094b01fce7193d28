"""A virtual agent: a machine, with edges that carry out its effects on a virtual network, and books of its life."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from agentcp_fsm.lifecycle import effects, events
from agentcp_fsm.lifecycle.chart import SERVING
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.testing.monitor import Watched
from agentcp_fsm.testing.network import Nat, Network, Outage
from agentcp_fsm.testing.servers import UNAUTHORIZED, Refusal, VirtualServer
from agentcp_fsm.testing.tcp import Call

SIGN_IN_EXCHANGES = 3
"""Questions and answers on a sign-in's connection: the handshake of TLS, and two steps."""
SIGN_OUT_EXCHANGES = 2


@dataclass(eq=False, slots=True)
class Socket:
    """A UDP socket of an agent."""

    attempt: int
    """Which its events carry."""


class VirtualAgent:
    """One agent.  A machine given without `Watched` runs unwatched, which is a few times as fast.

    What it keeps: `transitions`, `errors`, `sign_ins` and `datagrams` with their times, and the seconds in each state.
    """

    def __init__(self, agent_id: str, machine: Lifecycle | Watched, network: Network, server: VirtualServer) -> None:
        self.agent_id = agent_id
        self.machine = machine.machine if isinstance(machine, Watched) else machine
        self.network = network
        self.server = server
        self.clock = network.clock
        self.nat = Nat[Socket]()
        self.transitions: list[effects.ReportTransition] = []
        self.errors: list[tuple[float, str]] = []
        """What it reported as errors, with the time."""
        self.sign_ins: list[float] = []
        """When each sign-in began."""
        self.invitations: list[Invitation] = []
        """Those delivered to the application."""
        self.datagrams: list[float] = []
        """When each datagram was sent."""
        self.received = 0
        """Datagrams that arrived."""
        self.answered_at = -math.inf
        """When the latest answer to a heartbeat arrived, of whatever session."""
        self._seconds: dict[str, float] = {}
        self._since = self.clock.now
        self._handle: Callable[[Event, float], list[Effect]] = machine.handle
        self._wake_at = math.inf
        self._socket: Socket | None = None
        self._calls: dict[int, Call[Session | Refusal]] = {}
        self._inbox: deque[Event] = deque()
        self._busy = False
        self._deeds: dict[type[Effect], Callable[..., object]] = {
            effects.SignIn: self._sign_in,
            effects.AbandonSignIn: lambda _: None,  # the call goes on: if it still succeeds, the machine hears of it
            effects.ConfirmSession: lambda _: None,
            effects.SignOut: self._sign_out,
            effects.OpenSocket: self._open_socket,
            effects.CloseSocket: self._close_socket,
            effects.SendHeartbeat: self._send_heartbeat,
            effects.AnswerInvitation: self._answer_invitation,
            effects.DeliverInvitation: lambda effect: self.invitations.append(effect.invitation),
            effects.ReportTransition: self._note_transition,
            effects.ReportError: lambda effect: self.errors.append((self.clock.now, effect.reason)),
        }

    @property
    def state(self) -> str:
        """The machine's."""
        return self.machine.state

    @property
    def online(self) -> bool:
        """Whether a heartbeat was answered, and none has gone unanswered since."""
        return self.machine.state == "ONLINE"

    @property
    def losses(self) -> int:
        """Times that the proven connection was lost."""
        return self.machine.statistics.losses

    def seconds_in(self, *states: str) -> float:
        """How long it has been in these states, in all."""
        present = self.clock.now - self._since if self.state in states else 0.0
        return present + sum(self._seconds.get(state, 0.0) for state in states)

    @property
    def reachable(self) -> float:
        """Seconds in which it held a proven session: in ONLINE or DEGRADED."""
        return self.seconds_in(*SERVING)

    def tell(self, event: Event) -> None:
        """Hand the machine an event now and carry out its effects.  Raises InvariantError as `Watched` does."""
        self._inbox.append(event)
        if self._busy:  # an effect was carried out at once: its event waits until the others are
            return
        self._busy = True
        try:
            while self._inbox:
                for effect in self._handle(self._inbox.popleft(), self.clock.now):
                    self._deeds[type(effect)](effect)
        finally:
            self._busy = False
        deadline = self.machine.deadline
        if deadline < self._wake_at:
            self._wake_at = deadline
            self.clock.at(deadline, self._wake, deadline)

    def _wake(self, at: float) -> None:
        if at != self._wake_at:  # an earlier one was armed since
            return
        self._wake_at = math.inf
        deadline = self.machine.deadline
        if deadline <= self.clock.now:
            self.tell(events.DeadlinePassed())
        elif deadline < math.inf:
            self._wake_at = deadline
            self.clock.at(deadline, self._wake, deadline)

    def _note_transition(self, transition: effects.ReportTransition) -> None:
        self.transitions.append(transition)
        now = self.clock.now
        self._seconds[transition.source] = self._seconds.get(transition.source, 0.0) + now - self._since
        self._since = now

    # The sign-in's edge -----------------------------------------------------------------------------------------------

    def _sign_in(self, effect: effects.SignIn) -> None:
        self.sign_ins.append(self.clock.now)
        attempt = effect.attempt

        def succeed(answer: Session | Refusal) -> None:
            if isinstance(answer, Session):
                self.tell(events.SignedIn(attempt, answer))
            else:
                self.tell(events.SignInFailed(attempt, answer.reason, answer.retry_after, answer.rejected))

        self._call(
            lambda: self.server.sign_in(self.agent_id),
            succeed,
            lambda reason: self.tell(events.SignInFailed(attempt, reason)),
            SIGN_IN_EXCHANGES,
            effect.connect_timeout,
        )

    def _sign_out(self, effect: effects.SignOut) -> None:
        attempt, cookie = effect.attempt, effect.session.cookie
        self._call(
            lambda: self.server.sign_out(cookie),
            lambda _: self.tell(events.SignedOut(attempt)),
            lambda reason: self.tell(events.SignedOut(attempt, reason)),
            SIGN_OUT_EXCHANGES,
            self.machine.config.connect_timeout,
        )

    def _call(
        self,
        ask: Callable[[], object],
        succeed: Callable[..., object],
        fail: Callable[[str], object],
        exchanges: int,
        connect_timeout: float,
    ) -> None:
        Call(
            self.network,
            ask,
            succeed,
            fail,
            exchanges=exchanges,
            connect_timeout=connect_timeout,
            read_timeout=self.machine.config.read_timeout,
        )

    # The socket's edge ------------------------------------------------------------------------------------------------

    def _open_socket(self, effect: effects.OpenSocket) -> None:
        if self.network.outage is Outage.ROUTELESS:
            self.tell(events.SocketFailed(effect.attempt, "network is unreachable"))
        else:
            self._socket = Socket(effect.attempt)
            self.tell(events.SocketOpened(effect.attempt))

    def _close_socket(self, _: effects.CloseSocket) -> None:
        if self._socket is not None:
            self.nat.close(self._socket)
            self._socket = None

    def _send_heartbeat(self, effect: effects.SendHeartbeat) -> None:
        if self._send(effect.attempt, effect.session.cookie):
            self.tell(events.BeatSent(effect.attempt))

    def _answer_invitation(self, effect: effects.AnswerInvitation) -> None:
        self._send(effect.attempt, None)

    def _send(self, attempt: int, cookie: int | None) -> bool:
        """Send a heartbeat with the cookie, or an answer to an invitation, which needs nothing more; was it sent?"""
        socket = self._socket
        assert socket is not None, "the machine sends without a socket"
        if not self.network.sendable:
            self.tell(events.SendFailed(attempt, "operation not permitted"))
            return False
        self.datagrams.append(self.clock.now)
        address = self.nat.leaving(socket, self.clock.now)
        if address is not None:
            self.network.carry(True, self._reach_server, socket, address, cookie)
        return True

    def _reach_server(self, socket: Socket, address: int, cookie: int | None) -> None:
        if self.network.outage is Outage.REFUSED:
            self.network.carry(False, self._be_refused, address)
        elif cookie is not None:
            self.server.heartbeat(cookie, lambda message: self.network.carry(False, self._receive, address, message))

    def _be_refused(self, address: int) -> None:
        socket = self.nat.arriving(address, self.clock.now)
        if socket is not None:
            self.tell(events.ReceiveFailed(socket.attempt, "connection refused"))

    def _receive(self, address: int, message: int | Invitation) -> None:
        socket = self.nat.arriving(address, self.clock.now)
        if socket is None:
            return
        self.received += 1
        if isinstance(message, Invitation):
            self.tell(events.Invited(socket.attempt, message))
        elif message == UNAUTHORIZED:
            self.tell(events.Unauthorized(socket.attempt))
        else:
            self.answered_at = self.clock.now
            self.tell(events.BeatAnswered(socket.attempt, message))
