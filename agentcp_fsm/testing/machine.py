"""A `RuleBasedStateMachine` that leads a connection's machine through any life at all.  It needs the extra ``testing``.

    TestConnection = ConnectionMachine.TestCase
    TestMine = connection_machine(Config(interval_max=10), invariants=[never_two_sign_ins]).TestCase

Every step is checked by a `agentcp_fsm.testing.monitor.Monitor`.  Events come in any order and at any time; so that the
deeper states are reached, one rule does what a well-behaved world would do next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from agentcp_fsm.errors import InvariantError
from agentcp_fsm.lifecycle import events
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.testing import strategies
from agentcp_fsm.testing.monitor import Watched
from agentcp_fsm.testing.script import Script, Step
from agentcp_fsm.traces import write_trace

TRACES = Path(".hypothesis", "agentcp_fsm")
"""Where traces of failing lives are kept, beside Hypothesis' own files."""
Invariant = Callable[[Lifecycle], object]
"""What must hold after each step: it fails by an exception, or by returning False."""

_SESSION = Session("192.0.2.1", 5000, 42, "token")


def next_event(machine: Lifecycle) -> Event:
    """What a well-behaved world would report next to `machine`, as far as its public state tells."""
    attempt = machine.attempt
    match machine.state:
        case "OFFLINE":
            return events.Start()
        case "SIGNING_IN" | "RECONNECTING" if machine.session is None:
            return events.SignedIn(attempt, _SESSION)
        case "SIGNING_IN" | "RECONNECTING" if not machine.socket_ready:
            return events.SocketOpened(attempt)
        case "STOPPING":
            return events.SignedOut(attempt)
        case "BACKOFF" if machine.socket_ready:
            return events.BeatAnswered(attempt, 5000)
        case "BACKOFF" if machine.socket_open:
            return events.SocketOpened(attempt)
        case "BACKOFF":
            return events.DeadlinePassed()
        case _:
            return events.BeatAnswered(attempt, 5000)


class ConnectionMachine(RuleBasedStateMachine):
    """Any configuration, any events, any time; S1 to S10 after every step.

    A failure shows the life that led to it as a script, a Python program of its own.
    """

    configs: ClassVar[st.SearchStrategy[Config]] = strategies.configs()
    checks: ClassVar[tuple[Invariant, ...]] = ()
    """What must hold beyond S1 to S10."""

    machine: Lifecycle
    watched: Watched
    now: float
    seed: int
    steps: list[Step]

    @initialize(data=st.data(), seed=st.integers(0, 2**16), now=st.sampled_from([0.0, 1e6, -5.0]))
    def begin(self, data: st.DataObject, seed: int, now: float) -> None:
        """Make the machine and its monitor."""
        config = data.draw(self.configs)
        self.machine = Lifecycle(config, Random(seed))  # noqa: S311 - jitter, not a secret
        self.watched = Watched(self.machine)
        self.now, self.seed, self.steps = now, seed, []

    @property
    def script(self) -> Script:
        """The present run."""
        return Script(self.machine.config, self.seed, tuple(self.steps))

    def tell(self, event: Event, delay: float) -> None:
        """Hand the machine an event, `delay` seconds after the last."""
        self.now += delay
        self.steps.append((event, self.now))
        try:
            self.watched.handle(event, self.now)
            for check in self.checks:
                if check(self.machine) is False:
                    name = getattr(check, "__qualname__", repr(check))
                    raise InvariantError(f"{name} does not hold in {self.machine.state}, after {event!r}")
        except Exception as error:
            error.add_note(f"As a script:\n\n{self.script}")
            error.add_note(self._write_trace())
            raise

    def _write_trace(self) -> str:
        """Keep the present run as a trace, in place of the last one; return where it is, or why not."""
        file = TRACES / f"{type(self).__name__}.trace"
        try:
            TRACES.mkdir(parents=True, exist_ok=True)
            write_trace(file, self.script.trace())
        except OSError as error:
            return f"No trace was written: {error}"
        return f"As a trace: agentcp-fsm trace replay {file}"

    @rule(delay=st.just(0.0) | st.floats(0, 0.5))
    def all_goes_well(self, delay: float) -> None:
        """The next thing that should happen does."""
        event = next_event(self.machine)
        if isinstance(event, events.DeadlinePassed):
            self.now = max(self.now, self.machine.deadline)
        self.tell(event, delay)

    @rule(delay=st.just(0.0) | st.floats(0, 0.5))
    def a_heartbeat_leaves(self, delay: float) -> None:
        """The network takes a heartbeat."""
        self.tell(events.BeatSent(self.machine.attempt), delay)

    @precondition(lambda self: self.machine.deadline < math.inf)
    @rule(late=st.one_of(st.just(0.0), st.just(0.0), st.floats(0, 1), st.floats(0, 1e5), st.just(-1e-3)))
    def the_deadline_passes(self, late: float) -> None:
        """The machine is woken: mostly on time, at times late, at times a little early."""
        self.now = max(self.now, self.machine.deadline)
        self.tell(events.DeadlinePassed(), late)

    @rule(data=st.data(), delay=strategies.DELAYS)
    def anything_happens(self, data: st.DataObject, delay: float) -> None:
        """Any event of the present attempt or another, whether it makes sense or not."""
        self.tell(data.draw(strategies.events(self.machine.attempt)), delay)

    @rule(
        event=st.sampled_from([events.Start(), events.Stop(), events.Reconnect(), events.RetryNow()]),
        delay=strategies.DELAYS,
    )
    def the_application_asks(self, event: Event, delay: float) -> None:
        """The application starts, stops, reconnects or loses patience."""
        self.tell(event, delay)

    @rule()
    def it_is_replaced_by_its_copy(self) -> None:
        """A machine restored from a snapshot goes on as if nothing had happened."""
        copy = Lifecycle(self.machine.config, self.machine.random)
        copy.restore(self.machine.snapshot())
        copy.statistics = self.machine.statistics
        if copy.snapshot() != self.machine.snapshot():
            raise AssertionError(f"restored {copy.snapshot()} from {self.machine.snapshot()}")
        self.machine = self.watched.machine = copy


def connection_machine(config: Config | None = None, invariants: Iterable[Invariant] = ()) -> type[ConnectionMachine]:
    """Make a `ConnectionMachine` of one configuration, or of any, that holds to more `invariants` than S1 to S10."""
    strategy = ConnectionMachine.configs if config is None else st.just(config)
    return type("ConfiguredConnectionMachine", (ConnectionMachine,), {"configs": strategy, "checks": tuple(invariants)})


__all__ = ["ConnectionMachine", "Invariant", "connection_machine", "next_event"]
