"""The machine: what the chart's guards ask and its actions do.  No input, no output, no clock, no thread in here.

Feed it an event and the time, carry out the effects it returns, and wake it when its deadline passes:

    machine = Lifecycle(Config(), random.Random())
    for effect in machine.handle(Start(), now):
        ...
    # no later than machine.deadline:
    machine.handle(DeadlinePassed(), now)

Which state follows which event is decided in `agentcp_fsm.lifecycle.chart` and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from agentcp_fsm.fsm.chart import Row
from agentcp_fsm.lifecycle.chart import CHART, State
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
    Event,
    Invited,
    SignedIn,
    SignedOut,
    SignInFailed,
    SocketFailed,
    SocketOpened,
)
from agentcp_fsm.lifecycle.session import Invitation, Session

if TYPE_CHECKING:
    from random import Random

NEVER = math.inf
"""The deadline of a machine that waits for nothing."""
NEXT_BEAT_MAX = 2**64
"""Milliseconds; no wire carries more."""


@dataclass(slots=True)
class Statistics:
    """What was counted since the machine was made.  Nothing in the machine depends on it."""

    attempts: int = 0
    """Sign-ins begun."""
    failed_attempts: int = 0
    times_online: int = 0
    losses: int = 0
    """Times that a proven connection was lost."""
    heartbeats: int = 0
    """Heartbeats handed to the network."""
    answers: int = 0
    send_failures: int = 0
    receive_failures: int = 0
    invitations: int = 0
    """Invitations delivered."""
    duplicates: int = 0
    """Invitations that had been delivered before."""
    malformed: int = 0
    stale: int = 0
    """Events of an earlier attempt."""
    ignored: int = 0
    """Other events that had no meaning in their state."""
    last_loss: ReportTransition | None = None
    """How the connection was lost the last time, and why."""


class Snapshot(NamedTuple):
    """The whole state of a machine, as a value: equal snapshots behave equally from there on."""

    state: State
    now: float
    attempt: int
    attempts: int
    was_online: bool
    restart_wanted: bool
    not_before: float
    session: Session | None
    socket_ready: bool
    sequence: int
    interval: float
    sent_at: float
    answered_at: float
    unanswered: int
    send_failures: int
    receive_failures: int
    beat_due: float
    timeout_at: float
    known_invitations: tuple[Invitation, ...]


class Lifecycle:
    """One connection's machine (lifecycle, "Rules").

    `random` is used for jitter only, and may be shared: it is the caller's.
    """

    __slots__ = (
        "_effects",
        "_invitations",
        "_lost",
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

    step: Callable[..., Row]
    """How an event meets the chart: see `agentcp_fsm.fsm.step.Step`."""

    def __init__(self, config: Config, random: Random) -> None:
        self.config = config
        self.random = random
        self.statistics = Statistics()
        self.state = State.OFFLINE
        self.now = -math.inf
        """When the last event was handled: time never runs backwards in here."""
        self.attempt = 0
        """The number of the present or last attempt; what carries another belongs to an earlier one."""
        self.attempts = 0
        """Attempts begun since the connection was started or last ONLINE."""
        self.was_online = False
        self.restart_wanted = False
        self.not_before = -math.inf
        """The earliest time of the next sign-in."""
        self.session: Session | None = None
        self.socket_ready = False
        self.sequence = 0
        """MessageSeq of the last datagram."""
        self.interval = 0.0
        """Seconds between heartbeats."""
        self.sent_at = -math.inf
        """When the last heartbeat was sent."""
        self.answered_at = -math.inf
        """When the last answer came."""
        self.unanswered = 0
        """Heartbeats sent since the last answer."""
        self.send_failures = 0
        self.receive_failures = 0
        self.beat_due = NEVER
        """When the next heartbeat leaves."""
        self.timeout_at = NEVER
        """When what the state waits for is overdue."""
        self._invitations: dict[Invitation, None] | None = None
        self._effects: list[Effect] = []
        self._lost = False
        """Whether the row that is being taken has lost the connection."""

    # What surrounds the machine calls ---------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """When the machine must be told `DeadlinePassed`, if nothing comes before; NEVER in OFFLINE.

        Never before the time of the last event: what is overdue then is due at once (lifecycle, S10).
        """
        due = self.beat_due if self.beat_due < self.timeout_at else self.timeout_at
        return due if due > self.now else self.now

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event at the time `now` (seconds of a monotonic clock) and return what is to be done, in order.

        Never raises: an event without meaning in the present state is counted and has no effect.  A `now` before that
        of an earlier event counts as that event's.
        """
        if not now > self.now:
            now = self.now
        self.now = now
        effects = self._effects = []
        source = self.state
        row = self.step(event.trigger, event, now)
        if row.dest is not None:
            transition = ReportTransition(
                source, self.state, event.trigger, row.reason, self._detail(event, now), now, self._lost
            )
            effects.append(transition)
            if self._lost:
                self.statistics.last_loss = transition
                self._lost = False
        return effects

    def _detail(self, event: Event, now: float) -> str:
        """What went wrong, and of a wait when the next try is."""
        if self.state is not State.BACKOFF:
            return event.reason
        next_try = f"next try in {self.timeout_at - now:.1f} s"
        return f"{event.reason}; {next_try}" if event.reason else next_try

    def snapshot(self) -> Snapshot:
        """The machine's whole state as a value that can be kept, compared and hashed."""
        return Snapshot(*_read_state(self))

    def restore(self, snapshot: Snapshot) -> None:
        """Put the machine into the state of a snapshot; configuration, random source and statistics stay."""
        for name in Snapshot._fields:
            if name != "known_invitations":
                setattr(self, name, getattr(snapshot, name))
        self._invitations = dict.fromkeys(snapshot.known_invitations) or None

    @property
    def known_invitations(self) -> tuple[Invitation, ...]:
        """The invitations that would not be delivered again, the oldest first."""
        return tuple(self._invitations or ())

    # Guards -----------------------------------------------------------------------------------------------------------

    def deadline_reached(self, event: Event, now: float) -> bool:
        return now >= self.beat_due or now >= self.timeout_at

    def timed_out(self, event: Event, now: float) -> bool:
        return now >= self.timeout_at

    def beat_was_answered(self, event: Event, now: float) -> bool:
        return self.unanswered == 0

    def session_in_hand(self, event: Event, now: float) -> bool:
        return self.session is not None

    def sign_in_awaited(self, event: SignedIn | SignInFailed, now: float) -> bool:
        return event.attempt == self.attempt and self.session is None

    def socket_awaited(self, event: SocketOpened, now: float) -> bool:
        return event.attempt == self.attempt and self.session is not None and not self.socket_ready

    def socket_in_hand(self, event: SocketFailed, now: float) -> bool:
        return event.attempt == self.attempt and self.session is not None

    def socket_in_use(self, event: BeatAnswered, now: float) -> bool:
        return event.attempt == self.attempt and self.socket_ready

    def sign_out_awaited(self, event: SignedOut, now: float) -> bool:
        return event.attempt == self.attempt and self.session is not None

    def rejected(self, event: SignInFailed, now: float) -> bool:
        return event.rejected

    def send_failures_exhausted(self, event: Event, now: float) -> bool:
        return self.send_failures + 1 >= self.config.send_failure_limit

    def receive_failures_exhausted(self, event: Event, now: float) -> bool:
        return self.receive_failures + 1 >= self.config.receive_failure_limit

    def sign_out_failed(self, event: SignedOut, now: float) -> bool:
        return bool(event.reason)

    def attempts_exhausted(self, event: Event, now: float) -> bool:
        limit = self.config.sign_in_attempt_limit
        return limit is not None and self.attempts >= limit

    def sign_in_too_soon(self, event: Event, now: float) -> bool:
        return now < self.not_before

    def spread_configured(self, event: Event, now: float) -> bool:
        return self.config.unauthorized_spread > 0

    def invitation_known(self, event: Invited, now: float) -> bool:
        return self._invitations is not None and event.invitation in self._invitations

    # Actions: the attempt ---------------------------------------------------------------------------------------------

    def begin_anew(self, event: Event, now: float) -> None:
        self.attempts = 0
        self.was_online = False
        self.restart_wanted = False
        self._invitations = None

    def begin_sign_in(self, event: Event, now: float) -> None:
        self.session = None
        self.attempt += 1
        self.attempts += 1
        self.statistics.attempts += 1
        self.not_before = now + self.config.sign_in_interval_min
        self.timeout_at = now + self.config.sign_in_timeout
        self._effects.append(SignIn(self.attempt))

    def drop_attempt(self, event: Event, now: float) -> None:
        if self.session is None:
            self._effects.append(AbandonSignIn(self.attempt))
        else:
            self._effects.append(CloseSocket(self.attempt))
        self.socket_ready = False
        self.unanswered = self.send_failures = self.receive_failures = 0
        self.beat_due = NEVER

    def forget_session(self, event: Event, now: float) -> None:
        self.session = None

    def take_session(self, event: SignedIn, now: float) -> None:
        self.session = event.session
        self.timeout_at = now + self.config.socket_timeout
        self._effects.append(OpenSocket(self.attempt, event.session))

    def prove_session(self, event: Event, now: float) -> None:
        self.socket_ready = True
        self.interval = self.config.probe_interval
        self.send_heartbeat(event, now)
        self.timeout_at = now + self.config.probe_limit * self.interval

    def come_online(self, event: Event, now: float) -> None:
        self.attempts = 0
        self.was_online = True
        self.statistics.times_online += 1

    def confirm_session(self, event: Event, now: float) -> None:
        assert self.session is not None
        self._effects.append(ConfirmSession(self.session))

    # Actions: heartbeats ----------------------------------------------------------------------------------------------
    # Every beat runs the first two: comparisons, where `min` and `max` would take half of their time.

    def send_heartbeat(self, event: Event, now: float) -> None:
        assert self.session is not None
        beat_due = self.beat_due = now + self.interval
        if self.unanswered == 0:
            # Silence is measured from the last answer, but a heartbeat always has one interval to be answered: after a
            # time in which the process was suspended, the first one finds out how things are (rule 12).
            silent_at = self.answered_at + self.config.silence_limit * self.interval
            self.timeout_at = silent_at if silent_at > beat_due else beat_due
        self.unanswered += 1
        self.sent_at = now
        self.sequence += 1
        self._effects.append(SendHeartbeat(self.attempt, self.sequence, self.session))

    def note_answer(self, event: BeatAnswered, now: float) -> None:
        self.unanswered = self.send_failures = self.receive_failures = 0
        self.answered_at = now
        milliseconds = event.next_beat
        if not 0 <= milliseconds <= NEXT_BEAT_MAX:  # an integer may be too large for a float
            milliseconds = min(max(milliseconds, 0), NEXT_BEAT_MAX)
        interval = milliseconds / 1000
        if interval < self.config.interval_min:
            interval = self.config.interval_min
        elif interval > self.config.interval_max:
            interval = self.config.interval_max
        self.interval = interval
        beat_due = self.sent_at + interval
        self.beat_due = beat_due if beat_due > now else now
        self.timeout_at = NEVER
        self.statistics.answers += 1

    def note_sent(self, event: Event, now: float) -> None:
        self.send_failures = 0
        self.statistics.heartbeats += 1

    def note_send_failure(self, event: Event, now: float) -> None:
        self.send_failures += 1
        self.statistics.send_failures += 1
        retry = _doubled(self.config.send_retry_initial, self.send_failures, self.config.send_retry_max)
        self.beat_due = min(self.beat_due, now + retry)

    def note_receive_failure(self, event: Event, now: float) -> None:
        self.receive_failures += 1
        self.statistics.receive_failures += 1

    # Actions: invitations ---------------------------------------------------------------------------------------------

    def answer_invitation(self, event: Invited, now: float) -> None:
        assert self.session is not None
        self.receive_failures = 0  # something was received: the failures are not consecutive
        self.sequence += 1
        self._effects.append(AnswerInvitation(self.attempt, self.sequence, self.session, event.invitation))

    def deliver_invitation(self, event: Invited, now: float) -> None:
        known = self._invitations = {} if self._invitations is None else self._invitations
        known[event.invitation] = None
        if len(known) > self.config.invitation_memory:
            del known[next(iter(known))]
        self.statistics.invitations += 1
        self._effects.append(DeliverInvitation(event.invitation))

    # Actions: waiting -------------------------------------------------------------------------------------------------

    def heed_retry_after(self, event: SignInFailed, now: float) -> None:
        if event.retry_after is not None and event.retry_after > 0:
            self.not_before = max(self.not_before, now + min(event.retry_after, self.config.retry_after_max))

    def heed_rejection(self, event: Event, now: float) -> None:
        self.not_before = max(self.not_before, now + self.config.backoff_max)

    def back_off(self, event: Event, now: float) -> None:
        # The random part comes on top of what must be waited anyway: clients that must all wait for the same time do
        # not all return at its end.  The cap holds for the sum, as long as that leaves a random part worth its name.
        earliest = max(self.not_before, now)
        floor = earliest - now
        window = _doubled(self.config.backoff_initial, self.attempts, self.config.backoff_max)
        window = min(window, max(self.config.backoff_max - floor, floor))
        self.timeout_at = earliest + window * (1 - self.config.backoff_jitter * self.random.random())

    def wait_minimum(self, event: Event, now: float) -> None:
        self.timeout_at = self.not_before

    def wait_spread(self, event: Event, now: float) -> None:
        self.timeout_at = max(self.not_before, now) + self.config.unauthorized_spread * self.random.random()

    def end_wait_early(self, event: Event, now: float) -> None:
        self.timeout_at = min(self.timeout_at, self.not_before)

    # Actions: leaving -------------------------------------------------------------------------------------------------

    def sign_out(self, event: Event, now: float) -> None:
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

    # Actions: telling -------------------------------------------------------------------------------------------------

    def report_error(self, event: Event, now: float) -> None:
        self._effects.append(ReportError(event.reason))

    def report_giving_up(self, event: Event, now: float) -> None:
        cause = f": {event.reason}" if event.reason else ""
        self._effects.append(ReportError(f"gave up after {self.attempts} attempts{cause}"))

    def note_failed_attempt(self, event: Event, now: float) -> None:
        self.statistics.failed_attempts += 1

    def note_loss(self, event: Event, now: float) -> None:
        self.statistics.losses += 1
        self._lost = True

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


Lifecycle.step = CHART.compile(Lifecycle, arity=2)
_read_state: Callable[[Lifecycle], Any] = attrgetter(*Snapshot._fields)
