"""What the chart's actions do, under the names that `agentcp_fsm.lifecycle.glossary` explains."""

from __future__ import annotations

from agentcp_fsm.lifecycle.effects import (
    AbandonSignIn,
    AnswerInvitation,
    CloseSocket,
    ConfirmSession,
    DeliverInvitation,
    OpenSocket,
    ReportError,
    SendHeartbeat,
    SignIn,
    SignOut,
)
from agentcp_fsm.lifecycle.events import BeatAnswered, Event, Invited, SignedIn, SignInFailed
from agentcp_fsm.lifecycle.guards import Guards
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.lifecycle.statistics import LOSS_GAIN
from agentcp_fsm.lifecycle.variables import NEVER

CAUSES = {"unauthorized": "the server does not know the session (401)", "deadline_passed": "the time is over"}
"""Why an attempt failed, where its event has no reason."""
NEXT_BEAT_MAX = 2**64  # milliseconds; no wire carries more


class Actions(Guards):
    """They change variables and ask for effects."""

    __slots__ = ()

    # The attempt ------------------------------------------------------------------------------------------------------

    def begin_anew(self, event: Event, now: float) -> None:
        config = self.config
        self.failures = self.refusals = self.silent_attempts = 0
        self.was_online = self.restart_wanted = self.repeated = False
        self.session = self.doubtful = None
        self._invitations = None
        self.next_beat = 0
        self.interval = config.interval_min
        self.round_trip = -1.0
        self.retransmission_max = min(self.interval, config.silence_timeout)
        self.retransmission_min = config.retransmission_min * (1 + config.retransmission_spread * self.random.random())
        self.retransmission = min(self.retransmission_min, self.retransmission_max)

    def begin_sign_in(self, event: Event, now: float) -> None:
        self.attempt += 1
        self.late_sign_in = None
        self.statistics.attempts += 1
        self.not_before = now + self.config.sign_in_interval_min
        self.beat_due = NEVER
        self.timeout_at = now + self.config.sign_in_timeout
        patience = _prolonged(self.config.connect_timeout, self.failures, self.config.connect_timeout_max)
        self._effects.append(SignIn(self.attempt, patience))

    def expect_late_sign_in(self, event: Event, now: float) -> None:
        self.late_sign_in = self.attempt

    def forgo_late_sign_in(self, event: Event, now: float) -> None:
        self.late_sign_in = None

    def drop_attempt(self, event: Event, now: float) -> None:
        if self.socket_open:
            self._close_socket()
        else:
            self._effects.append(AbandonSignIn(self.attempt))
        self.beat_due = NEVER

    def _close_socket(self) -> None:
        self._effects.append(CloseSocket(self.attempt))
        self.socket_open = self.socket_ready = False
        self.unanswered = self.send_failures = self.receive_failures = 0

    def doubt_session(self, event: Event, now: float) -> None:
        self.doubtful, self.session = self.session, None
        self.probes = 0

    def forget_session(self, event: Event, now: float) -> None:
        self.session = self.doubtful = None

    def take_session(self, event: SignedIn, now: float) -> None:
        self.session, self.doubtful = event.session, None
        self.timeout_at = now + self.config.socket_timeout
        self._open_socket(event.session)

    def take_late_session(self, event: SignedIn, now: float) -> None:
        self.attempt += 1  # its own number may be older than a probe's
        self.late_sign_in = None
        self.beat_due = NEVER
        self.take_session(event, now)

    def _open_socket(self, session: Session) -> None:
        self.socket_open = True
        self._effects.append(OpenSocket(self.attempt, session))

    def prove_session(self, event: Event, now: float) -> None:
        self.socket_ready = True
        allowed = self.config.probe_limit * self.config.probe_interval
        self.timeout_at = now + _prolonged(allowed, self.silent_attempts, self.config.probe_time_max)
        self.prove_again(event, now)

    def prove_again(self, event: Event, now: float) -> None:
        self.beat_due = now + self.config.probe_interval
        self._send_heartbeat(self.session, now)

    def allow_more_time(self, event: Event, now: float) -> None:
        self.silent_attempts += 1

    def come_online(self, event: Event, now: float) -> None:
        self.silent_attempts = 0
        self.was_online = True
        self.online_since = now
        self.statistics.times_online += 1

    def note_degraded(self, event: Event, now: float) -> None:
        self.online_until = now

    def confirm_session(self, event: Event, now: float) -> None:
        assert self.session is not None
        self._effects.append(ConfirmSession(self.session))

    # Probes -----------------------------------------------------------------------------------------------------------

    def plan_probe(self, event: Event, now: float) -> None:
        self.beat_due = NEVER if self.doubtful is None else max(now, self.sent_at + self._probe_gap())

    def open_probe(self, event: Event, now: float) -> None:
        assert self.doubtful is not None
        self.attempt += 1
        self.probes += 1
        self.statistics.probes += 1
        self.beat_due = now + self._probe_gap()
        self._open_socket(self.doubtful)

    def send_probe(self, event: Event, now: float) -> None:
        self.socket_ready = True
        self.beat_due = now + self._probe_gap()
        self._send_heartbeat(self.doubtful, now)

    def _probe_gap(self) -> float:
        """Seconds from one probe to the next; none before the first."""
        gap = max(_doubled(self.config.probe_interval, self.probes, self.interval), self.retransmission)
        return gap if self.probes else 0.0

    def close_probe(self, event: Event, now: float) -> None:
        if self.socket_open:
            self._close_socket()

    def recall_session(self, event: Event, now: float) -> None:
        self.session, self.doubtful = self.doubtful, None

    # Heartbeats -------------------------------------------------------------------------------------------------------
    # Every beat runs the first two: comparisons, where `min` and `max` would take half of their time.

    def send_heartbeat(self, event: Event, now: float) -> None:
        assert self.session is not None
        self.due_at = self.beat_due
        self.beat_due = now + self.retransmission  # silence is not noticed before: only a repetition needs its time
        self.unanswered = 1
        self.sent_at = now
        self.sequence += 1
        self._effects.append(SendHeartbeat(self.attempt, self.sequence, self.session))

    def note_answer(self, event: BeatAnswered, now: float) -> None:
        if event.next_beat != self.next_beat:
            self._note_next_beat(event.next_beat)
        statistics, unanswered = self.statistics, self.unanswered
        self.unanswered = self.send_failures = self.receive_failures = 0
        self.answered_at = now
        if unanswered == 1:  # RFC 6298, 2.2 to 2.4; whatever was repeated tells nothing (Karn)
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
        elif self.repeated:  # a second answer: the repetition was needless, the first was only slow
            self.repeated = False
            self.retransmission = min(2 * self.retransmission, self.retransmission_max)
        beat_due = self.sent_at + self.interval
        self.beat_due = beat_due if beat_due > now else now
        self.timeout_at = NEVER
        statistics.answers += 1
        if statistics.loss_rate:
            statistics.loss_rate -= statistics.loss_rate * LOSS_GAIN

    def _note_next_beat(self, milliseconds: int) -> None:
        config = self.config
        self.next_beat = min(max(milliseconds, 0), NEXT_BEAT_MAX)  # an integer may be too large for a float
        self.interval = min(max(self.next_beat / 1000, config.interval_min), config.interval_max)
        self.retransmission_max = min(self.interval, config.silence_timeout)
        self.retransmission = min(max(self.retransmission, self.retransmission_min), self.retransmission_max)

    def repeat_heartbeat(self, event: Event, now: float) -> None:
        if self.unanswered == 1:
            self.timeout_at = self.silent_at()
        self.beat_due = now + self.retransmission
        self._send_heartbeat(self.session, now)

    def _send_heartbeat(self, session: Session | None, now: float) -> None:
        assert session is not None
        if self.unanswered:
            self.statistics.note_missed()
        self.unanswered += 1
        self.sent_at = now
        self.sequence += 1
        self._effects.append(SendHeartbeat(self.attempt, self.sequence, session))

    def note_sent(self, event: Event, now: float) -> None:
        self.send_failures = 0
        self.statistics.heartbeats += 1

    def note_send_failure(self, event: Event, now: float) -> None:
        self.send_failures += 1
        self.failed_at = now
        self.count_send_failure(event, now)

    def count_send_failure(self, event: Event, now: float) -> None:
        self.statistics.send_failures += 1

    def retry_proof(self, event: Event, now: float) -> None:
        self.beat_due = min(self.beat_due, now + self._send_retry())

    def retry_heartbeat(self, event: Event, now: float) -> None:
        self.beat_due = max(min(self.sent_at + self.interval, now + self._send_retry()), now)
        if self.unanswered == 1:
            self.timeout_at = self.silent_at()

    def _send_retry(self) -> float:
        return _doubled(self.config.send_retry_initial, self.send_failures, self.config.send_retry_max)

    def note_receive_failure(self, event: Event, now: float) -> None:
        self.receive_failures += 1
        self.failed_at = now
        self.count_receive_failure(event, now)

    def count_receive_failure(self, event: Event, now: float) -> None:
        self.statistics.receive_failures += 1

    # Invitations ------------------------------------------------------------------------------------------------------

    def answer_invitation(self, event: Invited, now: float) -> None:
        session = self.session or self.doubtful
        assert session is not None
        self.receive_failures = 0  # something was received: the failures are not consecutive
        self.sequence += 1
        self._effects.append(AnswerInvitation(self.attempt, self.sequence, session, event.invitation))

    def deliver_invitation(self, event: Invited, now: float) -> None:
        config = self.config
        known = {} if self._invitations is None else self._invitations
        known.pop(event.invitation, None)
        known[event.invitation] = now
        while known and (
            len(known) > config.invitation_memory or now - next(iter(known.values())) >= config.invitation_window
        ):
            del known[next(iter(known))]
        self._invitations = known or None
        self.statistics.invitations += 1
        self._effects.append(DeliverInvitation(event.invitation))

    # Waiting ----------------------------------------------------------------------------------------------------------

    def heed_retry_after(self, event: SignInFailed, now: float) -> None:
        if event.retry_after is not None and event.retry_after > 0:
            self.not_before = max(self.not_before, now + min(event.retry_after, self.config.retry_after_max))

    def back_off(self, event: Event, now: float) -> None:
        self._back_off(now, 0.0)

    def back_off_rejected(self, event: Event, now: float) -> None:
        self._back_off(now, self.config.backoff_max)

    def back_off_refused(self, event: Event, now: float) -> None:
        self._back_off(now, self.config.flapping_wait)

    def _back_off(self, now: float, at_least: float) -> None:
        # The random part comes on top of what must be waited anyway: clients that must all wait for the same time do
        # not all return at its end.  The cap holds for the sum, as long as that leaves a random part worth its name.
        config = self.config
        earliest = max(self.not_before, now + at_least)
        floor = earliest - now
        window = _doubled(config.backoff_initial, max(self.failures, 1), config.backoff_max)  # a 401 may be no failure
        window = min(window, max(config.backoff_max - floor, floor))
        self.timeout_at = earliest + window * (1 - config.backoff_jitter * self.random.random())

    def wait_minimum(self, event: Event, now: float) -> None:
        self.timeout_at = max(self.not_before, now)

    def spread(self, event: Event, now: float) -> None:
        self.timeout_at += self.config.unauthorized_spread * self.random.random()

    def end_wait_early(self, event: Event, now: float) -> None:
        self.timeout_at = min(self.timeout_at, self.not_before)

    # Leaving ----------------------------------------------------------------------------------------------------------

    def sign_out(self, event: Event, now: float) -> None:
        if self.doubtful is not None:
            self.recall_session(event, now)
            self.attempt += 1  # a sign-in abandoned just now has the number before
        self.beat_due = NEVER
        if self.session is None:
            self.timeout_at = now
        else:
            self.timeout_at = now + self.config.sign_out_timeout
            self._effects.append(SignOut(self.attempt, self.session))

    def sign_out_late(self, event: SignedIn, now: float) -> None:
        self.statistics.stale += 1
        self._effects.append(SignOut(event.attempt, event.session))

    def want_restart(self, event: Event, now: float) -> None:
        self.restart_wanted = True

    def cancel_restart(self, event: Event, now: float) -> None:
        self.restart_wanted = False

    def come_to_rest(self, event: Event, now: float) -> None:
        self.session = None
        self.timeout_at = NEVER

    # Reporting and counting -------------------------------------------------------------------------------------------

    def report_error(self, event: Event, now: float) -> None:
        self._effects.append(ReportError(event.reason))

    def report_refusals(self, event: Event, now: float) -> None:
        self._effects.append(
            ReportError(
                f"the server forgot {self.refusals} sessions in a row, each soon after it had answered: another copy "
                "of this agent may be signing in; stop all copies but one"
            )
        )

    def report_giving_up(self, event: Event, now: float) -> None:
        cause = event.reason or CAUSES.get(event.trigger, "no reason is known")
        times = f"{self.failures} attempt{'' if self.failures == 1 else 's'}"
        self._effects.append(ReportError(f"gave up after {times}: {cause}"))

    def note_failed_attempt(self, event: Event, now: float) -> None:
        self.failures += 1
        self.statistics.failed_attempts += 1

    def note_loss(self, event: Event, now: float) -> None:
        self.statistics.losses += 1
        self._lost = True
        if self.online_lasted(event, now):
            self.failures = 0

    def note_early_loss(self, event: Event, now: float) -> None:
        if not self.online_lasted(event, now):
            self.note_failed_attempt(event, now)

    def note_refusal(self, event: Event, now: float) -> None:
        self.refusals = self.refusals + 1 if self._ended_soon(now) else 0

    def end_refusals(self, event: Event, now: float) -> None:
        self.refusals = 0

    def count_ignored(self, event: Event, now: float) -> None:
        self.statistics.ignored += 1

    def count_stale(self, event: Event, now: float) -> None:
        self.statistics.stale += 1

    def count_malformed(self, event: Event, now: float) -> None:
        self.statistics.malformed += 1

    def count_duplicate(self, event: Event, now: float) -> None:
        self.statistics.duplicates += 1


def _doubled(initial: float, times: int, maximum: float) -> float:
    """`initial`, doubled with each of `times` but the first, at most `maximum`."""
    return min(initial * 2.0 ** min(times - 1, 1000), maximum)


def _prolonged(usual: float, failures: int, maximum: float) -> float:
    """`usual`, doubled with each failure, at most `maximum`, but never below `usual` (rule 2)."""
    return max(usual, _doubled(usual, failures + 1, maximum))
