"""The machine of a connection's life written by hand: no chart, no engine, only ``if`` and ``elif``.

The compiled chart is measured against it, as the limit of what Python can do.  It does what `Lifecycle` does: the same
effects, deadline, statistics and snapshot (`test_hand_written_agrees`).  Which state follows which event is spread over
its methods; a chart has that in one place.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
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
    Reconnect,
    RetryNow,
    SendFailed,
    SignedIn,
    SignedOut,
    SignInFailed,
    SocketFailed,
    SocketOpened,
    Start,
    Stop,
    Unauthorized,
)
from agentcp_fsm.lifecycle.machine import NEVER, NEXT_BEAT_MAX, Snapshot, Statistics
from agentcp_fsm.lifecycle.session import Invitation, Session

OFFLINE, SIGNING_IN, ONLINE, DEGRADED, RECONNECTING, BACKOFF, STOPPING = State


class HandWritten:
    """One connection's machine."""

    __slots__ = (
        "_effects",
        "_invitations",
        "answered_at",
        "attempt",
        "attempts",
        "beat_due",
        "config",
        "interval",
        "not_before",
        "now",
        "random",
        "receive_failures",
        "restart_wanted",
        "send_failures",
        "sent_at",
        "sequence",
        "session",
        "socket_ready",
        "state",
        "statistics",
        "timeout_at",
        "unanswered",
        "was_online",
    )

    def __init__(self, config: Config, random: Random) -> None:
        self.config = config
        self.random = random
        self.statistics = Statistics()
        self.state = OFFLINE
        self.now = -math.inf
        self.attempt = 0
        self.attempts = 0
        self.was_online = False
        self.restart_wanted = False
        self.not_before = -math.inf
        self.session: Session | None = None
        self.socket_ready = False
        self.sequence = 0
        self.interval = 0.0
        self.sent_at = -math.inf
        self.answered_at = -math.inf
        self.unanswered = 0
        self.send_failures = 0
        self.receive_failures = 0
        self.beat_due = NEVER
        self.timeout_at = NEVER
        self._invitations: dict[Invitation, None] | None = None
        self._effects: list[Effect] = []

    @property
    def deadline(self) -> float:
        due = self.beat_due if self.beat_due < self.timeout_at else self.timeout_at
        return due if due > self.now else self.now

    @property
    def known_invitations(self) -> tuple[Invitation, ...]:
        return tuple(self._invitations or ())

    def snapshot(self) -> Snapshot:
        return Snapshot(*(getattr(self, name) for name in Snapshot._fields))

    def handle(self, event: Event, now: float) -> list[Effect]:
        if not now > self.now:
            now = self.now
        self.now = now
        effects = self._effects = []
        kind = type(event)
        if kind is DeadlinePassed:
            self._deadline_passed(event, now)
        elif kind is BeatSent:
            self._beat_sent(event)
        elif kind is BeatAnswered:
            self._beat_answered(event, now)
        elif kind is Invited:
            self._invited(event)
        elif kind is Malformed:
            self.statistics.malformed += 1
        elif kind is SendFailed:
            self._send_failed(event, now)
        elif kind is ReceiveFailed:
            self._receive_failed(event, now)
        elif kind is Unauthorized:
            self._unauthorized(event, now)
        elif kind is SignedIn:
            self._signed_in(event, now)
        elif kind is SignInFailed:
            self._sign_in_failed(event, now)
        elif kind is SocketOpened:
            self._socket_opened(event, now)
        elif kind is SocketFailed:
            self._socket_failed(event, now)
        elif kind is SignedOut:
            self._signed_out(event, now)
        elif kind is Start:
            self._start(event, now)
        elif kind is Stop:
            self._stop(event, now)
        elif kind is Reconnect:
            self._reconnect(event, now)
        elif kind is RetryNow:
            self._retry_now(event, now)
        return effects

    # Events -----------------------------------------------------------------------------------------------------------

    def _start(self, event: Event, now: float) -> None:
        if self.state is OFFLINE:
            self._begin_anew(event, now, "The application wants to be reachable.")
        elif self.state is STOPPING and not self.restart_wanted:
            self.restart_wanted = True
        else:
            self.statistics.ignored += 1

    def _stop(self, event: Event, now: float) -> None:
        state = self.state
        if state is BACKOFF:
            self._leave(event, now, "The application wants out; nothing is in flight.")
        elif state is STOPPING and self.restart_wanted:
            self.restart_wanted = False
        elif state is OFFLINE or state is STOPPING:
            self.statistics.ignored += 1
        else:
            self._drop_attempt()
            self._leave(event, now, "The application wants out: the socket is closed, a sign-in in flight abandoned.")

    def _signed_in(self, event: Any, now: float) -> None:
        state = self.state
        if state is SIGNING_IN or state is RECONNECTING:
            if event.attempt == self.attempt and self.session is None:
                self.session = event.session
                self.timeout_at = now + self.config.socket_timeout
                self._effects.append(OpenSocket(self.attempt, event.session))
            else:
                self.statistics.stale += 1
        else:
            self.statistics.stale += 1
            if state is STOPPING or state is OFFLINE:
                self._effects.append(SignOut(event.attempt, event.session))

    def _sign_in_failed(self, event: Any, now: float) -> None:
        connecting = self.state is SIGNING_IN or self.state is RECONNECTING
        if not connecting or event.attempt != self.attempt or self.session is not None:
            self.statistics.stale += 1
        elif self._attempts_exhausted():
            self._give_up(event, now, "The sign-in failed, and it was the last attempt allowed.")
        else:
            self._drop_failed_attempt()
            reason = "The sign-in failed; it is tried again."
            if event.rejected:
                reason = "The server rejected the sign-in; retrying soon cannot mend that."
                self._effects.append(ReportError(event.reason))
            if event.retry_after is not None and event.retry_after > 0:
                self.not_before = max(self.not_before, now + min(event.retry_after, self.config.retry_after_max))
            if event.rejected:
                self.not_before = max(self.not_before, now + self.config.backoff_max)
            self._back_off(event, now, reason)

    def _socket_opened(self, event: Any, now: float) -> None:
        connecting = self.state is SIGNING_IN or self.state is RECONNECTING
        if connecting and event.attempt == self.attempt and self.session is not None and not self.socket_ready:
            self.socket_ready = True
            self.interval = self.config.probe_interval
            self._send_heartbeat(now)
            self.timeout_at = now + self.config.probe_limit * self.interval
        else:
            self.statistics.stale += 1

    def _socket_failed(self, event: Any, now: float) -> None:
        state = self.state
        if state is STOPPING or event.attempt != self.attempt or self.session is None:
            self.statistics.stale += 1
        elif state is SIGNING_IN or state is RECONNECTING:
            if self._attempts_exhausted():
                self._give_up(event, now, "The socket failed, and it was the last attempt allowed.")
            else:
                self._fail(event, now, "The socket failed; the attempt is over.")
        elif now < self.not_before:
            self._lose_and_wait(
                event, now, "The socket is lost; the last sign-in was too recent for the next.", self.not_before
            )
        else:
            self._lose_and_reconnect(event, now, "The socket is lost.")

    def _beat_sent(self, event: Any) -> None:
        if event.attempt != self.attempt or not self.socket_ready:
            self.statistics.stale += 1
        else:
            self.send_failures = 0
            self.statistics.heartbeats += 1

    def _send_failed(self, event: Any, now: float) -> None:
        state = self.state
        if event.attempt != self.attempt or not self.socket_ready:
            self.statistics.stale += 1
        elif self.send_failures + 1 < self.config.send_failure_limit:
            if state is ONLINE:
                self._change(event, now, DEGRADED, "A send failed; it is tried again soon.")
            self.send_failures += 1
            self.statistics.send_failures += 1
            retry = _doubled(self.config.send_retry_initial, self.send_failures, self.config.send_retry_max)
            self.beat_due = min(self.beat_due, now + retry)
        elif state is SIGNING_IN or state is RECONNECTING:
            if self._attempts_exhausted():
                self._give_up(event, now, "Sending fails, and it was the last attempt allowed.")
            else:
                self._fail(event, now, "Sending fails; the attempt is over.")
        elif now < self.not_before:
            self._lose_and_wait(
                event,
                now,
                "Sending fails: the connection is lost; the last sign-in was too recent for the next.",
                self.not_before,
            )
        else:
            self._lose_and_reconnect(event, now, "Sending fails: the connection is lost.")

    def _receive_failed(self, event: Any, now: float) -> None:
        state = self.state
        if event.attempt != self.attempt or not self.socket_ready:
            self.statistics.stale += 1
        elif self.receive_failures + 1 < self.config.receive_failure_limit:
            if state is ONLINE:
                self._change(event, now, DEGRADED, "A receive failed; the next may not.")
            self.receive_failures += 1
            self.statistics.receive_failures += 1
        elif state is SIGNING_IN or state is RECONNECTING:
            if self._attempts_exhausted():
                self._give_up(event, now, "Receiving fails, and it was the last attempt allowed.")
            else:
                self._fail(event, now, "Receiving fails; the attempt is over.")
        elif now < self.not_before:
            self._lose_and_wait(
                event,
                now,
                "Receiving fails: the connection is lost; the last sign-in was too recent for the next.",
                self.not_before,
            )
        else:
            self._lose_and_reconnect(event, now, "Receiving fails: the connection is lost.")

    def _beat_answered(self, event: Any, now: float) -> None:
        if event.attempt != self.attempt or not self.socket_ready:
            self.statistics.stale += 1
            return
        state = self.state
        config = self.config
        self.unanswered = self.send_failures = self.receive_failures = 0
        self.answered_at = now
        milliseconds = event.next_beat
        if not 0 <= milliseconds <= NEXT_BEAT_MAX:
            milliseconds = min(max(milliseconds, 0), NEXT_BEAT_MAX)
        interval = milliseconds / 1000
        if interval < config.interval_min:
            interval = config.interval_min
        elif interval > config.interval_max:
            interval = config.interval_max
        self.interval = interval
        beat_due = self.sent_at + interval
        self.beat_due = beat_due if beat_due > now else now
        self.timeout_at = NEVER
        self.statistics.answers += 1
        if state is DEGRADED:
            self._change(event, now, ONLINE, "The server answered again.")
        elif state is not ONLINE:
            self.attempts = 0
            self.was_online = True
            self.statistics.times_online += 1
            assert self.session is not None
            self._effects.append(ConfirmSession(self.session))
            self._change(event, now, ONLINE, "The server answered a heartbeat: the connection is proven.")

    def _unauthorized(self, event: Any, now: float) -> None:
        state = self.state
        if event.attempt != self.attempt or not self.socket_ready:
            self.statistics.stale += 1
        elif state is SIGNING_IN or state is RECONNECTING:
            if self._attempts_exhausted():
                self._give_up(event, now, "The server refused the new session, and it was the last attempt allowed.")
            else:
                self._fail(event, now, "The server refused the new session; the attempt is over.")
        elif self.config.unauthorized_spread > 0:
            self._lose_and_wait(
                event,
                now,
                "The server forgot the session, perhaps everybody's: sign-ins are spread in time.",
                max(self.not_before, now) + self.config.unauthorized_spread * self.random.random(),
            )
        elif now < self.not_before:
            self._lose_and_wait(
                event,
                now,
                "The server forgot the session; the last sign-in was too recent for the next.",
                self.not_before,
            )
        else:
            self._lose_and_reconnect(event, now, "The server forgot the session.")

    def _invited(self, event: Any) -> None:
        if event.attempt != self.attempt or not self.socket_ready:
            self.statistics.stale += 1
            return
        assert self.session is not None
        invitation = event.invitation
        self.receive_failures = 0
        self.sequence += 1
        self._effects.append(AnswerInvitation(self.attempt, self.sequence, self.session, invitation))
        known = self._invitations
        if known is None:
            known = self._invitations = {}
        if invitation in known:
            self.statistics.duplicates += 1
        else:
            known[invitation] = None
            if len(known) > self.config.invitation_memory:
                del known[next(iter(known))]
            self.statistics.invitations += 1
            self._effects.append(DeliverInvitation(invitation))

    def _deadline_passed(self, event: Event, now: float) -> None:
        state = self.state
        if now < self.beat_due and now < self.timeout_at:
            self.statistics.ignored += 1
        elif state is ONLINE or state is DEGRADED:
            if self.unanswered == 0 and state is ONLINE:
                self._send_heartbeat(now)
            elif now >= self.timeout_at:
                if now < self.not_before:
                    self._lose_and_wait(
                        event,
                        now,
                        "The server is silent: the connection is lost; the last sign-in was too recent for the next.",
                        self.not_before,
                    )
                else:
                    self._lose_and_reconnect(event, now, "The server is silent: the connection is lost.")
            else:
                self._send_heartbeat(now)
                if state is ONLINE:
                    self._change(event, now, DEGRADED, "A heartbeat went unanswered for one interval.")
        elif state is SIGNING_IN or state is RECONNECTING:
            if now < self.timeout_at:
                self._send_heartbeat(now)
            elif self._attempts_exhausted():
                self._give_up(event, now, "No answer in time, and it was the last attempt allowed.")
            elif self.session is not None:
                self._fail(event, now, "The session's server answers no heartbeat; the attempt is over.")
            else:
                self._fail(event, now, "The sign-in takes too long; the attempt is over.")
        elif state is BACKOFF:
            self._end_backoff(
                event, now, "The wait is over.", "The wait is over; the first session is still to be obtained."
            )
        elif state is STOPPING:
            rest = "The sign-out has had its time." if self.session is not None else "There is nothing to sign out."
            self._end_stopping(event, now, "The stop is over; the application wants to be reachable again.", rest)
        else:
            self.statistics.ignored += 1

    def _signed_out(self, event: Any, now: float) -> None:
        if self.state is STOPPING and event.attempt == self.attempt and self.session is not None:
            rest = "The sign-out failed; the connection is at rest all the same." if event.reason else "Signed out."
            self._end_stopping(event, now, "The sign-out is over; the application wants to be reachable again.", rest)
        else:
            self.statistics.stale += 1

    def _reconnect(self, event: Event, now: float) -> None:
        state = self.state
        if state is OFFLINE or state is STOPPING:
            self.statistics.ignored += 1
        elif state is BACKOFF:
            if now < self.not_before:
                self.timeout_at = min(self.timeout_at, self.not_before)
            else:
                self._end_backoff(
                    event,
                    now,
                    "The application wants a new session, now.",
                    "The application wants a session, now.",
                )
        elif state is ONLINE or state is DEGRADED:
            if now < self.not_before:
                self._lose_and_wait(
                    event,
                    now,
                    "The application wants a new session; the last sign-in was too recent for the next.",
                    self.not_before,
                )
            else:
                self._lose_and_reconnect(event, now, "The application wants a new session.")
        else:
            self._drop_attempt()
            self.session = None
            if now < self.not_before:
                self.timeout_at = self.not_before
                self._change(
                    event,
                    now,
                    BACKOFF,
                    "The application wants a new session; the last sign-in was too recent for the next.",
                )
            else:
                self._begin_sign_in(now)
                self._change(event, now, state, "The application wants a new session.")

    def _retry_now(self, event: Event, now: float) -> None:
        if self.state is not BACKOFF:
            self.statistics.ignored += 1
        elif now < self.not_before:
            self.timeout_at = min(self.timeout_at, self.not_before)
        else:
            self._end_backoff(event, now, "The application ended the wait.", "The application ended the wait.")

    # What several events share ----------------------------------------------------------------------------------------

    def _change(self, event: Event, now: float, dest: State, reason: str, lost: bool = False) -> ReportTransition:
        detail = event.reason
        if dest is BACKOFF:
            next_try = f"next try in {self.timeout_at - now:.1f} s"
            detail = f"{detail}; {next_try}" if detail else next_try
        transition = ReportTransition(self.state, dest, event.trigger, reason, detail, now, lost)
        self.state = dest
        self._effects.append(transition)
        return transition

    def _begin_anew(self, event: Event, now: float, reason: str) -> None:
        self.attempts = 0
        self.was_online = False
        self.restart_wanted = False
        self._invitations = None
        self._begin_sign_in(now)
        self._change(event, now, SIGNING_IN, reason)

    def _begin_sign_in(self, now: float) -> None:
        self.session = None
        self.attempt += 1
        self.attempts += 1
        self.statistics.attempts += 1
        self.not_before = now + self.config.sign_in_interval_min
        self.timeout_at = now + self.config.sign_in_timeout
        self._effects.append(SignIn(self.attempt))

    def _drop_attempt(self) -> None:
        if self.session is None:
            self._effects.append(AbandonSignIn(self.attempt))
        else:
            self._effects.append(CloseSocket(self.attempt))
        self.socket_ready = False
        self.unanswered = self.send_failures = self.receive_failures = 0
        self.beat_due = NEVER

    def _attempts_exhausted(self) -> bool:
        limit = self.config.sign_in_attempt_limit
        return limit is not None and self.attempts >= limit

    def _give_up(self, event: Event, now: float, reason: str) -> None:
        self._drop_attempt()
        self.statistics.failed_attempts += 1
        cause = f": {event.reason}" if event.reason else ""
        self._effects.append(ReportError(f"gave up after {self.attempts} attempts{cause}"))
        self._leave(event, now, reason)

    def _leave(self, event: Event, now: float, reason: str) -> None:
        if self.session is None:
            self.timeout_at = now
        else:
            self.timeout_at = now + self.config.sign_out_timeout
            self._effects.append(SignOut(self.attempt, self.session))
        self._change(event, now, STOPPING, reason)

    def _fail(self, event: Event, now: float, reason: str) -> None:
        self._drop_failed_attempt()
        self._back_off(event, now, reason)

    def _drop_failed_attempt(self) -> None:
        self._drop_attempt()
        self.session = None
        self.statistics.failed_attempts += 1

    def _back_off(self, event: Event, now: float, reason: str) -> None:
        config = self.config
        earliest = max(self.not_before, now)
        floor = earliest - now
        window = _doubled(config.backoff_initial, self.attempts, config.backoff_max)
        window = min(window, max(config.backoff_max - floor, floor))
        self.timeout_at = earliest + window * (1 - config.backoff_jitter * self.random.random())
        self._change(event, now, BACKOFF, reason)

    def _lose_and_wait(self, event: Event, now: float, reason: str, until: float) -> None:
        self._drop_attempt()
        self.session = None
        self.statistics.losses += 1
        self.timeout_at = until
        self.statistics.last_loss = self._change(event, now, BACKOFF, reason, lost=True)

    def _lose_and_reconnect(self, event: Event, now: float, reason: str) -> None:
        self._drop_attempt()
        self.session = None
        self.statistics.losses += 1
        self._begin_sign_in(now)
        self.statistics.last_loss = self._change(event, now, RECONNECTING, reason, lost=True)

    def _send_heartbeat(self, now: float) -> None:
        assert self.session is not None
        beat_due = self.beat_due = now + self.interval
        if self.unanswered == 0:
            silent_at = self.answered_at + self.config.silence_limit * self.interval
            self.timeout_at = silent_at if silent_at > beat_due else beat_due
        self.unanswered += 1
        self.sent_at = now
        self.sequence += 1
        self._effects.append(SendHeartbeat(self.attempt, self.sequence, self.session))

    def _end_backoff(self, event: Event, now: float, again: str, first: str) -> None:
        self._begin_sign_in(now)
        if self.was_online:
            self._change(event, now, RECONNECTING, again)
        else:
            self._change(event, now, SIGNING_IN, first)

    def _end_stopping(self, event: Event, now: float, again: str, rest: str) -> None:
        if self.restart_wanted:
            self._begin_anew(event, now, again)
        else:
            self.session = None
            self.timeout_at = NEVER
            self._change(event, now, OFFLINE, rest)


def _doubled(initial: float, times: int, maximum: float) -> float:
    return min(initial * 2.0 ** min(times - 1, 1000), maximum)
