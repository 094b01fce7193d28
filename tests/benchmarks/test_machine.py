"""How many events a second: the compiled chart beside a machine written by hand and the libraries of the field.

Every contender of a group takes the same events in the same order.  The shortest of many short rounds counts: the one
that nothing else on the computer disturbed.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Protocol

import pytest
import statemachine
from automat import TypeMachineBuilder

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.lifecycle.chart import CHART, State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    BeatSent,
    DeadlinePassed,
    Event,
    Invited,
    SendFailed,
    SignedIn,
    SignedOut,
    SignInFailed,
    SocketOpened,
    Start,
    Stop,
    Unauthorized,
)
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation, Session
from tests.benchmarks.board import Board, Target
from tests.benchmarks.hand_written import HandWritten
from tests.benchmarks.table_loop import table_loop

BARE = "bare chart of seven states, one event"
LIFE = "the life of a connection, one event"
BEAT = "one heartbeat and its answer"
COMPILED, BY_HAND = "compiled chart", "hand-written"


@pytest.fixture(scope="module", autouse=True)
def targets(board: Board) -> Iterator[None]:
    yield
    board.ratio(BARE, "transitions", COMPILED, 25, at_least=True)
    board.ratio(BARE, "automat", COMPILED, 1, at_least=True)
    board.ratio(LIFE, COMPILED, BY_HAND, 1.5)


# The bare chart ------------------------------------------------------------------------------------------------------

MOVES = (
    ("start", "OFFLINE", "SIGNING_IN"),
    ("answered", "SIGNING_IN", "ONLINE"),
    ("answered", "DEGRADED", "ONLINE"),
    ("answered", "RECONNECTING", "ONLINE"),
    ("send_failed", "ONLINE", "DEGRADED"),
    ("lost", "DEGRADED", "RECONNECTING"),
    ("sign_in_failed", "SIGNING_IN", "BACKOFF"),
    ("sign_in_failed", "RECONNECTING", "BACKOFF"),
    ("waited", "BACKOFF", "RECONNECTING"),
    ("stop", "ONLINE", "STOPPING"),
    ("signed_out", "STOPPING", "OFFLINE"),
)
TRIGGERS = tuple(dict.fromkeys(trigger for trigger, _, _ in MOVES))
BARE_CHART = Chart(
    "bare",
    "OFFLINE",
    tuple(ChartState(state.value) for state in State),
    (
        *(Row(trigger, source, dest) for trigger, source, dest in MOVES),
        *(
            Row(trigger, state, None, ignored=True)
            for trigger in TRIGGERS
            for state in State
            if not any(move[:2] == (trigger, state) for move in MOVES)
        ),
    ),
)
BARE_LIFE = (
    *("start", "answered"),
    *("send_failed", "answered") * 40,
    *("send_failed", "lost", "sign_in_failed", "waited", "answered") * 4,
    *("stop", "signed_out"),
)
"""From OFFLINE to OFFLINE, through every state."""


class Bare:
    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = "OFFLINE"


def test_bare_dict_lookup(benchmark: Any, board: Board) -> None:
    """The limit: what a machine does at least."""
    table: dict[str, dict[str, str]] = {}
    for trigger, source, dest in MOVES:
        table.setdefault(source, {})[trigger] = dest

    def live() -> str:
        state = "OFFLINE"
        for trigger in BARE_LIFE:
            state = table[state][trigger]
        return state

    assert benchmark(live) == "OFFLINE"
    board.time(BARE, "dict lookup", benchmark, len(BARE_LIFE))


def test_bare_compiled(benchmark: Any, board: Board) -> None:
    step = BARE_CHART.compile(Bare, arity=0)
    model = Bare()

    def live() -> None:
        for trigger in BARE_LIFE:
            step(model, trigger)

    benchmark(live)
    assert model.state == "OFFLINE"
    board.time(BARE, COMPILED, benchmark, len(BARE_LIFE))


def test_bare_transitions(benchmark: Any, board: Board) -> None:
    class Model:
        state: str

    model = Model()
    BARE_CHART.machine(model)
    _live_by_method(model, benchmark)
    assert model.state == "OFFLINE"
    board.time(BARE, "transitions", benchmark, len(BARE_LIFE))


def test_bare_python_statemachine(benchmark: Any, board: Board) -> None:
    class Machine(statemachine.StateMachine):
        offline = statemachine.State(initial=True)
        signing_in, online, degraded = statemachine.State(), statemachine.State(), statemachine.State()
        reconnecting, backoff, stopping = statemachine.State(), statemachine.State(), statemachine.State()

        start = offline.to(signing_in)
        answered = signing_in.to(online) | degraded.to(online) | reconnecting.to(online)
        send_failed = online.to(degraded)
        lost = degraded.to(reconnecting)
        sign_in_failed = signing_in.to(backoff) | reconnecting.to(backoff)
        waited = backoff.to(reconnecting)
        stop = online.to(stopping)
        signed_out = stopping.to(offline)

    machine = Machine()
    _live_by_method(machine, benchmark)
    assert machine.offline.is_active
    board.time(BARE, "python-statemachine", benchmark, len(BARE_LIFE))


def test_bare_automat(benchmark: Any, board: Board) -> None:
    class Inputs(Protocol):
        def start(self) -> None: ...
        def answered(self) -> None: ...
        def send_failed(self) -> None: ...
        def lost(self) -> None: ...
        def sign_in_failed(self) -> None: ...
        def waited(self) -> None: ...
        def stop(self) -> None: ...
        def signed_out(self) -> None: ...

    builder = TypeMachineBuilder(Inputs, Bare)
    states = {state.value: builder.state(state.value) for state in State}
    for trigger, source, dest in MOVES:
        states[source].upon(getattr(Inputs, trigger)).to(states[dest]).returns(None)
    machine = builder.build()(Bare())
    _live_by_method(machine, benchmark)  # an input that its state does not expect raises
    board.time(BARE, "automat", benchmark, len(BARE_LIFE))


def _live_by_method(machine: Any, benchmark: Any) -> None:
    """Send the events as these libraries want it: each is a method, here even looked up beforehand."""
    events = tuple(getattr(machine, trigger) for trigger in BARE_LIFE)

    def live() -> None:
        for event in events:
            event()

    benchmark(live)


# The full machine ----------------------------------------------------------------------------------------------------

CONFIG = Config()
SESSION = Session("127.0.0.1", 9000, 1, "token")


class Tabled(Lifecycle):
    """The same machine, stepped by a loop over tables: what the engine's source is worth."""

    __slots__ = ()


