"""The driver: carries a machine's effects out on a loop, and turns their outcomes into events.

It decides nothing.  It runs in the loop's thread; blocking calls run on the hub's pool.  A connection has one driver.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from agentcp_fsm.connection import udp
from agentcp_fsm.connection.addresses import Addresses, HostLookup
from agentcp_fsm.connection.hub import Hub
from agentcp_fsm.connection.lease import Lease
from agentcp_fsm.connection.listener import Listener
from agentcp_fsm.connection.observing import Observer, adopted, observed
from agentcp_fsm.connection.protocols import Authenticator, ProofObserver
from agentcp_fsm.connection.sign_ins import SignIns
from agentcp_fsm.connection.udp import UdpSocket
from agentcp_fsm.errors import AgentCPError, WireError
from agentcp_fsm.lifecycle import effects, events
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.variables import RandomSource
from agentcp_fsm.support import clock, lookups
from agentcp_fsm.support.log import Flood, logger_of
from agentcp_fsm.support.quoting import name_of, quoted, reason_of
from agentcp_fsm.support.watching import Watch, watch
from agentcp_fsm.wire import UNAUTHORIZED, Codec, HeartbeatEncoder, InviteRequest, InviteResponse

logger = logger_of(__name__)

DEADLINE_PASSED = events.DeadlinePassed()
_beat_answered = lru_cache(maxsize=256)(events.BeatAnswered)
"""The same event for the same answer: most answers are, over all connections."""


class Driver:
    """One connection's life on a loop: see the module."""

    __slots__ = (
        "_addresses",
        "_attempt",
        "_authenticator_on",
        "_beat_sent",
        "_encode_heartbeat",
        "_handle",
        "_has_sent",
        "_lookup",
        "_malformed_flood",
        "_observers",
        "_random",
        "_sign_ins",
        "_socket",
        "_unanswerable",
        "_watch",
        "agent_id",
        "answer_sequence",
        "codec",
        "lease",
        "lifecycle",
        "listener",
    )

    def __init__(
        self,
        agent_id: str,
        config: Config,
        random: RandomSource,
        codec: Codec,
        authenticator_on: Callable[[Hub], Authenticator],
        listener: Listener,
    ) -> None:
        self.agent_id = agent_id
        self.lifecycle = Lifecycle(config, random)
        self._observers: list[Observer] = []
        self._handle = observed(self.lifecycle, self._observers)
        self.codec = codec
        self.listener = listener
        self.lease: Lease | None = None
        """The present stay at a hub; None while the connection is at rest."""
        self.answer_sequence: int | None = None
        """MessageSeq of the latest heartbeat response: recorded, never required (protocol, "Datagrams")."""
        self._random = random
        self._authenticator_on = authenticator_on
        self._sign_ins = SignIns(agent_id, config.sign_out_timeout)
        self._addresses = Addresses()
        self._lookup = HostLookup()
        self._socket: UdpSocket | None = None
        self._watch: Watch | None = None
        self._has_sent = False
        """Whether a heartbeat went to the present addresses."""
        self._attempt = 0
        self._beat_sent = events.BeatSent(0)
        self._encode_heartbeat: HeartbeatEncoder | None = None
        self._malformed_flood = Flood(logger, logging.WARNING, agent_id, "malformed datagrams arrive, this one: %s")
        self._unanswerable = Flood(logger, logging.WARNING, agent_id, "an invitation cannot be answered: %s")

    # Attaching and detaching ------------------------------------------------------------------------------------------

    def attach(self, hub: Hub) -> None:
        """Begin a stay at a hub, which the caller holds."""
        hub.pool.widen(self.lifecycle.config.blocking_calls_max)
        self.lease = Lease(self, hub, self._authenticator_on(hub))

    def detach(self) -> None:
        """End the stay: the machine is at rest, so nothing of the hub is needed."""
        self.lease = None
        self.answer_sequence = None

    def end_floods(self) -> None:
        """Log what was folded of messages that strangers can cause."""
        self._malformed_flood.end()
        self._unanswerable.end()

    def reset(self) -> None:
        """End the stay without touching the loop, which is closed, or another process's after a fork."""
        self.detach()
        self._sign_ins = SignIns(self.agent_id, self.lifecycle.config.sign_out_timeout)
        self._attempt = 0
        self._lookup.forget()
        if self._watch is not None:
            self._watch.drop()
        if (opened := self._socket) is not None:
            self._socket = self._watch = None
            opened.close()
        self.lifecycle = Lifecycle(self.lifecycle.config, self._random)
        self._observers = adopted(self.lifecycle, self._observers)
        self._handle = observed(self.lifecycle, self._observers)

    @property
    def server(self) -> str | None:
        """Where heartbeats go, ``host:port``; None without a session."""
        session = self.lifecycle.session
        return None if session is None else f"{session.host}:{session.port}"

    def fileno(self) -> int | None:
        """The socket's descriptor, if there is a socket."""
        return None if (opened := self._socket) is None else opened.fileno()

    @property
    def local_address(self) -> tuple[str, int] | None:
        """Where heartbeats come from, IP address and port; None without a socket."""
        return None if (opened := self._socket) is None else opened.local_address()

    def observe(self, observer: Observer) -> None:
        """Have `observer` see each step from now on; in the loop's thread, or at rest."""
        self._observers += adopted(self.lifecycle, [observer])
        self._handle = observed(self.lifecycle, self._observers)

    def unobserve(self, observer: Observer) -> None:
        """Have `observer` see no further step; in the loop's thread, or at rest."""
        self._observers = [each for each in self._observers if each is not observer]
        self._handle = observed(self.lifecycle, self._observers)

    # Events in, effects out -------------------------------------------------------------------------------------------

    def wake(self, lease: Lease) -> float:
        """Do what is due, if anything is; returns the next deadline."""
        lifecycle = self.lifecycle
        now = clock.now()
        if (deadline := lifecycle.deadline) > now:
            return deadline
        self._carry_out(lease, self._handle(DEADLINE_PASSED, now), now)
        return lifecycle.deadline

    def feed(self, event: Event) -> None:
        """Take an event, in the loop's thread."""
        if (lease := self.lease) is None:
            return
        lifecycle = self.lifecycle
        now = clock.now()
        if asked := self._handle(event, now):
            self._carry_out(lease, asked, now)
        if (deadline := lifecycle.deadline) < lease.armed_at:
            lease.hub.timers.arm(lease, deadline)

    def _carry_out(self, lease: Lease, asked: list[Effect], now: float) -> None:
        for effect in asked:  # the list grows meanwhile: an immediate outcome is handled after the other effects
            try:
                outcome = _CARRY_OUT[type(effect)](self, lease, effect)
            except Exception as error:  # of a session that cannot be, perhaps; the effects that follow must not be lost
                logger.exception("%s: %s failed in an unexpected way", self.agent_id, type(effect).__name__)
                outcome = None
                if isinstance(effect, effects.OpenSocket | effects.SendHeartbeat | effects.AnswerInvitation):
                    outcome = events.SocketFailed(effect.attempt, reason_of(error, AgentCPError))
            if outcome is not None:
                asked.extend(self._handle(outcome, now))

    def post(self, event: Event) -> None:
        """Take an event, from any thread; without effect while there is no stay at a hub."""
        if (lease := self.lease) is not None:
            lease.report(event)

    def take(self, lease: Lease, event: Event) -> None:
        """Take an event that belongs to a stay, in that stay's loop."""
        if self.lease is lease:
            self.feed(event)
        elif isinstance(event, events.SignedIn):  # after the end of it
            self._sign_ins.sign_out(lease, event.attempt, event.session)

    # Signing in and out -----------------------------------------------------------------------------------------------

    def _confirm_session(self, lease: Lease, effect: effects.ConfirmSession) -> None:
        self._addresses.answered()
        if isinstance(authenticator := lease.authenticator, ProofObserver):
            try:
                authenticator.session_proven(effect.session)
            except Exception:  # an application's, perhaps; the effects that follow must be carried out
                logger.exception("%s: %s raised", self.agent_id, name_of(authenticator.session_proven))

    # The socket -------------------------------------------------------------------------------------------------------

    def _open_socket(self, lease: Lease, effect: effects.OpenSocket) -> Event | None:
        self._attempt = effect.attempt
        session = effect.session
        if lookups.is_address(session.host):
            return self._connect(lease, effect, lookups.resolve(session.host, session.port, socket.SOCK_DGRAM, 0))
        try:
            notify = partial(lease.hub.post, partial(self._looked_up, lease, effect))
            self._lookup.begin(session, notify, self.lifecycle.config.socket_timeout)
        except OSError as error:
            return events.SocketFailed(effect.attempt, str(error))
        return None

    def _looked_up(self, lease: Lease, effect: effects.OpenSocket) -> None:
        if self.lease is not lease or effect.attempt != self._attempt:
            return  # the socket was given up meanwhile
        try:
            found = self._lookup.result()
        except OSError as error:
            self.feed(events.SocketFailed(effect.attempt, str(error)))
        else:
            self.feed(self._connect(lease, effect, found))

    def _connect(self, lease: Lease, effect: effects.OpenSocket, found: lookups.Found) -> Event:
        try:
            self._read(lease, self._addresses.begin(effect.session, found))
        except OSError as error:
            return events.SocketFailed(effect.attempt, str(error))
        self._has_sent = False
        self._beat_sent = events.BeatSent(effect.attempt)
        self._encode_heartbeat = self.codec.heartbeat_encoder(self.agent_id, effect.session.cookie)
        return events.SocketOpened(effect.attempt)

    def _read(self, lease: Lease, opened: UdpSocket) -> None:
        """Begin to read a socket, which is the driver's from now on."""
        try:
            self._watch = watch(lease.hub.loop, opened.fileno(), self._readable)
        except BaseException:
            opened.close()
            raise
        self._socket = opened

    def _go_on_with_next_address(self, lease: Lease) -> None:
        """Nobody answered the last heartbeat."""
        try:
            opened = self._addresses.open_next()
        except OSError:
            return  # the present socket is as good as any
        self._stop_reading()
        self._read(lease, opened)

    def _close_socket(self, lease: Lease, effect: effects.CloseSocket) -> None:
        self._attempt = 0
        self._encode_heartbeat = None
        self._lookup.forget()
        self._stop_reading()

    def _stop_reading(self) -> None:
        if (opened := self._socket) is None or self._watch is None:
            return
        present, self._socket, self._watch = self._watch, None, None
        try:
            present.end()
        finally:
            opened.close()

    def _send_heartbeat(self, lease: Lease, effect: effects.SendHeartbeat) -> Event:
        assert self._encode_heartbeat is not None
        if self._addresses.is_unproven:
            if self._has_sent:
                self._go_on_with_next_address(lease)
            self._has_sent = True
        return self._send(self._encode_heartbeat(effect.sequence)) or self._beat_sent

    def _answer_invitation(self, lease: Lease, effect: effects.AnswerInvitation) -> Event | None:
        invitation = effect.invitation
        response = InviteResponse(
            effect.sequence, self.agent_id, invitation.inviter_agent_id, invitation.session_id, effect.session.cookie
        )
        try:
            data = self.codec.encode(response)
        except WireError as error:
            self._unanswerable.log(quoted(str(error)))
            return None
        return self._send(data)

    def _send(self, data: bytes) -> Event | None:
        """Send a datagram; returns what went wrong, if something did."""
        assert self._socket is not None
        try:
            self._socket.send(data)
        except OSError as error:
            return self._socket_error(error, events.SendFailed)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s: sent %d bytes", self.agent_id, len(data))
        return None

    def _readable(self) -> None:
        """Take one datagram; the loop calls again while there are more, with the others' turns between."""
        if self._socket is None:
            return
        data = None
        try:
            data = self._socket.receive()
        except OSError as error:
            self.feed(self._socket_error(error, events.ReceiveFailed))
        if data is not None:
            self.feed(self._decode(data))
        elif self._watch is not None:  # the machine kept the socket
            self._watch.renew()

    def _decode(self, data: bytes) -> Event:
        attempt = self._attempt
        event: Event
        try:
            if (response := self.codec.decode_heartbeat_response(data)) is not None:
                self.answer_sequence, next_beat = response
                event = (
                    events.Unauthorized(attempt) if next_beat == UNAUTHORIZED else _beat_answered(attempt, next_beat)
                )
            elif isinstance(message := self.codec.decode(data), InviteRequest):
                event = events.Invited(attempt, message.invitation)
            else:
                return self._malformed(f"a {type(message).__name__} comes from clients only")
        except WireError as error:
            return self._malformed(str(error))
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s: received %s", self.agent_id, event.trigger)
        return event

    def _malformed(self, why: str) -> Event:
        self._malformed_flood.log(quoted(why))
        return events.Malformed(self._attempt)

    def _socket_error(self, error: OSError, otherwise: type[events.SendFailed] | type[events.ReceiveFailed]) -> Event:
        kind = events.SocketFailed if udp.is_broken(error) else otherwise
        return kind(self._attempt, str(error))


_CARRY_OUT: dict[type, Callable[[Driver, Lease, Any], Event | None]] = {
    effects.SignIn: lambda driver, lease, effect: driver._sign_ins.begin(lease, effect),
    effects.AbandonSignIn: lambda driver, lease, effect: driver._sign_ins.abandon(lease, effect.attempt),
    effects.SignOut: lambda driver, lease, effect: driver._sign_ins.sign_out(lease, effect.attempt, effect.session),
    effects.OpenSocket: Driver._open_socket,
    effects.CloseSocket: Driver._close_socket,
    effects.ConfirmSession: Driver._confirm_session,
    effects.SendHeartbeat: Driver._send_heartbeat,
    effects.AnswerInvitation: Driver._answer_invitation,
    effects.DeliverInvitation: lambda driver, lease, effect: driver.listener.invited(effect.invitation),
    effects.ReportTransition: lambda driver, lease, effect: driver.listener.transitioned(effect),
    effects.ReportError: lambda driver, lease, effect: driver.listener.failed(effect.reason),
}
