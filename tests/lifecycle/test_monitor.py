"""The monitor notices each breach: a step is forged so that one invariant does not hold, and the error says which."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from agentcp_fsm.errors import InvariantError
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import CloseSocket, Effect, OpenSocket, ReportTransition, SendHeartbeat, SignIn
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    DeadlinePassed,
    Event,
    ReceiveFailed,
    SendFailed,
    SignedIn,
    SignedOut,
    SignInFailed,
    SocketFailed,
    SocketOpened,
    Start,
    Stop,
    Unauthorized,
)
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.testing import Monitor, Observation
from tests.lifecycle.life import SECOND_SESSION, SESSION, Fixed

Forgery = Callable[[Observation], Observation]
Script = list[tuple[Event, float]]

SIGNED_IN: Script = [(Start(), 0.0), (SignedIn(1, SESSION), 0.0)]
PROVING: Script = [*SIGNED_IN, (SocketOpened(1), 0.0)]
ONLINE: Script = [*PROVING, (BeatAnswered(1, 5000), 0.0)]
BACKOFF: Script = [(Start(), 0.0), (SignInFailed(1, "busy", 20.0), 1.0)]


def without(kind: type[Effect]) -> Forgery:
    return lambda step: replace(step, effects=tuple(each for each in step.effects if not isinstance(each, kind)))


def also(*effects: Effect, first: bool = False) -> Forgery:
    return lambda step: replace(step, effects=(*effects, *step.effects) if first else (*step.effects, *effects))


def due(deadline: float) -> Forgery:
    return lambda step: replace(step, deadline=deadline)


def stays(step: Observation) -> Observation:
    return replace(step, effects=(), state=step.source)


def goes_to_backoff(step: Observation) -> Observation:
    effects = tuple(
        replace(each, dest=State.BACKOFF) if isinstance(each, ReportTransition) else each for each in step.effects
    )
    return replace(step, effects=effects, state="BACKOFF", deadline=step.now + 1.0)


def of_session(step: Observation) -> Observation:
    """A heartbeat that carries the cookie of a session that is not the present one."""
    return replace(
        step,
        effects=tuple(
            replace(each, session=SECOND_SESSION) if isinstance(each, SendHeartbeat) else each for each in step.effects
        ),
    )


BREACHES: dict[str, list[tuple[Script, Forgery]]] = {
    "S1": [
        (SIGNED_IN, without(OpenSocket)),
        ([*PROVING, (Stop(), 0.5)], without(CloseSocket)),
    ],
    "S2": [
        ([(Start(), 0.0), (DeadlinePassed(), 10.0)], also(SignIn(2, 2.0))),
        ([*ONLINE, (DeadlinePassed(), 5.0)], also(SignIn(2, 2.0))),
    ],
    "S3": [
        ([*SIGNED_IN, (SocketOpened(1), 0.0)], also(OpenSocket(2, SESSION), first=True)),
        (BACKOFF, also(CloseSocket(1), first=True)),
    ],
    "S4": [([*ONLINE, (DeadlinePassed(), 5.0)], of_session), (PROVING, of_session)],
    "S5": [
        ([*ONLINE, (SendFailed(1, "no"), 1.0)], stays),
        ([*ONLINE, (ReceiveFailed(1, "no"), 1.0)], stays),
        ([*ONLINE, *((SendFailed(1, "no"), float(second)) for second in (1, 2, 3))], stays),
    ],
    "S6": [(BACKOFF, due(math.inf)), (ONLINE, due(math.inf))],
    "S7": [([*ONLINE, (SocketFailed(1, "no"), 6.0), (SignInFailed(2, "no"), 6.1)], also(SignIn(3, 4.0)))],
    "S8": [(BACKOFF, due(20.0)), ([*ONLINE, (Unauthorized(1), 2.0)], due(4.0))],
    "S9": [([*ONLINE, (Stop(), 1.0), (SignedOut(1), 1.5)], goes_to_backoff)],
    "S10": [(ONLINE, due(-1.0)), (ONLINE, due(6.0)), ([(Start(), 0.0)], due(31.0)), ([(Start(), 0.0)], due(math.inf))],
}


@pytest.mark.parametrize(
    ("invariant", "script", "forge"),
    [
        pytest.param(invariant, script, forge, id=f"{invariant} {number}")
        for invariant, breaches in BREACHES.items()
        for number, (script, forge) in enumerate(breaches, 1)
    ],
)
def test_a_breach_is_noticed_and_named(invariant: str, script: Script, forge: Forgery) -> None:
    steps = list(play(script))
    observe(steps)  # what is not forged is in order
    with pytest.raises(InvariantError, match=rf"^{invariant} broken in step {len(steps)}"):
        observe([*steps[:-1], forge(steps[-1])])


def play(script: Script) -> Iterator[Observation]:
    machine = Lifecycle(Config(), Fixed(0.0))
    for number, (event, now) in enumerate(script, 1):
        source, effects = machine.state, tuple(machine.handle(event, now))
        yield Observation(number, event, now, source, effects, machine.state, machine.deadline)


def observe(steps: Iterable[Observation]) -> None:
    monitor = Monitor(Config())
    for step in steps:
        monitor.observe(step.event, step.now, step.effects, step.state, step.deadline)


def test_every_invariant_has_a_breach() -> None:
    assert [*BREACHES] == [f"S{number}" for number in range(1, 11)]