Tabled.step = table_loop(CHART, Lifecycle)


class OnTransitions(Lifecycle):
    """The same machine, run by `transitions`, which does not tell the row: transitions go unreported, to its favour."""

    def __init__(self, config: Config, random: Random) -> None:
        super().__init__(config, random)
        CHART.machine(self)

    def handle(self, event: Event, now: float) -> list[Effect]:
        if not now > self.now:
            now = self.now
        self.now = now
        effects = self._effects = []
        getattr(self, event.trigger)(event, now)
        return effects


Machine = Callable[[Config, Random], Any]
MACHINES = {BY_HAND: HandWritten, COMPILED: Lifecycle, "table loop": Tabled, "transitions": OnTransitions}


class Recorder:
    """Lives a life once, to keep its events and their times."""

    def __init__(self) -> None:
        self.machine = Lifecycle(CONFIG, Random(1))
        self.now = 0.0
        self.events: list[tuple[Event, float]] = []

    def tell(self, event: Event, delay: float = 0.0) -> None:
        self.now += delay
        self.events.append((event, self.now))
        self.machine.handle(event, self.now)

    def wait(self) -> None:
        self.now = self.machine.deadline
        self.tell(DeadlinePassed())

    def connect(self) -> None:
        self.tell(SignedIn(self.machine.attempt, SESSION), 0.3)
        self.tell(SocketOpened(self.machine.attempt), 0.001)
        self.answer()

    def expect(self, state: State) -> None:
        assert self.machine.state is state

    def answer(self) -> None:
        self.tell(BeatSent(self.machine.attempt))
        self.tell(BeatAnswered(self.machine.attempt, 10_000), 0.02)

    def beats(self, number: int) -> None:
        for _ in range(number):
            self.wait()
            self.answer()


