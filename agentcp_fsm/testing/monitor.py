"""An observer of one machine that knows the specification and nothing of the machine's inside.

It sees what the world sees: each event, the time, the effects, and then the state and the deadline.  From that alone it
keeps its own books (which socket is open, which sign-in is in flight, what was answered when) and holds the machine to
the invariants S1 to S10 (lifecycle, "Invariants"), so it cannot agree with the machine's own mistakes.

    watched = Watched(Lifecycle(Config(), Random(1)))
    watched.handle(Start(), 0.0)  # raises InvariantError when an invariant does not hold
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from agentcp_fsm.errors import InvariantError
from agentcp_fsm.lifecycle.chart import ALIVE, BACKOFF, CONNECTING, OFFLINE, ONLINE, SERVING, STOPPING
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
    ReceiveFailed,
    Reconnect,
    RetryNow,
    SendFailed,
    SignedIn,
    SignedOut,
    SignInFailed,
    SocketOpened,
    Start,
    Stop,
    Unauthorized,
)
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation, Session

LEAVING = (AbandonSignIn, CloseSocket, SignOut, ReportTransition, ReportError)
"""The effects that S9 allows after stop."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One step, as it looks from outside."""

    number: int
    """1 for the first."""
    event: Event
    now: float
    source: str
    effects: tuple[Effect, ...]
    state: str
    deadline: float

    def __str__(self) -> str:
        effects = "".join(f"\n      {effect!r}" for effect in self.effects)
        return (
            f"{self.number:5} at {self.now!r}: {self.event!r}: {self.source} → {self.state}, "
            f"deadline {self.deadline!r}{effects}"
        )


