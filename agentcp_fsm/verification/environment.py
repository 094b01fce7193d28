"""What the world may do next to a connection: anything late, anything twice, and nothing at all.

The application calls what it likes.  Sign-ins, sockets and the server answer as they can: in time, late, for an earlier
attempt, a second time.  The network fails in every way.  Wake-ups come early, on time, a little late, or long after, as
after a suspension.  Whatever is left out of a script never came.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from agentcp_fsm.lifecycle import events
from agentcp_fsm.lifecycle.chart import CONNECTING, OFFLINE, STOPPING
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.verification.situation import CLOSE, Situation

SESSIONS = (
    Session("192.0.2.1", 5000, 41, "token 1"),
    Session("192.0.2.2", 5000, 42, "token 2"),
)
"""A sign-in yields the one that the last one did not."""
INVITATIONS = tuple(
    Invitation("alice.agentid.example", f"code {number}", 1, "session", "https://message.example") for number in (1, 2)
)
REASON = "broken"
"""What every failure says."""
LONG = 100_000.0
"""Seconds of a suspension that is longer than everything that can be configured in practice."""


class Environment:
    """What can happen under a configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.invitations = INVITATIONS if config.invitation_memory == 1 else INVITATIONS[:1]
        beats = (config.interval_min, config.interval_max)
        self.next_beats = sorted({round(seconds * 1000) for seconds in beats if seconds < LONG})
        self.retry_afters = (20.0, 2 * config.retry_after_max)

    def waits(self, situation: Situation) -> Iterator[float]:
        """The times until which nothing may happen, before the next event."""
        clock, deadline = situation.clock, situation.deadline
        ahead = sorted(time for time in situation.times() if clock + CLOSE < time < math.inf)
        if clock <= situation.snapshot.now:
            if ahead:
                yield (clock + ahead[0]) / 2
            yield from ahead
        elif ahead:
            yield ahead[0]
        if deadline - CLOSE <= clock < deadline + LONG:
            yield clock + LONG

    def events(self, situation: Situation) -> Iterator[Event]:
        """Every event that may come now."""
        its, books = situation.snapshot, situation.monitor.books
        yield events.Start()
        yield events.Stop()
        yield events.Reconnect()
        yield events.RetryNow()
        yield events.DeadlinePassed()
        if its.state == OFFLINE and its.attempt == 0:
            return  # nothing can be late yet
        present, last = its.attempt, books.last_sign_in
        known = books.session or books.doubtful
        session = SESSIONS[1] if known == SESSIONS[0] else SESSIONS[0]
        for attempt in {present, last, present - 1}:
            yield events.SignedIn(attempt, session)
        yield from self._failed_sign_ins(present, last, its.state in CONNECTING and books.sign_in is not None)
        yield from self._of_socket(present)
        yield from (
            events.SocketOpened(present - 1),
            events.SocketFailed(present - 1, REASON),
            events.BeatSent(present - 1),
            events.SendFailed(present - 1, REASON),
            events.ReceiveFailed(present - 1, REASON),
            events.BeatAnswered(present - 1, self.next_beats[-1]),
            events.Unauthorized(present - 1),
            events.Invited(present - 1, self.invitations[0]),
            events.Malformed(present),
            events.SignedOut(present - 1),
        )
        yield events.SignedOut(present)
        if its.state == STOPPING:
            yield events.SignedOut(present, REASON)

    def _failed_sign_ins(self, present: int, last: int, awaited: bool) -> Iterator[Event]:
        yield events.SignInFailed(present, REASON)
        if awaited:
            yield events.SignInFailed(present, REASON, rejected=True)
            for seconds in self.retry_afters:
                yield events.SignInFailed(present, REASON, seconds)
            yield events.SignInFailed(present, REASON, self.retry_afters[0], rejected=True)
            yield events.SignInFailed(present - 1, REASON)
        elif last != present:
            yield events.SignInFailed(last, REASON)

    def _of_socket(self, present: int) -> Iterator[Event]:
        yield events.SocketOpened(present)
        yield events.SocketFailed(present, REASON)
        yield events.BeatSent(present)
        yield events.SendFailed(present, REASON)
        yield events.ReceiveFailed(present, REASON)
        yield events.Unauthorized(present)
        for next_beat in self.next_beats:
            yield events.BeatAnswered(present, next_beat)
        for invitation in self.invitations:
            yield events.Invited(present, invitation)
