"""An observer of one machine that knows the specification and nothing of the machine's inside.

It sees what the world sees: each event, the time, the effects, and then the state and the deadline.  From that alone it
keeps its own `agentcp_fsm.testing.books` (which socket is open, which sign-in is in flight, what was answered when) and
holds the machine to the rules and the invariants S1 to S10 (lifecycle), so it cannot agree with the machine's own
mistakes.

    watched = Watched(Lifecycle(Config(), Random(1)))
    watched.handle(Start(), 0.0)  # raises InvariantError when an invariant does not hold
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import NoReturn

from agentcp_fsm.errors import InvariantError
from agentcp_fsm.lifecycle import effects, events
from agentcp_fsm.lifecycle.chart import (
    ALIVE,
    BACKOFF,
    CONNECTING,
    DEGRADED,
    OFFLINE,
    ONLINE,
    RECONNECTING,
    SERVING,
    STOPPING,
)
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.lifecycle.statistics import Statistics
from agentcp_fsm.testing.books import Books, Observation
from agentcp_fsm.testing.duties import meaning_of, neglected
from agentcp_fsm.testing.reports import Reports, wrong_detail, wrong_error

LEAVING = (effects.AbandonSignIn, effects.CloseSocket, effects.SignOut, effects.ReportTransition, effects.ReportError)
"""The effects that S9 allows after stop."""


class Monitor:
    """Holds one machine of the given `config` to the specification; `tail` steps are kept for the error's text.

    It observes from the machine's first event on.
    """

    def __init__(self, config: Config, *, tail: int = 12) -> None:
        self.config = config
        self.books = Books(config)
        self.reports = Reports()
        self.history: deque[Observation] = deque(maxlen=tail)
        self._steps = 0
        self._now = -math.inf
        self._state: str = OFFLINE
        self._deadline = math.inf

    def observe(self, event: Event, now: float, effects: Iterable[Effect], state: str, deadline: float) -> None:
        """Take one step of the machine into the books.  Raises InvariantError where an invariant does not hold."""
        books = self.books
        now = now if now > self._now else self._now  # rule 12: time is monotonic
        self._steps += 1
        source, self._now = self._state, now
        step = Observation(self._steps, event, now, source, tuple(effects), state, deadline)
        self.history.append(step)
        proven = isinstance(event, events.BeatAnswered) and books.is_of_open_socket(event)
        refused = isinstance(event, events.Unauthorized) and books.is_of_open_socket(event)
        lost_from, lost_until = books.lost_at(shortest=True), books.lost_at(shortest=False)
        failed_sends, failed_receives = books.send_failures, books.receive_failures
        ready_at, unanswered = books.socket_ready_at, books.unanswered
        earliest = books.earliest_sign_in()
        meaning = meaning_of(event, books, source, now >= self._deadline)
        restart, held = books.restart, books.session or books.doubtful

        books.note_event(event, source, now)
        self._require_patience(step, lost_from, ready_at, failed_sends, failed_receives)
        for effect in step.effects:
            self._note_effect(effect, step)
        if ONLINE in (source, state) or DEGRADED in (source, state):
            entered = (state in SERVING and source not in SERVING) or (state == ONLINE and source != ONLINE)
            self._require(not entered or (proven and state == ONLINE), "rule", "ONLINE is entered by an answer only")
        if isinstance(event, events.DeadlinePassed) and source in SERVING and state in SERVING:
            self._require(now < lost_until, "L3", f"the server has been silent too long: lost at {lost_until!r}")

        failed, lost = self._check_ends(step, earliest)
        self._check_connect_timeout(step)
        if state != source:
            once = state not in CONNECTING or (state == RECONNECTING) == books.was_online
            self._require(once, "rule", f"the connection was ONLINE since its start: {books.was_online}")
            books.entered_at = now
            books.leaving = None if source == STOPPING else books.leaving
        self._check_wait(step, refused)
        self._check_reports(step)
        self._check_resources(state)
        self._check_failures(state)
        self._check_leaving(step)
        self._check_deadline(step)
        self.reports.note(step, meaning, unanswered=unanswered, failed=failed, lost=lost)
        for wrong in (
            neglected(step, meaning, self._deadline, earliest, restart, held),
            wrong_detail(step, books, unanswered),
        ):
            self._require(wrong is None, "rule", str(wrong))
        self._state, self._deadline = state, deadline

    def check_statistics(self, statistics: Statistics) -> None:
        """Compare the machine's statistics with what was observed.  Raises InvariantError where they differ."""
        wrong = self.reports.contradiction(statistics)
        self._require(wrong is None, "rule", str(wrong))

    def copy(self) -> Monitor:
        """The same monitor, without its history and its counts, to observe another future."""
        other = Monitor.__new__(Monitor)
        other.__dict__.update(self.__dict__)
        other.books, other.reports, other.history = self.books.copy(), Reports(), deque(maxlen=1)
        return other

    # The effects ------------------------------------------------------------------------------------------------------

    def _note_effect(self, effect: Effect, step: Observation) -> None:
        now, books = step.now, self.books
        match effect:
            case effects.SignIn(attempt):
                self._note_sign_in(attempt, step)
            case effects.AbandonSignIn(attempt):
                self._require(attempt == books.last_sign_in, "S2", f"sign-in {attempt} is not the last one")
                if attempt == books.sign_in and isinstance(step.event, events.DeadlinePassed):
                    books.late_sign_in = attempt
                books.sign_in = None
            case effects.OpenSocket(attempt, session):
                self._require(books.socket is None, "S3", f"socket {books.socket} is still open")
                wanted = books.doubtful if step.state == BACKOFF else books.session
                self._require(session == wanted, "S4", f"the socket is to be that of {wanted!r}")
                new = attempt > books.number or attempt == books.last_sign_in == books.number
                self._require(new, "S4", f"number {attempt} is not a new one")
                books.socket, books.socket_at, books.number = attempt, now, attempt
                books.probes += step.state == BACKOFF
            case effects.CloseSocket(attempt):
                self._require(books.socket is not None, "S3", "no socket is open")
                self._require(attempt == books.socket, "S3", f"socket {books.socket} is the open one")
                self._require(step.effects[0] == effect, "rule", "rule 5: a socket is closed before anything else")
                books.note_socket_closed(step)
            case effects.SendHeartbeat(attempt, sequence, session):
                self._check_datagram(attempt, sequence, session, step)
                earliest = books.earliest_heartbeat(step)
                self._require_after(now, earliest, "rule", f"no heartbeat is due before {earliest!r}")
                if books.unanswered_since is None:
                    books.unanswered_since = now
                    books.overdue_since = min(books.due_at, books.retry_at, now)
                books.sent_at, books.retry_at = now, math.inf
                books.unanswered += 1
            case effects.AnswerInvitation(attempt, sequence, session, invitation):
                self._check_datagram(attempt, sequence, session, step)
                asked = isinstance(step.event, events.Invited) and step.event.invitation == invitation
                self._require(asked, "rule", "rule 10: an invitation is answered when it arrives")
                delivered = effects.DeliverInvitation(invitation) in step.effects
                self._require(delivered or self._is_known(invitation, now), "rule", "rule 10: it is delivered")
            case effects.DeliverInvitation(invitation):
                asked = isinstance(step.event, events.Invited) and step.event.invitation == invitation
                self._require(asked, "rule", "rule 10: an invitation is delivered when it arrives")
                self._require(not self._is_known(invitation, now), "rule", "rule 10: it is delivered once")
                books.delivered.pop(invitation, None)
                books.delivered[invitation] = now
            case effects.SignOut(attempt):
                books.sign_outs.add(attempt)
                if not isinstance(step.event, events.SignedIn):  # else the number is the late sign-in's
                    books.leaving = attempt
                    books.number = max(books.number, attempt)
            case effects.ConfirmSession(session):
                self._require(session == books.session, "S4", f"the present session is {books.session!r}")
            case effects.ReportTransition() | effects.ReportError():
                pass

    def _note_sign_in(self, attempt: int, step: Observation) -> None:
        books, now = self.books, step.now
        self._require(books.sign_in is None, "S2", f"sign-in {books.sign_in} is in flight")
        self._require(books.socket is None, "S2", f"socket {books.socket} is open")
        self._require(attempt > books.number, "S2", f"number {attempt} is not a new one")
        by_application = isinstance(step.event, events.Start)
        if step.source == STOPPING and books.restart:
            by_application, books.restart, books.stopped = True, False, False
            books.begin_anew()
        if not by_application:
            earliest = books.sign_in_at + self.config.sign_in_interval_min
            self._require(now >= earliest, "S7", f"no sign-in before {earliest!r}")
            self._require(now >= books.retry_after_until, "S8", "the server asked to wait longer")
            if isinstance(step.event, events.DeadlinePassed) and step.source == BACKOFF:
                self._require_after(now, books.wait_from, "S8", f"the wait ends before {books.wait_from!r}")
        books.sign_in = books.last_sign_in = books.number = attempt
        books.sign_in_at = now
        books.session = books.late_sign_in = None

    def _is_known(self, invitation: Invitation, now: float) -> bool:
        latest = list(self.books.delivered.items())[-self.config.invitation_memory :]
        return any(known == invitation and now - at < self.config.invitation_window for known, at in latest)

    def _check_datagram(self, attempt: int, sequence: int, session: Session, step: Observation) -> None:
        books = self.books
        in_use = books.socket_ready_at is not None and attempt == books.socket
        self._require(in_use, "S4", f"the open socket is {books.socket}, ready since {books.socket_ready_at}")
        wanted = books.doubtful if step.state == BACKOFF else books.session
        self._require(session == wanted, "S4", f"the present session is {wanted!r}")
        books.sequence += 1
        self._require(sequence == books.sequence, "S4", f"the next datagram is number {books.sequence}")

    # The rules --------------------------------------------------------------------------------------------------------

    def _require_patience(
        self, step: Observation, lost_from: float, ready_at: float | None, sends: int, receives: int
    ) -> None:
        """Rules 2 and 4: nothing is given up too early."""
        books, event = self.books, step.event
        over = step.source in ALIVE and step.state not in (step.source, *SERVING)
        if not over:
            return
        if isinstance(event, events.DeadlinePassed) and step.source in SERVING:
            self._require_after(step.now, lost_from, "rule", f"rule 4: silence lasts until {lost_from!r}")
        elif isinstance(event, events.DeadlinePassed) and ready_at is not None:
            until = ready_at + books.proof_time()
            self._require_after(step.now, until, "rule", f"rule 2: the attempt lasts until {until!r}")
        elif isinstance(event, events.SendFailed):
            enough = books.send_failures > sends and books.send_failures >= self.config.send_failure_limit
            self._require(enough, "rule", f"{books.send_failures} send failures are tolerated")
        elif isinstance(event, events.ReceiveFailed):
            enough = books.receive_failures > receives and books.receive_failures >= self.config.receive_failure_limit
            self._require(enough, "rule", f"{books.receive_failures} receive failures are tolerated")

    def _check_ends(self, step: Observation, earliest: float) -> tuple[bool, bool]:
        """Rules 4 to 6: what ends an attempt or a connection, and what follows.

        Returns whether an attempt has failed, and whether a proven connection was lost.
        """
        books, event = self.books, step.event
        lost = step.source in SERVING and step.state not in SERVING and not isinstance(event, events.Stop)
        failed = step.source in CONNECTING and step.state in (BACKOFF, STOPPING)
        failed = failed and not isinstance(event, events.Stop | events.Reconnect)
        lasted = lost and books.online_for(step.source, step.now) >= self.config.stable_after
        soon = lost and books.online_for(step.source, step.now) < self.config.flapping_span
        flapping = lost and not lasted and books.failures > 0 and not isinstance(event, events.Reconnect)
        if lasted:
            books.failures = 0
        failed_or_lost = failed or (lost and not lasted and not isinstance(event, events.Reconnect))
        books.failures += failed_or_lost
        if lost and not isinstance(event, events.Reconnect):
            books.refusals = books.refusals + 1 if soon and isinstance(event, events.Unauthorized) else 0
        limit = self.config.sign_in_attempt_limit
        exhausted = failed_or_lost and limit is not None and books.failures >= limit
        refused = soon and isinstance(event, events.Unauthorized)
        refused = refused and not exhausted and books.refusals >= self.config.flapping_limit
        rejected = failed and isinstance(event, events.SignInFailed) and event.rejected
        if failed or lost:
            self._require(
                (step.state == STOPPING) == exhausted, "rule", f"rule 6: {books.failures} of {limit} attempts"
            )
            reported = any(isinstance(effect, effects.ReportError) for effect in step.effects)
            self._require(reported == (rejected or exhausted or refused), "rule", "rule 6: an error is for a person")
        if exhausted:
            books.stopped = True
        if step.state == BACKOFF and step.source != BACKOFF:
            held = self.config.backoff_max if rejected else self.config.flapping_wait if refused else 0.0
            books.note_wait(step, failed=failed or flapping or refused, held=held)
        if lost and step.state != STOPPING:
            spread = isinstance(event, events.Unauthorized) and self.config.unauthorized_spread > 0
            waits = flapping or refused or spread or step.now < earliest
            self._require((step.state == BACKOFF) == waits, "rule", f"rule 5: it is to wait: {waits}")
        if step.source == BACKOFF and isinstance(event, events.SignedIn) and books.session is not None:
            self._require(step.state in CONNECTING, "rule", "rule 9: a late sign-in is taken")
        wrong = wrong_error(step, books, rejected=rejected, exhausted=exhausted, refused=refused)
        self._require(wrong is None, "rule", str(wrong))
        return failed_or_lost, lost

    def _check_connect_timeout(self, step: Observation) -> None:
        due = self.books.connect_timeout()
        for effect in step.effects:
            allowed = not isinstance(effect, effects.SignIn) or effect.connect_timeout == due
            self._require(allowed, "rule", f"rule 2: the sign-in's connection may take {due!r} s to be made")

    def _check_wait(self, step: Observation, refused: bool) -> None:
        """S8, and rule 5 in BACKOFF."""
        books, deadline = self.books, step.deadline
        if step.state != BACKOFF:
            return
        if step.source == BACKOFF and refused:
            books.note_wait(step, failed=False, held=0.0)
        elif step.source == BACKOFF:
            books.note_hurry(step.event)
        if books.doubtful is None:
            self._require_after(deadline, books.wait_from, "S8", f"the wait ends before {books.wait_from!r}")
        if step.source == BACKOFF and not refused and books.doubtful is None:
            hurry = isinstance(step.event, events.Reconnect | events.RetryNow)
            kept = deadline == max(self._deadline, step.now)
            self._require(kept or hurry, "S8", "the wait was cut short, and nobody asked for it")

    def _check_reports(self, step: Observation) -> None:
        reports = [effect for effect in step.effects if isinstance(effect, effects.ReportTransition)]
        entered = step.state != step.source or any(isinstance(effect, effects.SignIn) for effect in step.effects)
        self._require(len(reports) == entered, "rule", "a transition is reported, once, and nothing else is")
        lost = step.source in SERVING and step.state not in SERVING and not isinstance(step.event, events.Stop)
        for report in reports:
            said = (report.source, report.dest, report.trigger, report.at, report.lost)
            happened = (step.source, step.state, step.event.trigger, step.now, lost)
            self._require(said == happened, "rule", "the report is that of another step")

        proven = step.source in (*CONNECTING, BACKOFF) and step.state == ONLINE
        confirmed = sum(isinstance(effect, effects.ConfirmSession) for effect in step.effects)
        self._require(confirmed == proven, "rule", "a session is confirmed, once, when it is proven")

    # The invariants ---------------------------------------------------------------------------------------------------

    def _check_resources(self, state: str) -> None:
        books = self.books
        due = state in SERVING or (state in CONNECTING and books.session is not None)
        probing = state == BACKOFF and books.doubtful is not None
        right = (books.socket is not None) == due or (books.socket is not None and probing)
        self._require(right, "S1", f"open socket: {books.socket}; there must be one: {due or probing}")
        if books.sign_in is not None:
            self._require(state in CONNECTING, "S2", f"sign-in {books.sign_in} is in flight")

    def _check_failures(self, state: str) -> None:
        books = self.books
        if state in ALIVE:
            for kind, count, limit in (
                ("send", books.send_failures, self.config.send_failure_limit),
                ("receive", books.receive_failures, self.config.receive_failure_limit),
            ):
                self._require(count < limit, "S5", f"{count} consecutive {kind} failures, and still {state}")
                self._require(state != ONLINE or count == 0, "S5", f"{count} {kind} failures in ONLINE")
        if state == ONLINE:
            self._require(books.unanswered <= 1, "rule", "rule 3: a heartbeat was repeated in ONLINE")

    def _check_leaving(self, step: Observation) -> None:
        away = step.state in (STOPPING, OFFLINE)
        if self.books.stopped:
            self._require(away, "S9", "the application called stop")
        if away:
            for effect in step.effects:
                self._require(isinstance(effect, LEAVING), "S9", f"{effect!r} has no place after stop")
        if isinstance(step.event, events.Stop) and step.source != OFFLINE:
            self._require(step.state == STOPPING, "rule", "rule 8: stop leads to STOPPING in the same step")

    def _check_deadline(self, step: Observation) -> None:
        state, now, deadline = step.state, step.now, step.deadline
        if state == OFFLINE:
            self._require(deadline == math.inf, "S10", "OFFLINE owns nothing, not even a deadline")
            return
        in_flight = self.books.sign_in is not None or bool(self.books.sign_outs)
        self._require(math.isfinite(deadline) or in_flight, "S6", "no deadline is armed, no call in flight")
        self._require(deadline >= now, "S10", "the deadline lies in the past")
        latest = max(self.books.latest_deadline(step), now)
        self._require_after(latest, deadline, "S10", f"the rules allow no deadline beyond {latest!r}")
        if isinstance(step.event, events.DeadlinePassed) and (state in ALIVE or state == step.source):
            self._require(deadline > now, "S10", "the deadline has passed, and was not moved")

    def _require_after(self, later: float, earlier: float, invariant: str, text: str) -> None:
        # A sum of floats may fall short of the same sum in another order by the last digits.
        if later < earlier:
            self._require(later >= earlier - 8 * math.ulp(max(abs(later), abs(earlier))), invariant, text)

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
        self.monitor.check_statistics(self.machine.statistics)
        return effects
