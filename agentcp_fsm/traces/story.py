"""A trace for people: as a story, and what differs between two."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime

from agentcp_fsm.fsm.diagram.playback import Playback, PlayedStep
from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.lifecycle import effects, events
from agentcp_fsm.lifecycle.effects import Effect, ReportTransition, SendHeartbeat
from agentcp_fsm.lifecycle.events import BeatAnswered, BeatSent, DeadlinePassed, Event
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.traces.coding import BOUND
from agentcp_fsm.traces.replaying import Difference, rows_of
from agentcp_fsm.traces.trace import Step, Trace

CONTEXT = 3
"""Lines around a difference that are shown with it."""
TORN = "the file ends within a step"


def story_lines(trace: Trace) -> list[str]:
    """The trace as lines: what happened when, and what the machine made of it.  Heartbeats that went well are folded.

    Times are seconds since the first step.
    """
    begun = trace.steps[0].at if trace.steps else 0.0
    lines = _summary(trace)
    lines += [f"{at - begun:+10.3f}  {text}" if at is not None else f"{'':10}  {text}" for at, text in _told(trace)]
    if trace.torn:
        lines.append(TORN)
    return lines


def played(trace: Trace) -> Playback:
    """The trace as a walk through the chart of this version, for the chart's page to play."""
    summary, *lines = _summary(trace)
    if trace.torn:
        lines.append(TORN)
    sources = [str(trace.start.state), *(step.state for step in trace.steps)]
    steps = (
        PlayedStep(
            step.at,
            step.event.trigger,
            source,
            step.state,
            row,
            tuple(map(printable, _lines(step))),
        )
        for source, step, row in zip(sources, trace.steps, rows_of(trace), strict=False)
    )
    return Playback(summary, tuple(steps), tuple(lines))


def difference_lines(one: Trace, other: Trace, names: tuple[str, str] = ("A", "B")) -> list[str]:
    """What differs between two traces, as a unified diff of their stories without times; empty if nothing does."""
    before, after = ([f"settings: {_settings(trace)}", *(text for _, text in _told(trace))] for trace in (one, other))
    return list(difflib.unified_diff(before, after, *names, n=CONTEXT, lineterm=""))


def replay_lines(found: Difference) -> list[str]:
    """A step that the machine takes otherwise than its trace says, as lines."""
    lines = [f"step {found.number} differs: {event_text(found.step.event)}"]
    recorded, now = ("recorded", found.step.effects, found.step.state), ("now", found.effects, found.state)
    for title, asked, state in (recorded, now):
        lines.append(f"  {title}, then {state}:")
        lines += [f"    {effect_text(effect)}" for effect in asked] or ["    nothing"]
    if found.draws != len(found.step.draws):
        lines.append(f"  random numbers: {len(found.step.draws)} recorded, {found.draws} now")
    return [printable(line) for line in lines]


def effect_text(effect: Effect) -> str:
    """What an effect asks for, in words."""
    match effect:
        case ReportTransition(source, dest):
            return f"{source} -> {dest}: {effect.text}"
        case effects.ReportError(reason):
            return f"error: {reason}"
        case effects.DeliverInvitation(invitation):
            return f"deliver the invitation of {invitation.inviter_agent_id} to session {invitation.session_id}"
        case effects.AnswerInvitation(_, sequence):
            return f"answer the invitation, datagram {sequence}"
        case SendHeartbeat(_, sequence):
            return f"send a heartbeat, datagram {sequence}"
        case effects.ConfirmSession():
            return "the session is good"
        case effects.OpenSocket(attempt, session):
            return f"open socket {attempt} to {_server(session)}"
        case effects.CloseSocket(attempt):
            return f"close socket {attempt}"
        case effects.SignIn(attempt, connect_timeout):
            return f"sign in, attempt {attempt}, connections within {connect_timeout:g} s"
        case effects.AbandonSignIn(attempt):
            return f"give up the sign-in of attempt {attempt}"
        case effects.SignOut(attempt):
            return f"sign out, attempt {attempt}"


def event_text(event: Event) -> str:
    """An event, in words."""
    match event:
        case events.SignedIn(attempt, session):
            said = f" to {_server(session)}, attempt {attempt}"
        case events.SignInFailed(_, reason, retry_after, rejected):
            asked = "" if retry_after is None else f", Retry-After {_shown(retry_after)} s"
            said = f": {reason}{' (rejected)' if rejected else ''}{asked}"
        case BeatAnswered(_, next_beat):
            said = f", the next in {next_beat} ms"
        case events.Invited(_, invitation):
            said = f" by {invitation.inviter_agent_id}"
        case _:
            said = f": {event.reason}" if event.reason else ""
    return event.trigger + said


def _shown(number: float) -> str:
    """A number of the network, which may be an integer beyond all floats."""
    return f"{max(min(number, BOUND), -BOUND):g}"


def _server(session: Session) -> str:
    return f"{session.host}:{session.port}"


def _lines(step: Step) -> Iterator[str]:
    """What there is to say about a step, besides its trigger."""
    if (text := event_text(step.event)) != step.event.trigger:
        yield text
    yield from map(effect_text, step.effects)


def _summary(trace: Trace) -> list[str]:
    """Whose trace it is, and how it begins."""
    return [
        printable(f"{trace.agent_id or 'an agent'}: {len(trace.steps)} steps{_period(trace)}"),
        f"settings: {_settings(trace) or 'the defaults'}",
        f"it begins in {trace.start.state}, attempt {trace.start.attempt}",
    ]


def _period(trace: Trace) -> str:
    if not trace.steps:
        return ""
    lasted = f" in {trace.steps[-1].at - trace.steps[0].at:.1f} s"
    if trace.wall is None:
        return lasted
    try:
        since = datetime.fromtimestamp(trace.steps[0].at + trace.wall, UTC)
    except (OverflowError, ValueError, OSError):
        return lasted
    return f"{lasted} from {since.isoformat(timespec='milliseconds')}"


def _settings(trace: Trace) -> str:
    """The settings that are not the defaults."""
    own = ((field.name, getattr(trace.config, field.name), field.default) for field in fields(trace.config))
    return ", ".join(
        f"{name}={value:g}" if value is not None else f"{name}=None" for name, value, usual in own if value != usual
    )


def _told(trace: Trace) -> Iterator[tuple[float | None, str]]:
    """The time of each line, None for one that belongs to the line before, and its text."""
    beats = _Beats()
    for step in trace.steps:
        if beats.take(step):
            continue
        yield from beats.told()
        yield step.at, printable(event_text(step.event))
        for effect in step.effects:
            yield None, printable(f"  {effect_text(effect)}")
    yield from beats.told()


class _Beats:
    """Heartbeats without an incident, one after the other."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.since: float | None = None
        self.sent = self.answered = 0

    def take(self, step: Step) -> bool:
        """Whether the step is a part of one."""
        event, asked = step.event, step.effects
        if isinstance(event, DeadlinePassed) and len(asked) == 1 and isinstance(asked[0], SendHeartbeat):
            self.sent += 1
        elif isinstance(event, BeatAnswered) and not asked and step.state == "ONLINE":
            self.answered += 1
        elif not (isinstance(event, BeatSent) and not asked):
            return False
        if self.since is None:
            self.since = step.at
        return True

    def told(self) -> Iterator[tuple[float | None, str]]:
        if self.since is not None:
            if self.sent or self.answered:
                yield self.since, f"{self.sent} heartbeat{'' if self.sent == 1 else 's'}, {self.answered} answered"
            else:
                yield self.since, "the heartbeat is on its way"
            self._reset()