def scripted_life() -> list[tuple[Event, float]]:
    """Sign-in, steady heartbeats, an invitation, a failed send, silence, a 401, a server that is down, the end."""
    life = Recorder()
    life.tell(Start())
    life.connect()
    life.beats(100)
    invitation = Invitation("alice", "code", 0, "session", "server")
    life.tell(Invited(life.machine.attempt, invitation), 1.0)
    life.tell(Invited(life.machine.attempt, invitation), 1.0)
    life.beats(50)
    life.wait()
    life.tell(SendFailed(life.machine.attempt, "network is unreachable"))
    life.expect(State.DEGRADED)
    life.beats(50)
    while life.machine.state is not State.RECONNECTING:
        life.wait()
        if life.machine.socket_ready:
            life.tell(BeatSent(life.machine.attempt))
    life.connect()
    life.beats(50)
    life.tell(Unauthorized(life.machine.attempt))
    for _ in range(3):
        life.expect(State.BACKOFF)
        life.wait()
        life.tell(SignInFailed(life.machine.attempt, "connection refused"), 0.1)
    life.wait()
    life.connect()
    life.expect(State.ONLINE)
    life.beats(50)
    life.tell(Stop(), 1.0)
    life.tell(SignedOut(life.machine.attempt), 0.1)
    life.expect(State.OFFLINE)
    return life.events


SCRIPTED_LIFE = scripted_life()


def live(machine: Any) -> Any:
    for event, now in SCRIPTED_LIFE:
        machine.handle(event, now)
    return machine


@pytest.mark.parametrize("contender", MACHINES)
def test_life(contender: str, benchmark: Any, board: Board) -> None:
    kind: Machine = MACHINES[contender]
    machine = benchmark.pedantic(
        live,
        setup=lambda: ((kind(CONFIG, Random(1)),), {}),
        rounds=100 if kind is OnTransitions else 2000,
        warmup_rounds=1,
    )
    expected = live(Lifecycle(CONFIG, Random(1)))
    assert machine.snapshot() == expected.snapshot()
    assert kind is OnTransitions or machine.statistics == expected.statistics
    board.time(LIFE, contender, benchmark, len(SCRIPTED_LIFE))


@pytest.mark.parametrize("contender", MACHINES)
def test_beat(contender: str, benchmark: Any, board: Board) -> None:
    machine = online(MACHINES[contender], Random(1))
    due, sent, answered = DeadlinePassed(), BeatSent(1), BeatAnswered(1, 10_000)

    def beat() -> None:
        now = machine.deadline
        machine.handle(due, now)
        machine.handle(sent, now)
        machine.handle(answered, now + 0.02)

    benchmark.pedantic(beat, rounds=1000, iterations=200)
    assert machine.state is State.ONLINE
    assert machine.statistics.answers == machine.statistics.heartbeats == machine.sequence
    board.time(BEAT, contender, benchmark)


def online(kind: Machine, random: Random) -> Any:
    machine = kind(CONFIG, random)
    for event in (Start(), SignedIn(1, SESSION), SocketOpened(1), BeatSent(1), BeatAnswered(1, 10_000)):
        machine.handle(event, random.random())
    return machine


# An instance ---------------------------------------------------------------------------------------------------------


def test_creation(benchmark: Any, board: Board) -> None:
    random = Random(1)
    benchmark.pedantic(Lifecycle, (CONFIG, random), rounds=100, iterations=200)
    board.time("creation of an instance", COMPILED, benchmark)
    board.targets.append(Target("creation of an instance", benchmark.stats.stats.min * 1e6, 5, " µs"))
    board.targets.append(Target("an instance that is ONLINE", bytes_per_instance(), 1024, " bytes"))


def test_instance_is_small() -> None:
    """An instance of the machine takes less than 1 KB."""
    assert bytes_per_instance() < 1024


def bytes_per_instance() -> float:
    """What a machine that is ONLINE owns: not its session, configuration and random source."""
    number = 1000
    random = Random(1)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    machines = [online(Lifecycle, random) for _ in range(number)]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(machine.state is State.ONLINE for machine in machines)
    return (after - before) / number
