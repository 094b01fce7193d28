"""The machine of a connection's life written by hand: no chart, no engine, only ``if`` and ``elif``.

The compiled chart is measured against it, as the limit of what Python can do.  It does what `Lifecycle` does: the same
effects, deadline, statistics and snapshot (`test_hand_written_agrees`).  Which state follows which event is spread over
its methods; a chart has that in one place.
"""

from __future__ import annotations

from typing import Any

from agentcp_fsm.lifecycle.effects import Effect, ReportError, SignOut
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
from agentcp_fsm.lifecycle.statistics import LOSS_GAIN
from agentcp_fsm.lifecycle.variables import NEVER
from tests.benchmarks.hand_written_steps import (
    BACKOFF,
    DEGRADED,
    OFFLINE,
    ONLINE,
    RECONNECTING,
    SIGNING_IN,
    STOPPING,
    Steps,
    doubled,
)


class HandWritten(Steps):
    """One connection's machine."""

    __slots__ = ()

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
            self._invited(event, now)
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
            self._close_socket()
            self._leave(event, now, "The application wants out; no call is in flight.")
        elif state is STOPPING and self.restart_wanted:
            self.restart_wanted = False
        elif state is OFFLINE or state is STOPPING:
            self.statistics.ignored += 1
        else:
            self._drop_attempt()
            self._leave(event, now, "The application wants out: the socket is closed, a sign-in in flight abandoned.")

    def _signed_in(self, event: Any, now: float) -> None:
        state = self.state
        if (state is SIGNING_IN or state is RECONNECTING) and event.attempt == self.attempt and self.session is None:
            self._take_session(event.session, now)
        elif state is BACKOFF and event.attempt == self.late_sign_in:
            self._close_socket()
            self.attempt += 1
            self.late_sign_in = None
            self.beat_due = NEVER
            self._take_session(event.session, now)
            if self.was_online:
                reason = "The sign-in that took too long succeeded after all, and none was begun since."
                self._change(event, now, RECONNECTING, reason)
            else:
                reason = "The first sign-in to succeed took too long, and none was begun since."
                self._change(event, now, SIGNING_IN, reason)
        else:
            self.statistics.stale += 1
            if state is STOPPING or state is OFFLINE:
                self._effects.append(SignOut(event.attempt, event.session))

    def _sign_in_failed(self, event: Any, now: float) -> None:
        connecting = self.state is SIGNING_IN or self.state is RECONNECTING
        if not connecting or event.attempt != self.attempt or self.session is not None:
            self.statistics.stale += 1
            return
        exhausted = self._exhausted()
        self._drop_attempt()
        self._count_failed_attempt()
        if exhausted:
            self._give_up(event, now, "The sign-in failed, and it was the last attempt allowed.")
            return
        reason = "The sign-in failed; it is tried again."
        if event.rejected:
            reason = "The server rejected the sign-in; retrying soon cannot mend that."
            self._effects.append(ReportError(event.reason))
        if event.retry_after is not None and event.retry_after > 0:
            self.not_before = max(self.not_before, now + min(event.retry_after, self.config.retry_after_max))
        self._back_off(now, self.config.backoff_max if event.rejected else 0.0)
        self._plan_probe(now)
        self._change(event, now, BACKOFF, reason)

    def _socket_opened(self, event: Any, now: float) -> None:
        if event.attempt != self.attempt or not self.socket_open or self.socket_ready:
            self.statistics.stale += 1
            return
        self.socket_ready = True
        config = self.config
        if self.state is BACKOFF:
            self.beat_due = now + self._probe_gap()
            self._send_heartbeat(self.doubtful, now)
        else:
            allowed = config.probe_limit * config.probe_interval
            self.timeout_at = now + max(allowed, doubled(allowed, self.silent_attempts + 1, config.probe_time_max))
            self.beat_due = now + config.probe_interval
            self._send_heartbeat(self.session, now)

    def _socket_failed(self, event: Any, now: float) -> None:
        state = self.state
        if event.attempt != self.attempt or not self.socket_open:
            self.statistics.stale += 1
        elif state is BACKOFF:
            self._close_socket()
        elif state is SIGNING_IN or state is RECONNECTING:
            self._attempt_fails(event, now, "The socket failed")
        else:
            self._lose(event, now, "The socket failed")

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
        elif state is BACKOFF or (self.send_failures > 0 and now - self.failed_at <= self.config.failure_instant):
            self.statistics.send_failures += 1
        elif self.send_failures + 1 < self.config.send_failure_limit:
            reason = "A send failed; it is tried again soon."
            if state is ONLINE:
                self._change(event, now, DEGRADED, reason)
            self.send_failures += 1
            self.failed_at = now
            self.statistics.send_failures += 1
            if state is SIGNING_IN or state is RECONNECTING:
                self.beat_due = min(self.beat_due, now + self._send_retry())
            else:
                self.beat_due = max(min(self.sent_at + self.interval, now + self._send_retry()), now)
                if self.unanswered == 1:
                    self.timeout_at = self.silent_at()
        else:
            self.statistics.send_failures += 1
            if state is SIGNING_IN or state is RECONNECTING:
                self._attempt_fails(event, now, "Sending fails")
            else:
                self._lose(event, now, "Sending fails")

    def _receive_failed(self, event: Any, now: float) -> None:
        state = self.state
        if event.attempt != self.attempt or not self.socket_ready:
            self.statistics.stale += 1
        elif state is BACKOFF or (self.receive_failures > 0 and now - self.failed_at <= self.config.failure_instant):
            self.statistics.receive_failures += 1
        elif self.receive_failures + 1 < self.config.receive_failure_limit:
            if state is ONLINE:
                self._change(event, now, DEGRADED, "A receive failed; the next may not.")
            self.receive_failures += 1
            self.failed_at = now
            self.statistics.receive_failures += 1
        else:
            self.statistics.receive_failures += 1
            if state is SIGNING_IN or state is RECONNECTING:
                self._attempt_fails(event, now, "Receiving fails")
            else:
                self._lose(event, now, "Receiving fails")

    def _beat_answered(self, event: Any, now: float) -> None:
        if event.attempt != self.attempt or not self.socket_ready:
            self.statistics.stale += 1
            return
        state = self.state
        if event.next_beat != self.next_beat:
            self._note_next_beat(event.next_beat)
        statistics, unanswered = self.statistics, self.unanswered
        self.unanswered = self.send_failures = self.receive_failures = 0
        self.answered_at = now
        if unanswered == 1:
            self.repeated = False
            statistics.round_trip = measured = now - self.sent_at
            round_trip = self.round_trip
            if round_trip >= 0:
                deviation = measured - round_trip
                self.round_trip = round_trip = round_trip + deviation / 8
                if deviation < 0:
                    deviation = -deviation
                variation = self.round_trip_variation
                self.round_trip_variation = variation = variation + (deviation - variation) / 4
            else:
                self.round_trip = round_trip = measured
                self.round_trip_variation = variation = measured / 2
            retransmission = round_trip + 4 * variation
            if retransmission < self.retransmission_min:
                retransmission = self.retransmission_min
            if retransmission > self.retransmission_max:
                retransmission = self.retransmission_max
            self.retransmission = retransmission
        elif unanswered:
            self.repeated = True
        elif self.repeated:
            self.repeated = False
            self.retransmission = min(2 * self.retransmission, self.retransmission_max)
        beat_due = self.sent_at + self.interval
        self.beat_due = beat_due if beat_due > now else now
        self.timeout_at = NEVER
        statistics.answers += 1
        if statistics.loss_rate:
            statistics.loss_rate -= statistics.loss_rate * LOSS_GAIN
        if state is DEGRADED:
            self._change(event, now, ONLINE, "The server answered again.")
        elif state is BACKOFF:
            self.session, self.doubtful = self.doubtful, None
            self._come_online(event, now, "The server answered a probe: it still knows the session.")
        elif state is not ONLINE:
            self._come_online(event, now, "The server answered a heartbeat: the connection is proven.")

    def _unauthorized(self, event: Any, now: float) -> None:
        state = self.state
        if event.attempt != self.attempt or not self.socket_ready:
            self.statistics.stale += 1
        elif state is BACKOFF:
            self._close_socket()
            self.doubtful = None
            self.timeout_at = max(self.not_before, now)
            self._spread()
            self.beat_due = NEVER
        elif state is SIGNING_IN or state is RECONNECTING:
            exhausted = self._exhausted()
            self._drop_attempt()
            self.session = None
            self._count_failed_attempt()
            if exhausted:
                self._give_up(event, now, "The server refused the new session, and it was the last attempt allowed.")
            else:
                self._back_off(now)
                self._spread()
                self._change(event, now, BACKOFF, "The server refused the new session; the attempt is over.")
        else:
            self._lose_by_401(event, now)

    def _invited(self, event: Any, now: float) -> None:
        if event.attempt != self.attempt or not self.socket_ready:
            self.statistics.stale += 1
        else:
            self._answer_invitation(event, now)

    def _deadline_passed(self, event: Event, now: float) -> None:
        state = self.state
        timed_out = now >= self.timeout_at
        if not timed_out and now < self.beat_due:
            self.statistics.ignored += 1
        elif state is ONLINE or state is DEGRADED:
            if self.unanswered == 0:
                self._send_first(now)
            elif now >= (self.timeout_at if self.unanswered > 1 else self.silent_at()):
                self._lose(event, now, "The server is silent")
            else:
                if self.unanswered == 1:
                    self.timeout_at = self.silent_at()
                self.beat_due = now + self.retransmission
                self._send_heartbeat(self.session, now)
                if state is ONLINE:
                    reason = "A heartbeat went unanswered for the retransmission time: it is repeated."
                    self._change(event, now, DEGRADED, reason)
        elif state is SIGNING_IN or state is RECONNECTING:
            self._attempt_times_out(event, now, timed_out)
        elif state is BACKOFF:
            if not timed_out:
                self._open_probe(now)
            else:
                self._close_socket()
                again, first = "The wait is over.", "The wait is over; the first session is still to be obtained."
                self._end_backoff(event, now, again, first)
        elif state is not STOPPING:
            self.statistics.ignored += 1
        elif self.restart_wanted:
            self._begin_anew(event, now, "The stop is over; the application wants to be reachable again.")
        elif self.session is not None:
            self._come_to_rest(event, now, "The sign-out has had its time.")
        else:
            self._come_to_rest(event, now, "There is nothing to sign out.")

    def _signed_out(self, event: Any, now: float) -> None:
        if self.state is not STOPPING or event.attempt != self.attempt or self.session is None:
            self.statistics.stale += 1
        elif self.restart_wanted:
            self._begin_anew(event, now, "The sign-out is over; the application wants to be reachable again.")
        elif event.reason:
            self._come_to_rest(event, now, "The sign-out failed; the connection is at rest all the same.")
        else:
            self._come_to_rest(event, now, "Signed out.")

    def _reconnect(self, event: Event, now: float) -> None:
        state = self.state
        too_soon = now < self.not_before
        wanted = "The application wants a new session"
        too_recent = "the last sign-in was too recent for the next."
        if state is OFFLINE or state is STOPPING:
            self.statistics.ignored += 1
        elif state is BACKOFF:
            self._close_socket()
            self.session = self.doubtful = None
            if too_soon:
                self.late_sign_in = None
                self.timeout_at = min(self.timeout_at, self.not_before)
                self.beat_due = NEVER
            else:
                self._end_backoff(event, now, f"{wanted}, now.", "The application wants a session, now.")
        else:
            lost = state is ONLINE or state is DEGRADED
            lasted = lost and self._online_for(now) >= self.config.stable_after
            self._drop_attempt()
            self.session = self.doubtful = None
            if lost:
                self._note_loss(lasted)
            if too_soon:
                self.timeout_at = self.not_before
                self._change(event, now, BACKOFF, f"{wanted}; {too_recent}", lost)
            else:
                self._begin_sign_in(now)
                self._change(event, now, RECONNECTING if lost else state, f"{wanted}.", lost)

    def _retry_now(self, event: Event, now: float) -> None:
        if self.state is not BACKOFF:
            self.statistics.ignored += 1
        elif now < self.not_before:
            self.timeout_at = min(self.timeout_at, self.not_before)
        else:
            self._close_socket()
            self._end_backoff(event, now, "The application ended the wait.", "The application ended the wait.")
