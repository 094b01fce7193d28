"""One watched machine, and the shortest ways to its states."""

from __future__ import annotations

from random import Random
from typing import Any
from unittest.mock import ANY

from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import (
    Effect,
    ReportTransition,
    SendHeartbeat,
    SignIn,
)
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    DeadlinePassed,
    Event,
    ReceiveFailed,
    Reconnect,
    SendFailed,
    SignedIn,
    SignInFailed,
    SocketOpened,
    Start,
    Stop,
)
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.testing import Watched

SESSION = Session("192.0.2.1", 5000, 42, "token")
SECOND_SESSION = Session("192.0.2.2", 5001, 43, "token 2")
INVITATION = Invitation("alice.agentid.example", "code", 1, "session", "https://message.example")


def sign_in(attempt: int) -> SignIn:
    """Equal to a sign-in of this attempt, however patient it is."""
    return SignIn(attempt, ANY)


class Fixed(Random):
    """Draws what it is told to, between 0 (no jitter) and 1."""

    def __init__(self, drawn: float) -> None:
        super().__init__()
        self.drawn = drawn

    def random(self) -> float:
        return self.drawn


class Life:
    """One watched machine, and the shortest ways to its states."""

    def __init__(self, drawn: float = 0.0, **config: Any) -> None:
        self.machine = Lifecycle(Config(**config), Fixed(drawn))
        self.watched = Watched(self.machine)

    @property
    def state(self) -> str:
        return self.machine.state

    @property
    def deadline(self) -> float:
        return self.machine.deadline

    def tell(self, event: Event, now: float) -> list[Effect]:
        return self.watched.handle(event, now)

    def does(self, event: Event, now: float) -> list[Effect]:
        """`tell`, without the reports of transitions."""
        return [effect for effect in self.tell(event, now) if not isinstance(effect, ReportTransition)]

    def wake(self) -> list[Effect]:
        """The deadline passes, on time."""
        return self.does(DeadlinePassed(), self.deadline)

    def wake_until(self, state: str, times: int = 1000) -> None:
        """Nothing happens but time, until the state is `state`."""
        for _ in range(times):
            if self.state == state:
                return
            self.wake()
        raise AssertionError(f"still {self.state} after {times} deadlines, not {state}")

    def fail_sends(self, times: int, now: float, kind: type[SendFailed | ReceiveFailed] = SendFailed) -> list[Effect]:
        """Sends (or receives) fail, a tenth of a second apart, the last of them at `now`; the last's effects."""
        effects: list[Effect] = []
        for left in reversed(range(times)):
            effects = self.does(kind(self.machine.attempt, "no"), now - left / 10)
        return effects

    def signing_in(self, now: float = 0.0) -> Life:
        self.tell(Start(), now)
        return self

    def proving(self, now: float = 0.0) -> Life:
        """The first heartbeat is sent at `now`, and not answered."""
        self.signing_in(now)
        return self.prove(now)

    def prove(self, now: float, session: Session = SESSION) -> Life:
        self.tell(SignedIn(self.machine.attempt, session), now)
        self.tell(SocketOpened(self.machine.attempt), now)
        return self

    def online(self, now: float = 0.0, next_beat: int = 5000) -> Life:
        self.proving(now)
        self.tell(BeatAnswered(self.machine.attempt, next_beat), now)
        assert self.state == "ONLINE"
        return self

    def degraded(self, now: float = 0.0) -> Life:
        """A receive failed at `now`."""
        self.online(now)
        self.tell(ReceiveFailed(self.machine.attempt, "refused"), now)
        assert self.state == "DEGRADED"
        return self

    def backoff(self, now: float = 0.0) -> Life:
        self.signing_in(now)
        self.tell(SignInFailed(1, "no"), now)
        assert self.state == "BACKOFF"
        return self

    def stopping(self, now: float = 0.0) -> Life:
        self.online(now)
        self.tell(Stop(), now)
        assert self.state == "STOPPING"
        return self

    def reconnecting(self, now: float = 0.0) -> Life:
        """Lost at `now`, ten seconds after the sign-in."""
        self.online(now - 10)
        self.tell(Reconnect(), now)
        assert self.state == "RECONNECTING"
        return self


BRITTLE = {"send_failure_limit": 1, "receive_failure_limit": 1}


def in_state(state: str, **config: Any) -> Life:
    """A life that is in the state at 0."""
    life = Life(**config)
    if state != "OFFLINE":
        getattr(life, state.lower())()
    return life


def beats(effects: list[Effect]) -> int:
    return sum(isinstance(effect, SendHeartbeat) for effect in effects)
