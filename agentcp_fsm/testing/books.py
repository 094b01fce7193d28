"""The books of a `agentcp_fsm.testing.monitor.Monitor`: what an observer knows of a connection that it only watches.

Everything in here comes from events, effects and the time.  The rules are computed once more, in another way: the
machine keeps timers, and the books keep the times of what happened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentcp_fsm.lifecycle import events
from agentcp_fsm.lifecycle.chart import ALIVE, BACKOFF, CONNECTING, OFFLINE, ONLINE, SERVING, STOPPING
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.session import Invitation, Session

OfSocket = (
    events.BeatAnswered
    | events.BeatSent
    | events.SendFailed
    | events.ReceiveFailed
    | events.Invited
    | events.Unauthorized
)


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


def doubled(initial: float, times: int, maximum: float) -> float:
    """1, 2, 4 … times `initial`, at most `maximum`."""
    return min(initial * 2.0 ** min(max(times, 1) - 1, 1000), maximum)


class RoundTrips:
    """The retransmission time (rule 3), from RFC 6298; between two bounds, since its spread is drawn at random."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.interval = config.interval_min
        self.smoothed: float | None = None
        """The smoothed round trip, in seconds; None before the first."""
        self._variation = 0.0
        self.shortest = self._bounded(config.retransmission_min)
        self.longest = self._bounded(config.retransmission_min * (1 + config.retransmission_spread))

    def _bounded(self, seconds: float) -> float:
        return min(seconds, self.interval, self.config.silence_timeout)

    def measure(self, seconds: float) -> None:
        """Take a round trip, in seconds."""
        if self.smoothed is None:
            self.smoothed, self._variation = seconds, seconds / 2
        else:
            self._variation = 0.75 * self._variation + 0.25 * abs(self.smoothed - seconds)
            self.smoothed = 0.875 * self.smoothed + 0.125 * seconds
        computed, least = self.smoothed + 4 * self._variation, self.config.retransmission_min
        self.shortest = self._bounded(max(computed, least))
        self.longest = self._bounded(max(computed, least * (1 + self.config.retransmission_spread)))

    def double(self) -> None:
        """Take it that a repetition was needless."""
        self.shortest, self.longest = self._bounded(2 * self.shortest), self._bounded(2 * self.longest)

    def take_interval(self, next_beat: int) -> None:
        """Take an answer's NextBeat, in milliseconds."""
        before, config = self.interval, self.config
        if next_beat <= config.interval_min * 1000:
            self.interval = config.interval_min
        elif next_beat >= config.interval_max * 1000:
            self.interval = config.interval_max
        else:
            self.interval = next_beat / 1000
        if self.interval != before:
            least = config.retransmission_min
            self.shortest = self._bounded(max(self.shortest, least))
            self.longest = self._bounded(max(self.longest, least * (1 + config.retransmission_spread)))


