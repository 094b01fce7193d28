"""What a machine reports: its counts, how the connection was lost, and the texts for people.

Nothing in a machine depends on these, so no invariant of its states can notice a mistake in them.  They are counted
once more in here, from what is seen outside.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import fields

from agentcp_fsm.lifecycle import effects, events
from agentcp_fsm.lifecycle.chart import BACKOFF, ONLINE, SERVING
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.statistics import Statistics
from agentcp_fsm.testing.books import Books, Observation
from agentcp_fsm.testing.duties import Meaning

COUNTS = tuple(item.name for item in fields(Statistics) if item.type == "int")
"""The counts of `Statistics`."""


class Reports:
    """The counts that a machine should have, and its last loss and failure; `earlier` is what they were before."""

    def __init__(self, earlier: ReportTransition | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.last_loss = self.last_failure = earlier

    def note(self, step: Observation, meaning: Meaning, *, unanswered: int, failed: bool, lost: bool) -> None:
        """Count one step.

        So many heartbeats were `unanswered` before it.  By it, an attempt has `failed`, or a connection is `lost`.
        """
        counts, event = self.counts, step.event
        if meaning in (Meaning.STALE, Meaning.LATE_SUCCESS):
            counts["stale"] += 1
        elif meaning is Meaning.IGNORED:
            counts["ignored"] += 1
        elif meaning is Meaning.NOISE:
            counts["malformed"] += 1
        else:
            match event:
                case events.BeatSent():
                    counts["heartbeats"] += 1
                case events.BeatAnswered():
                    counts["answers"] += 1
                    counts["times_online"] += step.source not in SERVING and step.state == ONLINE
                case events.SendFailed():
                    counts["send_failures"] += 1
                case events.ReceiveFailed():
                    counts["receive_failures"] += 1
                case _:
                    pass
        delivered = False
        for effect in step.effects:
            match effect:
                case effects.SignIn():
                    counts["attempts"] += 1
                case effects.OpenSocket() if step.state == BACKOFF:
                    counts["probes"] += 1
                case effects.SendHeartbeat() if unanswered:
                    counts["missed"] += 1
                case effects.DeliverInvitation():
                    counts["invitations"] += 1
                    delivered = True
                case ReportTransition():
                    self.last_loss = effect if lost else self.last_loss
                    self.last_failure = effect if lost or failed else self.last_failure
                case _:
                    pass
        counts["duplicates"] += isinstance(event, events.Invited) and meaning is Meaning.EFFECT and not delivered
        counts["failed_attempts"] += failed
        counts["losses"] += lost

    def contradiction(self, statistics: Statistics) -> str | None:
        """What a machine's statistics say otherwise; None if they agree."""
        for name in COUNTS:
            said, counted = getattr(statistics, name), self.counts[name]
            if said != counted:
                return f"the statistics say {name}={said}; it was {counted}"
        if statistics.last_loss != self.last_loss:
            return f"the last loss was {self.last_loss!r}, not {statistics.last_loss!r}"
        if statistics.last_failure != self.last_failure:
            return f"the last failure was {self.last_failure!r}, not {statistics.last_failure!r}"
        return None


def wrong_error(step: Observation, books: Books, *, rejected: bool, exhausted: bool, refused: bool) -> str | None:
    """What is wrong with a step's errors for people (rule 6); None if they say what happened."""
    reason = step.event.reason
    wanted: list[str] = []
    if exhausted:
        times = "1 attempt:" if books.failures == 1 else f"{books.failures} attempts:"
        wanted = [times, reason or ("401" if isinstance(step.event, events.Unauthorized) else "time")]
    elif rejected:
        wanted = [reason]
    elif refused:
        wanted = [f"{books.refusals} sessions in a row"]
    for effect in step.effects:
        if isinstance(effect, effects.ReportError) and not all(word in effect.reason for word in wanted):
            return f"rule 6: the error {effect.reason!r} does not say {' and '.join(map(repr, wanted))}"
    return None


def wrong_detail(step: Observation, books: Books, unanswered: int) -> str | None:
    """What is wrong with the detail of a step's transition; None if it says what it must.

    So many heartbeats were `unanswered` before the step: a silence is described by them.
    """
    reason = step.event.reason
    if isinstance(step.event, events.DeadlinePassed) and step.source in SERVING and step.state not in SERVING:
        heartbeats = "1 heartbeat" if unanswered == 1 else f"{unanswered} heartbeats"
        reason = f"{heartbeats} unanswered, last answer {step.now - books.answered_at:.1f} s ago"
    detail = next((effect.detail for effect in step.effects if isinstance(effect, ReportTransition)), None)
    if detail is None:
        return None
    if step.state != BACKOFF:
        return None if detail == reason else f"the detail is {detail!r}, and is to be {reason!r}"
    said = re.fullmatch(rf"{re.escape(reason)}{'; ' if reason else ''}next try in (.+) s", detail)
    if said is None:
        return f"the detail {detail!r} does not say {reason!r} and when the next try is"
    earliest, latest = books.wait_from - step.now, books.wait_until - step.now
    if books.doubtful is None:
        earliest = latest = step.deadline - step.now
    slack = 0.051 + 8 * math.ulp(max(abs(step.now), abs(latest), 1.0))
    if not earliest - slack <= float(said[1]) <= latest + slack:
        return f"the detail {detail!r} is wrong: the next try is in {earliest!r} to {latest!r} s"
    return None
