"""What several events of the hand-written machine share: see `tests.benchmarks.hand_written`."""

from __future__ import annotations

from typing import Any

from agentcp_fsm.lifecycle.actions import CAUSES, NEXT_BEAT_MAX
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import (
    AbandonSignIn,
    AnswerInvitation,
    CloseSocket,
    ConfirmSession,
    DeliverInvitation,
    OpenSocket,
    ReportError,
    ReportTransition,
    SendHeartbeat,
    SignIn,
    SignOut,
)
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import silence_text
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.lifecycle.variables import NEVER, RandomSource, Variables

OFFLINE, SIGNING_IN, ONLINE, DEGRADED, RECONNECTING, BACKOFF, STOPPING = State


class Steps(Variables):
    """One connection's machine, but for its events."""

    __slots__ = ("_failed_attempts", "_unanswered")

    def __init__(self, config: Config, random: RandomSource) -> None:
        super().__init__(config, random)
        self._failed_attempts = 0
        """Those that were counted up to the last change of state."""
        self._unanswered = 0
        """How many heartbeats were unanswered when the connection was lost."""

    def _change(self, event: Event, now: float, dest: State, reason: str, lost: bool = False) -> None:
        if dest is DEGRADED:
            self.online_until = now
        detail = event.reason
        if lost and event.trigger == "deadline_passed":
            detail = silence_text(self._unanswered, now - self.answered_at)
        if dest is BACKOFF:
            next_try = f"next try in {self.timeout_at - now:.1f} s"
            detail = f"{detail}; {next_try}" if detail else next_try
        transition = ReportTransition(self.state, dest, event.trigger, reason, detail, now, lost)
        self.state = dest
        self._effects.append(transition)
        counted = self.statistics
        if lost:
            counted.last_loss = transition
        if lost or counted.failed_attempts != self._failed_attempts:
            counted.last_failure = transition
        self._failed_attempts = counted.failed_attempts

    # The attempt ------------------------------------------------------------------------------------------------------

    def _begin_anew(self, event: Event, now: float, reason: str) -> None:
        config = self.config
        self.failures = self.refusals = self.silent_attempts = 0
        self.was_online = False
        self.restart_wanted = False
        self.session = self.doubtful = None
        self._invitations = None
        self.next_beat = 0
        self.interval = config.interval_min
        self.repeated = False
        self.round_trip = -1.0
        self.retransmission_max = min(self.interval, config.silence_timeout)
        self.retransmission_min = config.retransmission_min * (1 + config.retransmission_spread * self.random.random())
        self.retransmission = min(self.retransmission_min, self.retransmission_max)
        self._begin_sign_in(now)
        self._change(event, now, SIGNING_IN, reason)

    def _begin_sign_in(self, now: float) -> None:
        self.attempt += 1
        self.late_sign_in = None
        self.statistics.attempts += 1
        self.not_before = now + self.config.sign_in_interval_min
        self.beat_due = NEVER
        self.timeout_at = now + self.config.sign_in_timeout
        longer = doubled(self.config.connect_timeout, self.failures + 1, self.config.connect_timeout_max)
        self._effects.append(SignIn(self.attempt, max(longer, self.config.connect_timeout)))

    def _take_session(self, session: Session, now: float) -> None:
        self.session, self.doubtful = session, None
        self.timeout_at = now + self.config.socket_timeout
        self._open_socket(session)

    def _open_socket(self, session: Session) -> None:
        self.socket_open = True
        self._effects.append(OpenSocket(self.attempt, session))

    def _close_socket(self) -> None:
        if self.socket_open:
            self._effects.append(CloseSocket(self.attempt))
            self.socket_open = self.socket_ready = False
            self.unanswered = self.send_failures = self.receive_failures = 0

    def _drop_attempt(self) -> None:
        if self.socket_open:
            self._close_socket()
        else:
            self._effects.append(AbandonSignIn(self.attempt))
        self.beat_due = NEVER

    def _doubt_session(self) -> None:
        self.doubtful, self.session = self.session, None
        self.probes = 0

    def _exhausted(self) -> bool:
        limit = self.config.sign_in_attempt_limit
        return limit is not None and self.failures + 1 >= limit

    def _count_failed_attempt(self) -> None:
        self.failures += 1
        self.statistics.failed_attempts += 1

    def _give_up(self, event: Event, now: float, reason: str, lost: bool = False) -> None:
        cause = event.reason or CAUSES.get(event.trigger, "no reason is known")
        times = "1 attempt" if self.failures == 1 else f"{self.failures} attempts"
        self._effects.append(ReportError(f"gave up after {times}: {cause}"))
        self._leave(event, now, reason, lost)

    def _attempt_fails(self, event: Event, now: float, what: str, over: str = "the attempt is over.") -> None:
        """The attempt fails with a session in hand."""
        exhausted = self._exhausted()
        self._drop_attempt()
        self._count_failed_attempt()
        if exhausted:
            self._give_up(event, now, f"{what}, and it was the last attempt allowed.")
        else:
            self._doubt_session()
            self._back_off(now)
            self._plan_probe(now)
            self._change(event, now, BACKOFF, f"{what}; {over}")

    # The loss of a proven connection ----------------------------------------------------------------------------------

    def _online_for(self, now: float) -> float:
        return (now if self.state is ONLINE else self.online_until) - self.online_since

    def _note_loss(self, lasted: bool) -> None:
        self.statistics.losses += 1
        if lasted:
            self.failures = 0

    def _lose(self, event: Event, now: float, what: str) -> None:
        lasted = self._online_for(now) >= self.config.stable_after
        exhausted = not lasted and self._exhausted()
        flapping = not lasted and self.failures > 0
        self._unanswered = self.unanswered
        self._drop_attempt()
        if not exhausted:
            self._doubt_session()
            self.refusals = 0
        self._note_loss(lasted)
        if not lasted:
            self._count_failed_attempt()
        if exhausted:
            reason = f"{what} before ONLINE had lasted, and it was the last attempt allowed."
            self._give_up(event, now, reason, lost=True)
        elif flapping:
            self._back_off(now)
            self._plan_probe(now)
            reason = f"{what} before ONLINE had lasted, as the attempt before had failed."
            self._change(event, now, BACKOFF, reason, lost=True)
        elif now < self.not_before:
            self.timeout_at = self.not_before
            self._plan_probe(now)
            reason = f"{what}: the connection is lost; the last sign-in was too recent for the next."
            self._change(event, now, BACKOFF, reason, lost=True)
        else:
            self._begin_sign_in(now)
            self._change(event, now, RECONNECTING, f"{what}: the connection is lost.", lost=True)

    def _lose_by_401(self, event: Event, now: float) -> None:
        lasted = self._online_for(now) >= self.config.stable_after
        exhausted = not lasted and self._exhausted()
        flapping = not lasted and self.failures > 0
        soon = self._online_for(now) < self.config.flapping_span
        refused_again = soon and self.refusals + 1 >= self.config.flapping_limit
        self._drop_attempt()
        self.session = self.doubtful = None
        self._note_loss(lasted)
        if not lasted:
            self._count_failed_attempt()
        if not exhausted:
            self.refusals = self.refusals + 1 if soon else 0
        if exhausted:
            reason = "The server forgot the session before ONLINE had lasted, and it was the last attempt allowed."
            self._give_up(event, now, reason, lost=True)
        elif refused_again:
            self._effects.append(
                ReportError(
                    f"the server forgot {self.refusals} sessions in a row, each soon after it had answered: another "
                    "copy of this agent may be signing in; stop all copies but one"
                )
            )
            self._back_off(now, self.config.flapping_wait)
            self._spread()
            reason = "The server forgets each session soon."
            self._change(event, now, BACKOFF, reason, lost=True)
        elif flapping:
            self._back_off(now)
            self._spread()
            reason = "The server forgot the session before ONLINE had lasted, as the attempt before had failed."
            self._change(event, now, BACKOFF, reason, lost=True)
        elif self.config.unauthorized_spread > 0:
            self.timeout_at = max(self.not_before, now)
            self._spread()
            reason = "The server forgot the session, perhaps everybody's: sign-ins are spread in time."
            self._change(event, now, BACKOFF, reason, lost=True)
        elif now < self.not_before:
            self.timeout_at = self.not_before
            reason = "The server forgot the session; the last sign-in was too recent for the next."
            self._change(event, now, BACKOFF, reason, lost=True)
        else:
            self._begin_sign_in(now)
            self._change(event, now, RECONNECTING, "The server forgot the session.", lost=True)

    # Waiting and probing ----------------------------------------------------------------------------------------------

    def _back_off(self, now: float, at_least: float = 0.0) -> None:
        config = self.config
        earliest = max(self.not_before, now + at_least)
        floor = earliest - now
        window = doubled(config.backoff_initial, max(self.failures, 1), config.backoff_max)
        window = min(window, max(config.backoff_max - floor, floor))
        self.timeout_at = earliest + window * (1 - config.backoff_jitter * self.random.random())

    def _spread(self) -> None:
        self.timeout_at += self.config.unauthorized_spread * self.random.random()

    def _plan_probe(self, now: float) -> None:
        self.beat_due = NEVER if self.doubtful is None else max(now, self.sent_at + self._probe_gap())

    def _probe_gap(self) -> float:
        if self.probes == 0:
            return 0.0
        return max(doubled(self.config.probe_interval, self.probes, self.interval), self.retransmission)

    def _open_probe(self, now: float) -> None:
        assert self.doubtful is not None
        self._close_socket()
        self.attempt += 1
        self.probes += 1
        self.statistics.probes += 1
        self.beat_due = now + self._probe_gap()
        self._open_socket(self.doubtful)

    def _end_backoff(self, event: Event, now: float, again: str, first: str) -> None:
        self._begin_sign_in(now)
        if self.was_online:
            self._change(event, now, RECONNECTING, again)
        else:
            self._change(event, now, SIGNING_IN, first)

    # Datagrams --------------------------------------------------------------------------------------------------------

    def _send_heartbeat(self, session: Session | None, now: float) -> None:
        assert session is not None
        if self.unanswered:
            self.statistics.note_missed()
        self.unanswered += 1
        self.sent_at = now
        self.sequence += 1
        self._effects.append(SendHeartbeat(self.attempt, self.sequence, session))

    def _note_next_beat(self, milliseconds: int) -> None:
        config = self.config
        self.next_beat = min(max(milliseconds, 0), NEXT_BEAT_MAX)
        self.interval = min(max(self.next_beat / 1000, config.interval_min), config.interval_max)
        self.retransmission_max = min(self.interval, config.silence_timeout)
        self.retransmission = min(max(self.retransmission, self.retransmission_min), self.retransmission_max)

    def _come_online(self, event: Event, now: float, reason: str) -> None:
        self.silent_attempts = 0
        self.was_online = True
        self.online_since = now
        self.statistics.times_online += 1
        assert self.session is not None
        self._effects.append(ConfirmSession(self.session))
        self._change(event, now, ONLINE, reason)

    def _send_retry(self) -> float:
        return doubled(self.config.send_retry_initial, self.send_failures, self.config.send_retry_max)

    def _answer_invitation(self, event: Any, now: float) -> None:
        session = self.session or self.doubtful
        assert session is not None
        invitation = event.invitation
        self.receive_failures = 0
        self.sequence += 1
        self._effects.append(AnswerInvitation(self.attempt, self.sequence, session, invitation))
        config = self.config
        known = {} if self._invitations is None else self._invitations
        if invitation in known and now - known[invitation] < config.invitation_window:
            self.statistics.duplicates += 1
            return
        known.pop(invitation, None)
        known[invitation] = now
        while known and (
            len(known) > config.invitation_memory or now - next(iter(known.values())) >= config.invitation_window
        ):
            del known[next(iter(known))]
        self._invitations = known or None
        self.statistics.invitations += 1
        self._effects.append(DeliverInvitation(invitation))

    def _send_first(self, now: float) -> None:
        assert self.session is not None
        self.due_at = self.beat_due
        self.beat_due = now + self.retransmission
        self.unanswered = 1
        self.sent_at = now
        self.sequence += 1
        self._effects.append(SendHeartbeat(self.attempt, self.sequence, self.session))

    def _attempt_times_out(self, event: Event, now: float, timed_out: bool) -> None:
        if not timed_out:
            self.beat_due = now + self.config.probe_interval
            self._send_heartbeat(self.session, now)
        elif self._exhausted():
            self._drop_attempt()
            self._count_failed_attempt()
            self._give_up(event, now, "No answer in time, and it was the last attempt allowed.")
        elif self.socket_ready:
            self.silent_attempts += 1
            over = "the attempt is over, and the next has more time."
            self._attempt_fails(event, now, "The session's server answers no heartbeat", over)
        elif self.session is not None:
            self._attempt_fails(event, now, "The socket takes too long to open")
        else:
            self._drop_attempt()
            self._count_failed_attempt()
            self.late_sign_in = self.attempt
            self._back_off(now)
            self._plan_probe(now)
            self._change(event, now, BACKOFF, "The sign-in takes too long; the attempt is over.")

    # Leaving ----------------------------------------------------------------------------------------------------------

    def _leave(self, event: Event, now: float, reason: str, lost: bool = False) -> None:
        if self.doubtful is not None:
            self.session, self.doubtful = self.doubtful, None
            self.attempt += 1
        self.beat_due = NEVER
        if self.session is None:
            self.timeout_at = now
        else:
            self.timeout_at = now + self.config.sign_out_timeout
            self._effects.append(SignOut(self.attempt, self.session))
        self._change(event, now, STOPPING, reason, lost)

    def _come_to_rest(self, event: Event, now: float, reason: str) -> None:
        self.session = None
        self.timeout_at = NEVER
        self._change(event, now, OFFLINE, reason)


def doubled(initial: float, times: int, maximum: float) -> float:
    return min(initial * 2.0 ** min(times - 1, 1000), maximum)
