"""The driver: carries a machine's effects out on a loop, and turns what comes of them into events.

It decides nothing.  All of it runs in the loop's thread, except the blocking calls, which run on the hub's pool and
report back.  There is one driver for each connection, whatever face it wears.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import math
import os
import select
import socket
from collections.abc import Callable
from functools import lru_cache, partial
from time import monotonic
from typing import Any, Protocol

from agentcp_fsm.connection.hub import Hub
from agentcp_fsm.errors import AgentCPError, WireError
from agentcp_fsm.lifecycle.effects import (
    AbandonSignIn,
    AnswerInvitation,
    CloseSocket,
    ConfirmSession,
    DeliverInvitation,
    Effect,
    OpenSocket,
    ReportError,
    ReportTransition,
    SendHeartbeat,
    SignIn,
    SignOut,
)
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    BeatSent,
    DeadlinePassed,
    Event,
    Invited,
    Malformed,
    ReceiveFailed,
    SendFailed,
    SignedIn,
    SignedOut,
    SignInFailed,
    SocketFailed,
    SocketOpened,
    Unauthorized,
)
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.support import forking
from agentcp_fsm.support.abandonment import Abandonment
from agentcp_fsm.support.log import logger_of
from agentcp_fsm.wire import MAX_DATAGRAM, UNAUTHORIZED, Codec, HeartbeatEncoder, InviteRequest, InviteResponse

logger = logger_of(__name__)

DEADLINE_PASSED = DeadlinePassed()
_beat_answered = lru_cache(maxsize=256)(BeatAnswered)
"""The same event for the same answer: most answers are, over all connections."""
RECEIVED = MAX_DATAGRAM + 1
"""Bytes to ask the socket for: one more than a datagram may have, so that a longer one is told."""
SHUT_DOWN = "somebody shut the socket down"
SIGN_INS_LIMIT = 8
"""How many sign-ins of a connection may be under way, all but one abandoned: each that hangs costs a thread."""
BROKEN = frozenset({errno.EBADF, errno.ENOTSOCK, errno.ENOTCONN, errno.EDESTADDRREQ, errno.EPIPE})
"""Errors that say that the descriptor is no longer the socket that was opened: no retry can mend that."""


class Authenticator(Protocol):
    """Signs one agent in and out, blocking; called on the hub's pool, never in the loop.

    If it also has a ``query_online_state(session, agents, abandonment)``, so does the connection.  If it also has a
    ``session_proven(session)``, that is called in the loop when the server first answers a session's heartbeat; it must
    not block, and what it raises is logged.
    """

    def sign_in(self, abandonment: Abandonment) -> Session:
        """Obtain a session, in bounded time, or raise; `abandonment` tells when nobody waits for it any longer.

        An `AgentCPError` may have a ``retry_after`` (seconds) and say that it is ``permanent``.  Whatever else is
        raised is a failure too, and logged with its traceback.
        """

    def sign_out(self, session: Session) -> None:
        """End a session, or raise; nobody waits for it longer than the configured sign-out time."""


class Listener(Protocol):
    """Whoever owns the driver; called in the loop, so nothing here may block."""

    def transitioned(self, transition: ReportTransition) -> None:
        """The state changed."""

    def invited(self, invitation: Invitation) -> None:
        """An invitation is to be delivered."""

    def failed(self, reason: str) -> None:
        """Something needs a person."""


class Driver:
    """One connection's life on a loop: see the module."""

    __slots__ = (
        "_abandonment",
        "_attempt",
        "_beat_sent",
        "_encode_heartbeat",
        "_file",
        "_malformed_logged_at",
        "_sign_in_job",
        "_sign_ins",
        "_socket",
        "agent_id",
        "answer_sequence",
        "armed_at",
        "authenticator",
        "closed",
        "codec",
        "hub",
        "lifecycle",
        "listener",
    )

    def __init__(
        self,
        agent_id: str,
        lifecycle: Lifecycle,
        authenticator: Authenticator,
        codec: Codec,
        hub: Hub,
        listener: Listener,
    ) -> None:
        self.agent_id = agent_id
        self.lifecycle = lifecycle
        self.authenticator = authenticator
        self.codec = codec
        self.hub = hub
        self.listener = listener
        self.answer_sequence: int | None = None
        """MessageSeq of the latest heartbeat response: recorded, never required (protocol, "Datagrams")."""
        self.armed_at = math.inf
        self.closed = False
        """Whether the connection is at rest and has let go of this driver."""
        self._abandonment: Abandonment | None = None
        self._sign_in_job: Callable[[], None] | None = None
        self._sign_ins: set[int] = set()
        """The attempts whose sign-ins have not come to an end, be they abandoned."""
        self._socket: socket.socket | None = None
        self._file: tuple[int, int] | None = None
        self._attempt = 0
        self._beat_sent = BeatSent(0)
        self._encode_heartbeat: HeartbeatEncoder | None = None
        self._malformed_logged_at = -math.inf

    # Events in, effects out -------------------------------------------------------------------------------------------

    def wake(self) -> float:
        """The hub's timers say that the deadline may have passed; returns the next one."""
        if self.closed:  # the machine may have another driver by now
            return math.inf
        lifecycle = self.lifecycle
        now = monotonic()
        if (deadline := lifecycle.deadline) > now:
            return deadline
        self._carry_out(lifecycle.handle(DEADLINE_PASSED, now), now)
        return lifecycle.deadline

    def feed(self, event: Event) -> None:
        """Take an event, in the loop's thread."""
        if self.closed:
            if isinstance(event, SignedIn):
                self._submit(partial(self._sign_out_blocking, event.attempt, event.session))
            return
        lifecycle = self.lifecycle
        now = monotonic()
        if effects := lifecycle.handle(event, now):
            self._carry_out(effects, now)
        if (deadline := lifecycle.deadline) < self.armed_at:
            self.hub.timers.arm(self, deadline)

    def _carry_out(self, effects: list[Effect], now: float) -> None:
        for effect in effects:  # what comes of one at once is handled after the others: the list grows meanwhile
            try:
                outcome = _CARRY_OUT[type(effect)](self, effect)
            except Exception as error:  # of a session that cannot be, perhaps; the effects that follow must not be lost
                logger.exception("%s: %s failed in an unexpected way", self.agent_id, type(effect).__name__)
                outcome = None
                if isinstance(effect, OpenSocket | SendHeartbeat | AnswerInvitation):
                    outcome = SocketFailed(effect.attempt, f"{type(error).__name__}: {error}")
            if outcome is not None:
                effects.extend(self.lifecycle.handle(outcome, now))

    def post(self, event: Event) -> bool:
        """Take an event, from any thread; False if the loop is closed."""
        return self.hub.post(partial(self.feed, event))

    def _submit(self, job: Callable[[], None]) -> str:
        """Have the pool run `job`; says why it will not, or nothing."""
        try:
            self.hub.pool.submit(job)
        except RuntimeError as error:
            logger.warning("%s: the system has no thread for a call that blocks: %s", self.agent_id, error)
            return str(error)
        return ""

    # Signing in and out -----------------------------------------------------------------------------------------------

    def _sign_in(self, effect: SignIn) -> Event | None:
        if len(self._sign_ins) >= SIGN_INS_LIMIT:
            reason = (
                f"{len(self._sign_ins)} earlier sign-ins have not come to an end: the authenticator must bound them"
            )
            return SignInFailed(effect.attempt, reason, rejected=True)
        self._abandonment = Abandonment()
        self._sign_in_job = partial(self._sign_in_blocking, effect.attempt, self._abandonment)
        self._sign_ins.add(effect.attempt)
        if failure := self._submit(self._sign_in_job):
            self._sign_ins.discard(effect.attempt)
            return SignInFailed(effect.attempt, failure)
        return None

    def _abandon_sign_in(self, effect: AbandonSignIn) -> None:
        if self._abandonment is not None and self._sign_in_job is not None:
            self._abandonment.abandon()
            if self.hub.pool.give_up(self._sign_in_job):
                self._sign_ins.discard(effect.attempt)
            self._abandonment = self._sign_in_job = None

    def _sign_in_blocking(self, attempt: int, abandonment: Abandonment) -> None:
        if abandonment.abandoned:
            self._sign_ins.discard(attempt)
            return
        event: Event
        try:
            session = self.authenticator.sign_in(abandonment)
            if not isinstance(session, Session):
                raise TypeError(f"{self.authenticator!r} returned {session!r}, which is no Session")
        except AgentCPError as error:
            event = SignInFailed(
                attempt, str(error), getattr(error, "retry_after", None), getattr(error, "permanent", False)
            )
        except BaseException as error:  # whatever it is, the machine must hear of it
            logger.exception("%s: the sign-in failed in an unexpected way", self.agent_id)
            event = SignInFailed(attempt, f"{type(error).__name__}: {error}")
        else:
            event = SignedIn(attempt, session)
        self._sign_ins.discard(attempt)
        if isinstance(event, SignedIn):
            if self.closed or not self.post(event):  # the machine is at rest and out of reach
                self._sign_out_blocking(attempt, session)
            return
        self.post(event)

    def _sign_out(self, effect: SignOut) -> Event | None:
        failure = self._submit(partial(self._sign_out_blocking, effect.attempt, effect.session))
        return SignedOut(effect.attempt, failure) if failure else None

    def _sign_out_blocking(self, attempt: int, session: Session) -> None:
        reason = ""
        try:
            self.authenticator.sign_out(session)
        except AgentCPError as error:
            reason = str(error)
            logger.warning("%s: the sign-out failed: %s", self.agent_id, reason)
        except BaseException as error:  # whatever it is, the machine must hear of it
            reason = f"{type(error).__name__}: {error}"
            logger.exception("%s: the sign-out failed in an unexpected way", self.agent_id)
        self.post(SignedOut(attempt, reason))

    def _confirm_session(self, effect: ConfirmSession) -> None:
        if (proven := getattr(self.authenticator, "session_proven", None)) is not None:
            try:
                proven(effect.session)
            except Exception:  # an application's, perhaps; the effects that follow must be carried out
                logger.exception("%s: %r raised", self.agent_id, proven)

    # The socket -------------------------------------------------------------------------------------------------------

    def _open_socket(self, effect: OpenSocket) -> Event | None:
        self._attempt = effect.attempt
        try:
            ipaddress.ip_address(effect.session.host)
        except ValueError:
            failure = self._submit(partial(self._resolve_blocking, effect))
            return SocketFailed(effect.attempt, failure) if failure else None
        return self._connect(effect)

    def _resolve_blocking(self, effect: OpenSocket) -> None:
        session = effect.session
        try:
            with forking.waiting():
                found = socket.getaddrinfo(session.host, session.port, type=socket.SOCK_DGRAM)
            addresses = tuple(dict.fromkeys(str(address[4][0]) for address in found))
        except (OSError, UnicodeError) as error:
            self.post(SocketFailed(effect.attempt, f"{session.host} cannot be resolved: {error}"))
        else:
            self.hub.post(partial(self._resolved, effect, addresses))

    def _resolved(self, effect: OpenSocket, addresses: tuple[str, ...]) -> None:
        if effect.attempt == self._attempt:  # else the socket was given up meanwhile
            self.feed(self._connect(effect, *addresses))

    def _connect(self, effect: OpenSocket, *addresses: str) -> Event:
        """Open a socket connected to the first address that takes it, so that the kernel drops strangers."""
        session = effect.session
        failure = ""
        for address in addresses or (session.host,):
            opened: socket.socket | None = None
            try:
                opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
                opened.setblocking(False)
                opened.connect((address, session.port))
                self.hub.loop.add_reader(opened.fileno(), self._readable)
            except (OSError, OverflowError) as error:
                failure = f"no socket to [{address}]:{session.port}: {error}"
                if opened is not None:
                    opened.close()
                continue
            self._socket = opened
            self._file = _file_of(opened)
            self._beat_sent = BeatSent(effect.attempt)
            self._encode_heartbeat = self.codec.heartbeat_encoder(self.agent_id, session.cookie)
            return SocketOpened(effect.attempt)
        return SocketFailed(effect.attempt, failure)

    def _close_socket(self, effect: CloseSocket) -> None:
        self._attempt = 0
        self._encode_heartbeat = None
        if self._socket is None:
            return
        try:
            self.hub.loop.remove_reader(self._socket.fileno())  # raises if a transport of the loop has the number now
        finally:
            self.abandon()

    def _send_heartbeat(self, effect: SendHeartbeat) -> Event:
        assert self._encode_heartbeat is not None
        return self._send(self._encode_heartbeat(effect.sequence)) or self._beat_sent

    def _answer_invitation(self, effect: AnswerInvitation) -> Event | None:
        invitation = effect.invitation
        response = InviteResponse(
            effect.sequence, self.agent_id, invitation.inviter_agent_id, invitation.session_id, effect.session.cookie
        )
        try:
            data = self.codec.encode(response)
        except WireError as error:
            logger.warning("%s: an invitation cannot be answered: %s", self.agent_id, error)
            return None
        return self._send(data)

    def _send(self, data: bytes) -> Event | None:
        """Send a datagram; the event says what went wrong, if something did."""
        assert self._socket is not None
        try:
            self._socket.send(data, socket.MSG_DONTWAIT)  # whoever has a duplicate may have made it block
        except OSError as error:
            return self._socket_error(error, SendFailed)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s: sent %d bytes", self.agent_id, len(data))
        return None

    def _readable(self) -> None:
        """Take one datagram; the loop calls again while there are more, with the others' turns between."""
        if self._socket is None:
            return
        try:
            data = self._socket.recv(RECEIVED, socket.MSG_DONTWAIT)
        except OSError as error:
            if not isinstance(error, BlockingIOError | InterruptedError):
                self.feed(self._socket_error(error, ReceiveFailed))
            elif _is_shut_down(self._socket):  # it would be readable for ever
                self.feed(SocketFailed(self._attempt, SHUT_DOWN))
            self._go_on_reading()
            return
        if not data and _is_shut_down(self._socket):
            self.feed(SocketFailed(self._attempt, SHUT_DOWN))
        else:
            self.feed(self._decode(data))

    def _go_on_reading(self) -> None:
        """After an error uvloop reads a socket no more: have it do so again, should the machine have kept it."""
        if self._socket is not None:
            descriptor = self._socket.fileno()
            self.hub.loop.remove_reader(descriptor)
            self.hub.loop.add_reader(descriptor, self._readable)

    def _decode(self, data: bytes) -> Event:
        attempt = self._attempt
        event: Event
        try:
            if (response := self.codec.decode_heartbeat_response(data)) is not None:
                self.answer_sequence, next_beat = response
                event = Unauthorized(attempt) if next_beat == UNAUTHORIZED else _beat_answered(attempt, next_beat)
            elif isinstance(message := self.codec.decode(data), InviteRequest):
                event = Invited(attempt, message.invitation)
            else:
                return self._malformed(f"a {type(message).__name__} comes from clients only")
        except WireError as error:
            return self._malformed(str(error))
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s: received %s", self.agent_id, event.trigger)
        return event

    def _malformed(self, why: str) -> Event:
        now = monotonic()
        if now - self._malformed_logged_at > 60.0:  # once a burst
            logger.warning("%s: malformed datagrams arrive, this one: %s", self.agent_id, why)
        self._malformed_logged_at = now
        return Malformed(self._attempt)

    def _socket_error(self, error: OSError, otherwise: type[SendFailed] | type[ReceiveFailed]) -> Event:
        kind = SocketFailed if error.errno in BROKEN else otherwise
        return kind(self._attempt, str(error))

    # Telling ----------------------------------------------------------------------------------------------------------

    def _report_transition(self, effect: ReportTransition) -> None:
        self.listener.transitioned(effect)

    def _deliver_invitation(self, effect: DeliverInvitation) -> None:
        self.listener.invited(effect.invitation)

    def _report_error(self, effect: ReportError) -> None:
        self.listener.failed(effect.reason)

    def fileno(self) -> int | None:
        """The socket's descriptor, if there is a socket."""
        return None if (opened := self._socket) is None else opened.fileno()

    # Leaving without a word -------------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """Let go of the socket without touching the loop, which is closed, or another process's (after a fork)."""
        if (opened := self._socket) is None:
            return
        self._socket = None
        if _file_of(opened) == self._file:
            opened.close()
        else:
            opened.detach()  # somebody closed the descriptor; what has its number now is not ours to close


_CARRY_OUT: dict[type, Callable[[Driver, Any], Event | None]] = {
    SignIn: Driver._sign_in,
    AbandonSignIn: Driver._abandon_sign_in,
    SignOut: Driver._sign_out,
    OpenSocket: Driver._open_socket,
    CloseSocket: Driver._close_socket,
    ConfirmSession: Driver._confirm_session,
    SendHeartbeat: Driver._send_heartbeat,
    AnswerInvitation: Driver._answer_invitation,
    DeliverInvitation: Driver._deliver_invitation,
    ReportTransition: Driver._report_transition,
    ReportError: Driver._report_error,
}


def _is_shut_down(opened: socket.socket) -> bool:
    """Whether somebody ended its receiving, by a duplicate of the descriptor."""
    hung_up = select.POLLHUP | getattr(select, "POLLRDHUP", 0)
    poll = select.poll()
    poll.register(opened, hung_up)
    return any(event & hung_up for _, event in poll.poll(0))


def _file_of(opened: socket.socket) -> tuple[int, int] | None:
    """What the socket's descriptor stands for now: (device, inode)."""
    try:
        status = os.fstat(opened.fileno())
    except OSError:
        return None
    return status.st_dev, status.st_ino