class Books:
    """What has been seen of one machine of the given `config`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.entered_at = -math.inf
        # What the application asked for last.
        self.stopped = True
        self.restart = False
        # Sign-ins and sign-outs
        self.number = 0
        """The highest number that an effect carried so far."""
        self.last_sign_in = 0
        self.sign_in: int | None = None
        """The sign-in in flight."""
        self.late_sign_in: int | None = None
        """The one that took too long, while its session would be taken (rule 9)."""
        self.sign_in_at = -math.inf
        self.sign_outs: set[int] = set()
        self.leaving: int | None = None
        """The sign-out of the session that is being left."""
        self.retry_after_until = -math.inf
        self.session: Session | None = None
        self.doubtful: Session | None = None
        # How it goes (rule 6)
        self.failures = 0
        """Failed attempts in a row."""
        self.refusals = 0
        """Connections in a row that a 401 ended within `flapping_span` of ONLINE."""
        self.silent_attempts = 0
        self.was_online = False
        """Since the application's start."""
        self.proven_at = -math.inf
        # The socket
        self.socket: int | None = None
        self.socket_at = -math.inf
        self.socket_ready_at: float | None = None
        self.send_failures = 0
        self.retry_at = math.inf
        """When a failed send is tried again at the latest, until it is."""
        self.receive_failures = 0
        self.failed_at = -math.inf
        """When a failure was last counted."""
        # Datagrams
        self.sequence = 0
        self.sent_at = -math.inf
        self.due_at = -math.inf
        """When the heartbeat after the last answer was due at the latest."""
        self.unanswered_since: float | None = None
        """When the first heartbeat since the last answer left."""
        self.overdue_since = math.inf
        """When that one was due at the earliest, a failed send's repetition included."""
        self.unanswered = 0
        self.repeated = False
        self.answered_at = -math.inf
        self.round_trips = RoundTrips(config)
        self.probes = 0
        self.delivered: dict[Invitation, float] = {}
        # The wait in BACKOFF
        self.wait_from = self.wait_until = -math.inf
        """The earliest and the latest time of its end."""

    def copy(self) -> Books:
        """The same books, to be kept apart from now on."""
        other = Books.__new__(Books)
        other.__dict__.update(self.__dict__)
        other.sign_outs = set(self.sign_outs)
        other.delivered = dict(self.delivered)
        other.round_trips = RoundTrips.__new__(RoundTrips)
        other.round_trips.__dict__.update(self.round_trips.__dict__)
        return other

    @property
    def interval(self) -> float:
        """Seconds between heartbeats."""
        return self.round_trips.interval

    def begin_anew(self) -> None:
        """A life begins."""
        self.failures = self.refusals = self.silent_attempts = self.probes = 0
        self.was_online = False
        self.retry_after_until = -math.inf
        self.session = self.doubtful = self.late_sign_in = None
        self.delivered.clear()
        self.repeated = False
        self.round_trips = RoundTrips(self.config)

    def is_of_open_socket(self, event: OfSocket) -> bool:
        """Whether an event is of the open socket."""
        return self.socket is not None and event.attempt == self.socket and self.socket_ready_at is not None

    # What a step's event says -----------------------------------------------------------------------------------------

    def note_event(self, event: Event, source: str, now: float) -> None:
        """Enter an event, before the effects that it has."""
        match event:
            case events.Start():
                self.restart = source == STOPPING
                self.stopped = self.stopped and source == STOPPING
                if source == OFFLINE:
                    self.begin_anew()
            case events.Stop():
                self.stopped, self.restart = True, False
            case events.Reconnect() if source in (*ALIVE, BACKOFF):
                self.doubtful = self.late_sign_in = None
            case events.SignedIn(attempt, session) if attempt == self.sign_in:
                self.sign_in, self.session, self.doubtful = None, session, None
            case events.SignedIn(attempt, session) if source == BACKOFF and attempt == self.late_sign_in:
                self.late_sign_in, self.session, self.doubtful = None, session, None
            case events.SignInFailed(attempt, _, retry_after) if attempt == self.sign_in:
                self.sign_in = None
                if retry_after is not None and retry_after > 0:
                    until = now + min(retry_after, self.config.retry_after_max)
                    self.retry_after_until = max(self.retry_after_until, until)
            case events.SignedOut(attempt):
                self.sign_outs.discard(attempt)
            case events.SocketOpened(attempt) if attempt == self.socket and self.socket_ready_at is None:
                self.socket_ready_at = now
            case events.BeatSent() if self.is_of_open_socket(event):
                self.send_failures = 0
            case events.SendFailed() if self.is_of_open_socket(event) and source in ALIVE:
                if self.send_failures == 0 or now - self.failed_at > self.config.failure_instant:
                    self.send_failures += 1
                    self.failed_at = now
                    earlier = self.retry_at if source in CONNECTING else math.inf
                    config = self.config
                    retry = doubled(config.send_retry_initial, self.send_failures, config.send_retry_max)
                    self.retry_at = min(earlier, now + retry)
            case events.ReceiveFailed() if self.is_of_open_socket(event) and source in ALIVE:
                if self.receive_failures == 0 or now - self.failed_at > self.config.failure_instant:
                    self.receive_failures += 1
                    self.failed_at = now
            case events.Invited() if self.is_of_open_socket(event):
                self.receive_failures = 0
            case events.Unauthorized() if source == BACKOFF and self.is_of_open_socket(event):
                self.doubtful = None
            case events.BeatAnswered() if self.is_of_open_socket(event):
                self._note_answer(event, source, now)
            case _:
                pass

    def _note_answer(self, event: events.BeatAnswered, source: str, now: float) -> None:
        self.round_trips.take_interval(event.next_beat)
        if self.unanswered == 1:
            self.round_trips.measure(now - self.sent_at)
            self.repeated = False
        elif self.unanswered > 1:
            self.repeated = True
        elif self.repeated:
            self.round_trips.double()
            self.repeated = False
        self.send_failures = self.receive_failures = self.unanswered = 0
        self.unanswered_since, self.retry_at = None, math.inf
        self.answered_at = now
        self.due_at = max(self.sent_at + self.interval, now)
        if source not in SERVING:
            self.proven_at, self.silent_attempts, self.was_online = now, 0, True
        if source == BACKOFF:
            self.session, self.doubtful = self.doubtful, None

    # What the rules make of it ----------------------------------------------------------------------------------------

    def online_for(self, source: str, now: float) -> float:
        """How many seconds ONLINE has lasted (rule 6), seen from `source`."""
        return (now if source == ONLINE else self.entered_at) - self.proven_at

    def connect_timeout(self) -> float:
        """Seconds that the next sign-in's connection may take to be made (rule 2)."""
        config = self.config
        longer = doubled(config.connect_timeout, self.failures + 1, config.connect_timeout_max)
        return max(longer, config.connect_timeout)

    def note_socket_closed(self, step: Observation) -> None:
        """Enter what becomes of the session when its socket closes (lifecycle, "States": doubtful)."""
        if step.source in ALIVE:
            if not isinstance(step.event, events.Unauthorized | events.Reconnect):
                self.doubtful, self.probes = self.session, 0
            if (
                isinstance(step.event, events.DeadlinePassed)
                and step.source in CONNECTING
                and self.socket_ready_at is not None
            ):
                self.silent_attempts += 1
            self.session = None
        self.socket = self.socket_ready_at = self.unanswered_since = None
        self.retry_at = math.inf
        self.send_failures = self.receive_failures = self.unanswered = 0

    def earliest_sign_in(self) -> float:
        """When the rules allow the next sign-in (S7, S8)."""
        return max(self.sign_in_at + self.config.sign_in_interval_min, self.retry_after_until)

    def note_wait(self, step: Observation, *, failed: bool, held: float) -> None:
        """Enter the bounds of a wait that begins, with a backoff or without, and of `held` seconds at least."""
        config, now = self.config, step.now
        earliest = max(self.earliest_sign_in(), now + held)
        window = doubled(config.backoff_initial, self.failures, config.backoff_max) if failed else 0.0
        spread = config.unauthorized_spread if isinstance(step.event, events.Unauthorized) else 0.0
        self.wait_from = max(earliest, now + window * (1 - config.backoff_jitter))
        self.wait_until = earliest + window + spread

    def note_hurry(self, event: Event) -> None:
        """Enter that the application ends the wait as soon as a sign-in may start."""
        if isinstance(event, events.RetryNow | events.Reconnect):
            self.wait_from = min(self.wait_from, self.earliest_sign_in())
            self.wait_until = min(self.wait_until, self.earliest_sign_in())

    def probe_gap(self, after: int, *, shortest: bool) -> float:
        """Seconds from the probe with the number `after` to the next (rule 5); 0: none was yet."""
        if after == 0:
            return 0.0
        retransmission = self.round_trips.shortest if shortest else self.round_trips.longest
        return max(doubled(self.config.probe_interval, after, self.interval), retransmission)

    def proof_time(self) -> float:
        """Seconds that a new session has to answer (rule 2)."""
        allowed = self.config.probe_limit * self.config.probe_interval
        return max(allowed, doubled(allowed, self.silent_attempts + 1, self.config.probe_time_max))

    def lost_at(self, *, shortest: bool) -> float:
        """When the server has been silent for too long (rule 4)."""
        if self.unanswered_since is None:
            return math.inf
        config = self.config
        retransmission = self.round_trips.shortest if shortest else self.round_trips.longest
        patience = self.answered_at + config.silence_limit * self.interval
        overdue = self.overdue_since if shortest else self.due_at
        over = min(patience, overdue + config.silence_timeout) + min(
            config.retransmission_min, self.interval, config.silence_timeout
        )
        return max(over, self.unanswered_since + retransmission)

    def earliest_heartbeat(self, step: Observation) -> float:
        """When the heartbeat that leaves in this step was due at the earliest (rules 1 to 3 and 5)."""
        if isinstance(step.event, events.SocketOpened) and self.probes > 1 and step.state == BACKOFF:
            return self.sent_at + self.probe_gap(self.probes - 1, shortest=True)
        if isinstance(step.event, events.SocketOpened):
            return step.now
        if step.source in CONNECTING:
            return min(self.sent_at + self.config.probe_interval, self.retry_at)
        if self.unanswered:
            return min(self.sent_at + self.round_trips.shortest, self.retry_at)
        return min(self.due_at, self.retry_at)

    def latest_deadline(self, step: Observation) -> float:
        """The latest time that the rules allow for the next timer (S10)."""
        config = self.config
        if step.state == STOPPING:
            return self.entered_at + config.sign_out_timeout
        if step.state == BACKOFF:
            if self.doubtful is None:
                return self.wait_until
            began = self.sent_at if self.socket is None or self.socket_ready_at is not None else self.socket_at
            return min(self.wait_until, max(began, self.socket_at) + self.probe_gap(self.probes, shortest=False))
        if self.session is None:
            return self.sign_in_at + config.sign_in_timeout
        if self.socket_ready_at is None:
            return self.socket_at + config.socket_timeout
        if step.state in CONNECTING:
            repeated = min(self.sent_at + config.probe_interval, self.retry_at)
            return min(repeated, self.socket_ready_at + self.proof_time())
        if self.retry_at < math.inf:
            due = min(self.sent_at + self.interval, self.retry_at)
        elif self.unanswered:
            due = self.sent_at + self.round_trips.longest
        else:
            due = self.due_at
        return min(due, self.lost_at(shortest=False))
