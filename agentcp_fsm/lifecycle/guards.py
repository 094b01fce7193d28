"""What the chart's guards ask, under the names that `agentcp_fsm.lifecycle.glossary` explains."""

from __future__ import annotations

from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    BeatSent,
    Event,
    Invited,
    ReceiveFailed,
    SendFailed,
    SignedIn,
    SignedOut,
    SignInFailed,
    SocketFailed,
    SocketOpened,
    Unauthorized,
)
from agentcp_fsm.lifecycle.variables import Variables

OfSocket = BeatSent | BeatAnswered | SendFailed | ReceiveFailed | Unauthorized | Invited
"""The events of a socket in use."""


class Guards(Variables):
    """They change nothing."""

    __slots__ = ()

    def deadline_reached(self, event: Event, now: float) -> bool:
        return now >= self.beat_due or now >= self.timeout_at

    def timed_out(self, event: Event, now: float) -> bool:
        return now >= self.timeout_at

    def silent(self, event: Event, now: float) -> bool:
        return now >= (self.timeout_at if self.unanswered > 1 else self.silent_at())

    def beat_was_answered(self, event: Event, now: float) -> bool:
        return self.unanswered == 0

    def session_in_hand(self, event: Event, now: float) -> bool:
        return self.session is not None

    def proof_begun(self, event: Event, now: float) -> bool:
        return self.socket_ready

    def sign_in_awaited(self, event: SignedIn | SignInFailed, now: float) -> bool:
        return event.attempt == self.attempt and self.session is None

    def late_sign_in_awaited(self, event: SignedIn, now: float) -> bool:
        return event.attempt == self.late_sign_in

    def socket_awaited(self, event: SocketOpened, now: float) -> bool:
        return event.attempt == self.attempt and self.socket_open and not self.socket_ready

    def socket_in_hand(self, event: SocketFailed, now: float) -> bool:
        return event.attempt == self.attempt and self.socket_open

    def socket_in_use(self, event: OfSocket, now: float) -> bool:
        return event.attempt == self.attempt and self.socket_ready

    def sign_out_awaited(self, event: SignedOut, now: float) -> bool:
        return event.attempt == self.attempt and self.session is not None

    def sign_out_failed(self, event: SignedOut, now: float) -> bool:
        return event.reason != ""

    def rejected(self, event: SignInFailed, now: float) -> bool:
        return event.rejected

    def send_failed_just_now(self, event: Event, now: float) -> bool:
        return self.send_failures > 0 and now - self.failed_at <= self.config.failure_instant

    def receive_failed_just_now(self, event: Event, now: float) -> bool:
        return self.receive_failures > 0 and now - self.failed_at <= self.config.failure_instant

    def send_failures_exhausted(self, event: Event, now: float) -> bool:
        return self.send_failures + 1 >= self.config.send_failure_limit

    def receive_failures_exhausted(self, event: Event, now: float) -> bool:
        return self.receive_failures + 1 >= self.config.receive_failure_limit

    def attempts_exhausted(self, event: Event, now: float) -> bool:
        limit = self.config.sign_in_attempt_limit
        return limit is not None and self.failures + 1 >= limit

    def online_lasted(self, event: Event, now: float) -> bool:
        return self._was_online_for(now) >= self.config.stable_after

    def _was_online_for(self, now: float) -> float:
        return (now if self.state is State.ONLINE else self.online_until) - self.online_since

    def _ended_soon(self, now: float) -> bool:
        return self._was_online_for(now) < self.config.flapping_span

    def flapping(self, event: Event, now: float) -> bool:
        return self.failures > 0 and not self.online_lasted(event, now)

    def refused_again(self, event: Event, now: float) -> bool:
        return self.refusals + 1 >= self.config.flapping_limit and self._ended_soon(now)

    def sign_in_too_soon(self, event: Event, now: float) -> bool:
        return now < self.not_before

    def spread_configured(self, event: Event, now: float) -> bool:
        return self.config.unauthorized_spread > 0

    def invitation_known(self, event: Invited, now: float) -> bool:
        delivered_at = None if self._invitations is None else self._invitations.get(event.invitation)
        return delivered_at is not None and now - delivered_at < self.config.invitation_window
