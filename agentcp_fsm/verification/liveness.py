"""L1 to L3 from one state of a machine: what must happen, once the world is kind, silent, or the application leaves."""

from __future__ import annotations

import math
from collections import deque

from agentcp_fsm.errors import InvariantError
from agentcp_fsm.lifecycle import effects, events
from agentcp_fsm.lifecycle.chart import OFFLINE, ONLINE, SERVING, SOCKETLESS
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.lifecycle.variables import Snapshot

KNOWN = Session("192.0.2.9", 5000, 49, "token of a kind world")
"""The session that the kind server gives and knows; it knows no other and is silent to its heartbeats."""
MOST = 100_000
"""Steps after which a machine goes round in circles."""


def check_liveness(machine: Lifecycle, now: float | None = None) -> None:
    """Hold a machine, in whatever state it is, to L1, L2 and L3.  Raises InvariantError; the machine is not changed.

    `now` is the time at which the world becomes kind, or silent, or the application calls stop; calls that were in
    flight before it are never answered.
    """
    start, its = machine.snapshot(), type(machine)(machine.config, machine.random)
    at = machine.now if now is None else now
    at = at if math.isfinite(at) else 0.0
    for check in (_stops, _notices_silence, _recovers):
        its.restore(start)
        check(its, start, at)


def _recovers(machine: Lifecycle, start: Snapshot, now: float) -> None:
    """L1: ONLINE, by a session of the kind server."""
    if machine.config.sign_in_attempt_limit is not None:
        return
    bound = _allowed(machine.config.recovery_bound, now)
    latency = _latency(machine.config)
    pending: deque[tuple[float, Event]] = deque()
    at = now

    def take(event: Event) -> None:
        pending.extend((at + latency, answer) for answer in _answers(machine.handle(event, at)))

    if machine.state in SOCKETLESS:
        take(events.Start())
    for _ in range(MOST):
        if machine.state == ONLINE and machine.session == KNOWN:
            return
        due = machine.deadline
        at = max(at, min(due, pending[0][0]) if pending else due)
        if at > now + bound:
            break
        take(pending.popleft()[1] if pending and pending[0][0] <= due else events.DeadlinePassed())
    raise _late("L1", f"a kind world does not lead to ONLINE within {machine.config.recovery_bound!r} s", start, now)


def _answers(done: list[Effect]) -> list[Event]:
    """What a kind world answers to effects."""
    found: list[Event] = []
    for effect in done:
        match effect:
            case effects.SignIn(attempt):
                found.append(events.SignedIn(attempt, KNOWN))
            case effects.OpenSocket(attempt):
                found.append(events.SocketOpened(attempt))
            case effects.SendHeartbeat(attempt, _, session):
                found.append(events.BeatSent(attempt))
                if session == KNOWN:
                    found.append(events.BeatAnswered(attempt, 5000))
            case effects.SignOut(attempt):
                found.append(events.SignedOut(attempt))
            case _:
                pass
    return found


def _stops(machine: Lifecycle, start: Snapshot, now: float) -> None:
    """L2: OFFLINE, although the sign-out is never answered."""
    machine.handle(events.Stop(), now)
    at = _woken_until(machine, now, now + _allowed(machine.config.stop_bound, now), (OFFLINE,))
    if at is None:
        raise _late("L2", f"stop does not lead to OFFLINE within {machine.config.stop_bound!r} s", start, now)


def _notices_silence(machine: Lifecycle, start: Snapshot, now: float) -> None:
    """L3: ONLINE and DEGRADED are left."""
    if machine.state not in SERVING:
        return
    others = tuple(state for state in type(machine.state) if state not in SERVING)
    if _woken_until(machine, now, now + _allowed(machine.config.silence_bound, now), others) is None:
        raise _late("L3", f"silence is not noticed within {machine.config.silence_bound!r} s", start, now)


def _woken_until(machine: Lifecycle, now: float, limit: float, states: tuple[str, ...]) -> float | None:
    """Wake the machine at its deadlines; return when it is in one of the states, or None if that is after the limit."""
    at = now
    for _ in range(MOST):
        if machine.state in states:
            return at
        at = max(at, machine.deadline)
        if at > limit:
            return None
        machine.handle(events.DeadlinePassed(), at)
    return None


def _latency(config: Config) -> float:
    """Seconds that a call takes in a kind world: far less than anything that is configured."""
    quickest = min(
        config.sign_in_timeout, config.socket_timeout, config.probe_interval, config.sign_out_timeout,
        config.interval_min, config.retransmission_min, config.silence_timeout,
    )  # fmt: skip
    return min(0.05, quickest / 10)


def _allowed(bound: float, now: float) -> float:
    """The bound, and what sums of floats may add to it."""
    return bound + 1e-6 * (1.0 + abs(now) * 1e-6 + bound * 1e-3)


def _late(name: str, text: str, start: Snapshot, now: float) -> InvariantError:
    return InvariantError(f"{name} broken from {start.state} at {now!r}: {text}")