class Monitor:
    """Holds one machine of the given `config` to the specification; `tail` steps are kept for the error's text.

    It observes from the machine's first event on.
    """

    def __init__(self, config: Config, *, tail: int = 12) -> None:
        self.config = config
        self.history: deque[Observation] = deque(maxlen=tail)
        self._steps = 0
        self._now = -math.inf
        self._state: str = OFFLINE
        self._entered_at = -math.inf
        self._deadline = math.inf
        # What the application asked for last.
        self._stopped = True
        self._restart = False
        # Sign-ins and sign-outs
        self._attempts = 0
        """Sign-ins since the connection was started or last ONLINE."""
        self._last_sign_in = 0
        """The highest attempt number so far."""
        self._sign_in: int | None = None
        """The sign-in in flight."""
        self._sign_in_at = -math.inf
        self._sign_outs: set[int] = set()
        self._retry_after_until = -math.inf
        self._session: Session | None = None
        # The socket
        self._socket: int | None = None
        self._socket_at = -math.inf
        self._socket_ready_at: float | None = None
        self._send_failures = 0
        self._send_failed_at: float | None = None
        """When the last send failed, until the next is tried."""
        self._receive_failures = 0
        # Datagrams
        self._sequence = 0
        self._sent_at = -math.inf
        self._unanswered_since: float | None = None
        """When the first heartbeat since the last answer left."""
        self._answered_at = -math.inf
        self._interval = math.inf
        self._delivered: deque[Invitation] = deque(maxlen=config.invitation_memory)

    def observe(self, event: Event, now: float, effects: Iterable[Effect], state: str, deadline: float) -> None:
        """Take one step of the machine into the books.  Raises InvariantError where an invariant does not hold."""
        now = now if now > self._now else self._now  # rule 12: time is monotonic
        self._steps += 1
        source, self._now = self._state, now
        step = Observation(self._steps, event, now, source, tuple(effects), state, deadline)
        self.history.append(step)
        proven = isinstance(event, BeatAnswered) and self._is_of_open_socket(event)

        self._note_event(event, source, now)
        for effect in step.effects:
            self._note_effect(effect, step)
        self._check_giving_up(step)
        if state != source:
            self._entered_at = now
        if state in SERVING and source not in SERVING:
            self._require(proven and state == ONLINE, "rule", "ONLINE is entered by an answer only")
        elif state == ONLINE and source != ONLINE:
            self._require(proven, "rule", "ONLINE is entered by an answer only")
        if state == ONLINE:
            self._attempts = 0

        self._check_reports(step)
        self._check_resources(state)
        self._check_failures(state)
        self._check_leaving(step)
        self._check_deadline(step)
        if state == BACKOFF:
            self._check_backoff(step)
        if isinstance(event, DeadlinePassed) and state in SERVING and self._unanswered_since is not None:
            patience = self.config.silence_limit * self._interval
            lost_at = max(self._answered_at + patience, self._unanswered_since + self._interval)
            self._require(now < lost_at, "L3", f"the server has been silent too long: lost at {lost_at!r}")
        self._state, self._deadline = state, deadline

    # The books --------------------------------------------------------------------------------------------------------

    def _is_of_open_socket(self, event: BeatAnswered | BeatSent | SendFailed | ReceiveFailed | Invited) -> bool:
        return self._socket is not None and event.attempt == self._socket and self._socket_ready_at is not None

    def _note_event(self, event: Event, source: str, now: float) -> None:
        match event:
            case Start():
                self._restart = source == STOPPING
                self._stopped = self._stopped and source == STOPPING
                if source == OFFLINE:
                    self._begin_anew()
            case Stop():
                self._stopped, self._restart = True, False
            case SignedIn(attempt, session) if attempt == self._sign_in:
                self._sign_in, self._session = None, session
            case SignInFailed(attempt, _, retry_after) if attempt == self._sign_in:
                self._sign_in = None
                if retry_after is not None and retry_after > 0:
                    self._retry_after_until = now + min(retry_after, self.config.retry_after_max)
            case SignedOut(attempt):
                self._sign_outs.discard(attempt)
            case SocketOpened(attempt) if attempt == self._socket and self._socket_ready_at is None:
                self._socket_ready_at = now
                self._interval = self.config.probe_interval
            case BeatSent() if self._is_of_open_socket(event):
                self._send_failures = 0
            case SendFailed() if self._is_of_open_socket(event):
                self._send_failures += 1
                self._send_failed_at = now
            case ReceiveFailed() if self._is_of_open_socket(event):
                self._receive_failures += 1
            case Invited() if self._is_of_open_socket(event):
                self._receive_failures = 0
            case BeatAnswered() if self._is_of_open_socket(event):
                self._send_failures = self._receive_failures = 0
                self._answered_at, self._unanswered_since = now, None
                if event.next_beat <= self.config.interval_min * 1000:
                    self._interval = self.config.interval_min
                elif event.next_beat >= self.config.interval_max * 1000:
                    self._interval = self.config.interval_max
                else:
                    self._interval = event.next_beat / 1000
            case _:
                pass

    def _begin_anew(self) -> None:
        self._attempts = 0
        self._retry_after_until = -math.inf
        self._delivered.clear()

    def _note_effect(self, effect: Effect, step: Observation) -> None:
        now = step.now
        match effect:
            case SignIn(attempt):
                self._require(self._sign_in is None, "S2", f"sign-in {self._sign_in} is in flight")
                self._require(attempt > self._last_sign_in, "S2", f"attempt {attempt} is not a new one")
                by_application = isinstance(step.event, Start)
                if step.source == STOPPING and self._restart:
                    by_application, self._restart, self._stopped = True, False, False
                    self._begin_anew()
                if not by_application:
                    earliest = self._sign_in_at + self.config.sign_in_interval_min
                    self._require(now >= earliest, "S7", f"no sign-in before {earliest!r}")
                    self._require(now >= self._retry_after_until, "S8", "the server asked to wait longer")
                self._sign_in = self._last_sign_in = attempt
                self._sign_in_at = now
                self._session = None
                self._attempts += 1
            case AbandonSignIn(attempt):
                self._require(attempt == self._last_sign_in, "S2", f"sign-in {attempt} is not the last one")
                if attempt == self._sign_in:
                    self._sign_in = None
            case OpenSocket(attempt, session):
                self._require(self._socket is None, "S3", f"socket {self._socket} is still open")
                self._require(session == self._session, "S4", "the socket is not the present session's")
                self._require(attempt == self._last_sign_in, "S4", f"attempt {attempt} is not the present one")
                self._socket, self._socket_at = attempt, now
            case CloseSocket(attempt):
                self._require(self._socket is not None, "S3", "no socket is open")
                self._require(attempt == self._socket, "S3", f"socket {self._socket} is the open one")
                self._require(step.effects[0] == effect, "rule", "rule 5: a socket is closed before anything else")
                self._socket = self._socket_ready_at = self._unanswered_since = None
                self._send_failures = self._receive_failures = 0
            case SendHeartbeat(attempt, sequence, session):
                self._check_datagram(attempt, sequence, session)
                self._sent_at, self._send_failed_at = now, None
                if self._unanswered_since is None:
                    self._unanswered_since = now
            case AnswerInvitation(attempt, sequence, session, invitation):
                self._check_datagram(attempt, sequence, session)
                asked = isinstance(step.event, Invited) and step.event.invitation == invitation
                self._require(asked, "rule", "rule 10: an invitation is answered when it arrives")
            case DeliverInvitation(invitation):
                asked = isinstance(step.event, Invited) and step.event.invitation == invitation
                self._require(asked, "rule", "rule 10: an invitation is delivered when it arrives")
                self._require(invitation not in self._delivered, "rule", "rule 10: it is delivered once")
                self._delivered.append(invitation)
            case SignOut(attempt):
                self._sign_outs.add(attempt)
            case ConfirmSession(session):
                self._require(session == self._session, "S4", f"the present session is {self._session!r}")
            case ReportTransition() | ReportError():
                pass

    # The invariants ---------------------------------------------------------------------------------------------------

    def _check_datagram(self, attempt: int, sequence: int, session: Session) -> None:
        in_use = self._socket_ready_at is not None and attempt == self._socket
        self._require(in_use, "S4", f"the open socket is {self._socket}, ready since {self._socket_ready_at}")
        self._require(session == self._session, "S4", f"the present session is {self._session!r}")
        self._sequence += 1
        self._require(sequence == self._sequence, "S4", f"the next datagram is number {self._sequence}")

    def _check_reports(self, step: Observation) -> None:
        reports = [effect for effect in step.effects if isinstance(effect, ReportTransition)]
        entered = step.state != step.source or any(isinstance(effect, SignIn) for effect in step.effects)
        self._require(len(reports) == entered, "rule", "a transition is reported, once, and nothing else is")
        for report in reports:
            told = (report.source, report.dest, report.trigger, report.at)
            self._require(
                told == (step.source, step.state, step.event.trigger, step.now), "rule", "the report tells another step"
            )

        proven = step.source in CONNECTING and step.state == ONLINE
        confirmed = sum(isinstance(effect, ConfirmSession) for effect in step.effects)
        self._require(confirmed == proven, "rule", "a session is confirmed, once, when it is proven")

    def _check_resources(self, state: str) -> None:
        due = state in SERVING or (state in CONNECTING and self._session is not None)
        self._require((self._socket is not None) == due, "S1", f"open socket: {self._socket}; there must be one: {due}")
        if self._sign_in is not None:
            self._require(state in CONNECTING, "S2", f"sign-in {self._sign_in} is in flight")

    def _check_failures(self, state: str) -> None:
        if state in ALIVE:
            for kind, count, limit in (
                ("send", self._send_failures, self.config.send_failure_limit),
                ("receive", self._receive_failures, self.config.receive_failure_limit),
            ):
                self._require(count < limit, "S5", f"{count} consecutive {kind} failures, and still {state}")
                self._require(state != ONLINE or count == 0, "S5", f"{count} {kind} failures in ONLINE")

    def _check_leaving(self, step: Observation) -> None:
        away = step.state in (STOPPING, OFFLINE)
        if self._stopped:
            self._require(away, "S9", "the application called stop")
        if away:
            for effect in step.effects:
                self._require(isinstance(effect, LEAVING), "S9", f"{effect!r} has no place after stop")
        if isinstance(step.event, Stop) and step.source != OFFLINE:
            self._require(step.state == STOPPING, "rule", "rule 8: stop leads to STOPPING in the same step")

    def _check_giving_up(self, step: Observation) -> None:
        """Rule 6: what ends an attempt and is not the application's wish."""
        failed = step.source in CONNECTING and step.state in (BACKOFF, STOPPING)
        if not failed or isinstance(step.event, Stop | Reconnect):
            return
        limit = self.config.sign_in_attempt_limit
        exhausted = limit is not None and self._attempts >= limit
        self._require((step.state == STOPPING) == exhausted, "rule", f"rule 6: {self._attempts} of {limit} attempts")
        rejected = isinstance(step.event, SignInFailed) and step.event.rejected
        told = any(isinstance(effect, ReportError) for effect in step.effects)
        self._require(told == (rejected or exhausted), "rule", "rule 6: an error is what retrying cannot mend")
        if exhausted:
            self._stopped = True

    def _check_deadline(self, step: Observation) -> None:
        state, now, deadline = step.state, step.now, step.deadline
        if state == OFFLINE:
            self._require(deadline == math.inf, "S10", "OFFLINE owns nothing, not even a deadline")
            return
        in_flight = self._sign_in is not None or bool(self._sign_outs)
        self._require(math.isfinite(deadline) or in_flight, "S6", "no deadline is armed, no call in flight")
        self._require(deadline >= now, "S10", "the deadline lies in the past")
        latest = max(self._latest_deadline(step), now)
        self._require(deadline <= latest, "S10", f"the rules allow no deadline beyond {latest!r}")
        if isinstance(step.event, DeadlinePassed) and (state in ALIVE or state == step.source):
            self._require(deadline > now, "S10", "the deadline has passed, and was not moved")

    def _latest_deadline(self, step: Observation) -> float:
        config = self.config
        if step.state == STOPPING:
            return self._entered_at + config.sign_out_timeout
        if step.state == BACKOFF:
            return self._latest_backoff(step)
        if self._session is None:
            return self._sign_in_at + config.sign_in_timeout
        if self._socket_ready_at is None:
            return self._socket_at + config.socket_timeout
        latest = self._sent_at + self._interval
        if self._send_failures and self._send_failed_at is not None:
            retry = config.send_retry_initial * 2.0 ** min(self._send_failures - 1, 1000)
            latest = min(latest, self._send_failed_at + min(retry, config.send_retry_max))
        if step.state in CONNECTING:
            return min(latest, self._socket_ready_at + config.probe_limit * config.probe_interval)
        return latest

    def _earliest_sign_in(self) -> float:
        return max(self._sign_in_at + self.config.sign_in_interval_min, self._retry_after_until)

    def _latest_backoff(self, step: Observation) -> float:
        if step.source == BACKOFF:  # a wait may be cut short, never prolonged
            return self._deadline
        earliest = max(self._earliest_sign_in(), step.now)
        if isinstance(step.event, Reconnect):
            return earliest
        if step.source in SERVING:
            return earliest + (self.config.unauthorized_spread if isinstance(step.event, Unauthorized) else 0.0)
        if isinstance(step.event, SignInFailed) and step.event.rejected:
            earliest = max(earliest, step.now + self.config.backoff_max)
        return earliest + self._window()

    def _window(self) -> float:
        config = self.config
        return min(config.backoff_initial * 2.0 ** min(self._attempts - 1, 1000), config.backoff_max)

    def _check_backoff(self, step: Observation) -> None:
        earliest = self._earliest_sign_in()
        self._require(step.deadline >= earliest, "S8", f"no sign-in may start before {earliest!r}")
        if step.source == BACKOFF:
            hurry = isinstance(step.event, Reconnect | RetryNow)
            kept = step.deadline == max(self._deadline, step.now)
            self._require(kept or hurry, "S8", "the wait was cut short, and nobody asked for it")
        elif step.source in CONNECTING and not isinstance(step.event, Reconnect):
            shortest = step.now + self._window() * (1 - self.config.backoff_jitter)
            if isinstance(step.event, SignInFailed) and step.event.rejected:
                shortest = step.now + self.config.backoff_max
            # A sum of floats may fall short of the same sum in another order by the last digits.
            rounding = 4 * math.ulp(max(abs(step.now), abs(shortest)))
            self._require(step.deadline >= shortest - rounding, "S8", f"the wait ends before {shortest!r}")

    def _require(self, holds: bool, invariant: str, text: str) -> None:
        if not holds:
            self._fail(invariant, text)

    def _fail(self, invariant: str, text: str) -> NoReturn:
        name = "" if invariant == "rule" else f"{invariant} "
        steps = "\n  ".join(str(step) for step in self.history)
        raise InvariantError(f"{name}broken in step {self._steps}: {text}\nThe last steps:\n  {steps}")


class Watched:
    """A machine with a monitor at its side: `handle` as the machine's, but every step is checked.

    The machine must be a new one: the monitor keeps its books from the first event on.
    """

    def __init__(self, machine: Lifecycle) -> None:
        self.machine = machine
        self.monitor = Monitor(machine.config)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What the machine's own `handle` does.  Raises InvariantError where an invariant does not hold."""
        effects = self.machine.handle(event, now)
        self.monitor.observe(event, now, effects, self.machine.state, self.machine.deadline)
        return effects


__all__ = ["Monitor", "Observation", "Watched"]
