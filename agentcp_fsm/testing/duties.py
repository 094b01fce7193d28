"""What a step must do: an event with a meaning has its effect in the same step, and one without has none.

Like the rest of the monitor, it knows only what can be seen from outside (`agentcp_fsm.testing.books`).
"""

from __future__ import annotations

from enum import Enum

from agentcp_fsm.lifecycle import effects, events
from agentcp_fsm.lifecycle.chart import (
    ALIVE,
    BACKOFF,
    CONNECTING,
    OFFLINE,
    ONLINE,
    SERVING,
    SIGNING_IN,
    SOCKETED,
    SOCKETLESS,
    STOPPING,
)
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.testing.books import Books, Observation


class Meaning(Enum):
    """What an event means in the present state."""

    EFFECT = "it has its effect"
    STALE = "it belongs to an earlier attempt, or comes twice"
    LATE_SUCCESS = "an abandoned sign-in succeeded: its session is signed out (rule 8)"
    IGNORED = "it has no meaning in this state"
    NOISE = "it is none of the protocol's"


def meaning_of(event: Event, books: Books, source: str, due: bool) -> Meaning:
    """What `event` means, by the books before it; `due`: the deadline has been reached."""
    match event:
        case events.Start():
            has_effect = source == OFFLINE or (source == STOPPING and not books.restart)
        case events.Stop():
            has_effect = source in SOCKETED or (source == STOPPING and books.restart)
        case events.Reconnect():
            has_effect = source in SOCKETED
        case events.RetryNow():
            has_effect = source == BACKOFF
        case events.DeadlinePassed():
            has_effect = source != OFFLINE and due
        case events.Malformed():
            return Meaning.NOISE
        case events.SignedIn() if source in SOCKETLESS:
            return Meaning.LATE_SUCCESS
        case _:
            return Meaning.EFFECT if _is_awaited(event, books, source) else Meaning.STALE
    return Meaning.EFFECT if has_effect else Meaning.IGNORED


def _is_awaited(event: Event, books: Books, source: str) -> bool:
    match event:
        case events.SignedIn(attempt):
            return attempt == books.sign_in or (source == BACKOFF and attempt == books.late_sign_in)
        case events.SignInFailed(attempt):
            return attempt == books.sign_in
        case events.SignedOut(attempt):
            return source == STOPPING and attempt == books.leaving
        case events.SocketOpened(attempt):
            return attempt == books.socket and books.socket_ready_at is None
        case events.SocketFailed(attempt):
            return attempt == books.socket
        case (
            events.BeatAnswered()
            | events.BeatSent()
            | events.SendFailed()
            | events.ReceiveFailed()
            | events.Invited()
            | events.Unauthorized()
        ):
            return books.is_of_open_socket(event)
        case _:
            return False


def neglected(
    step: Observation, meaning: Meaning, before: float, earliest: float, restart: bool, held: Session | None
) -> str | None:
    """The duty that the step neglects, with its rule; None if it does all that it must.

    `before` is the deadline before the step, `earliest` the time before which no sign-in may start, `restart` whether a
    start was kept for after the stop, and `held` the session that a stop would have to sign out.
    """
    if meaning is Meaning.EFFECT:
        return _neglected(step, earliest, restart) or _sign_out_neglected(step, held)
    wanted: tuple[Effect, ...] = ()
    if meaning is Meaning.LATE_SUCCESS and isinstance(step.event, events.SignedIn):
        wanted = (effects.SignOut(step.event.attempt, step.event.session),)
    if step.effects != wanted:
        return f"rules 8 and 9: {meaning.value}: {list(wanted)!r} was to be done"
    if step.state != step.source or step.deadline != max(before, step.now):
        return f"rule 9: {meaning.value}, and the state and the deadline were to stay"
    return None


def _neglected(step: Observation, earliest: float, restart: bool) -> str | None:
    source, state, now = step.source, step.state, step.now
    over = (BACKOFF, STOPPING)
    match step.event:
        case events.Start() if source == OFFLINE:
            right, text = state == SIGNING_IN and _does(step, effects.SignIn), "rule 8: a start begins a sign-in"
        case events.Start() | events.Stop() if source == STOPPING:
            right, text = state == STOPPING and not step.effects, "rule 8: leaving comes first"
        case events.SignedOut() | events.DeadlinePassed() if source == STOPPING and restart:
            right, text = state == SIGNING_IN and _does(step, effects.SignIn), "rule 8: the start that was kept is due"
        case events.SignedOut() | events.DeadlinePassed() if source == STOPPING:
            right, text = state == OFFLINE and not _does(step, effects.SignIn), "rule 8: OFFLINE is due"
        case events.Reconnect() | events.RetryNow():
            due = now >= earliest
            right = _does(step, effects.SignIn) == due and (due or state == BACKOFF)
            text = f"rule 6: a sign-in starts as soon as it may, at {earliest!r}"
        case events.SocketOpened():
            right, text = _does(step, effects.SendHeartbeat), "rules 1 and 5: a heartbeat leaves when the socket opens"
        case events.BeatAnswered():
            right, text = state == ONLINE, "rules 3 and 5: an answer leads to ONLINE"
        case events.Invited():
            right = state == source and _does(step, effects.AnswerInvitation)
            text = "rule 10: an invitation is answered at once, and is no answer"
        case events.BeatSent():
            right, text = state == source and not step.effects, "only an answer proves the connection"
        case events.SignInFailed():
            right, text = state in over, "rule 6: the attempt is over"
        case events.SocketFailed() | events.Unauthorized() if source in CONNECTING:
            right, text = state in over, "rule 2: the attempt is over"
        case events.SocketFailed() | events.Unauthorized() if source in SERVING:
            right, text = state not in SERVING, "rule 4: the connection is lost"
        case events.SocketFailed() | events.Unauthorized() if source == BACKOFF:
            right, text = state == source and _does(step, effects.CloseSocket), "rule 5: the probe's socket is closed"
        case events.SendFailed() | events.ReceiveFailed() if source == BACKOFF:
            right, text = state == source and not step.effects, "rule 5: nothing else follows from a probe's failure"
        case events.DeadlinePassed() if source in ALIVE and state == source:
            right, text = _does(step, effects.SendHeartbeat), "rules 1 to 3: a heartbeat is due"
        case _:
            return None
    return None if right else text


def _sign_out_neglected(step: Observation, held: Session | None) -> str | None:
    if step.state != STOPPING or step.source == STOPPING:
        return None
    gone = isinstance(step.event, events.Unauthorized)
    wanted = [] if held is None or gone else [held]
    signed_out = [effect.session for effect in step.effects if isinstance(effect, effects.SignOut)]
    if signed_out != wanted:
        return f"rule 8: the session that is to be signed out is {held!r}"
    if not wanted and step.deadline != step.now:
        return "rule 8: with nothing to sign out, OFFLINE follows at once"
    return None


def _does(step: Observation, kind: type[Effect]) -> bool:
    return any(isinstance(effect, kind) for effect in step.effects)
