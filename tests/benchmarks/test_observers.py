"""What watching costs: a heartbeat and its answer, with and without metrics and a recorder, as a driver makes them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from agentcp_fsm.connection.observing import Observer, adopted, observed
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import BeatAnswered, BeatSent, DeadlinePassed, SignedIn, SocketOpened, Start
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.operations.meter import Meter
from agentcp_fsm.traces import Recorder
from tests.benchmarks.board import Board, Target

GROUP = "one heartbeat, watched"
WATCHED: dict[str, tuple[type[Observer], ...]] = {
    "by nobody": (),
    "by metrics": (Meter,),
    "by a recorder": (Recorder,),
    "by both": (Meter, Recorder),
}
SESSION = Session("127.0.0.1", 9000, 1, "token")


class HalfRandom:
    def random(self) -> float:
        return 0.5


def online(observers: list[Observer]) -> Any:
    """A machine that is ONLINE, and its handle."""
    machine = Lifecycle(Config(), HalfRandom())
    handle = observed(machine, adopted(machine, observers))
    for event in (Start(), SignedIn(1, SESSION), SocketOpened(1), BeatSent(1), BeatAnswered(1, 10_000)):
        handle(event, 0.5)
    return machine, handle


@pytest.fixture(scope="module", autouse=True)
def targets(board: Board) -> Iterator[None]:
    yield
    seconds = board.seconds.get(GROUP, {})
    for contender in seconds.keys() - {"by nobody"}:
        more = (seconds[contender] - seconds["by nobody"]) * 1e6
        board.targets.append(Target(f"{GROUP} {contender}, on top", more, 1, " µs"))


@pytest.mark.parametrize("contender", WATCHED)
def test_beat(contender: str, benchmark: Any, board: Board) -> None:
    machine, handle = online([kind() for kind in WATCHED[contender]])
    due, sent, answered = DeadlinePassed(), BeatSent(1), BeatAnswered(1, 10_000)

    def beat() -> None:
        now = machine.deadline
        handle(due, now)
        handle(sent, now)
        handle(answered, now + 0.02)

    benchmark.pedantic(beat, rounds=1000, iterations=200)
    board.time(GROUP, contender, benchmark)


@pytest.mark.parametrize("kind", [Meter, Recorder])
def test_memory(kind: type[Observer], benchmark: Any, board: Board) -> None:
    """What an observer of a quiet connection owns."""
    number, machines = 200, []
    due, sent, answered = DeadlinePassed(), BeatSent(1), BeatAnswered(1, 10_000)
    for observers in ([], [kind]):
        tracemalloc.start()
        kept = []
        for _ in range(number):
            machine, handle = online([each() for each in observers])
            for _ in range(20):
                now = machine.deadline
                handle(due, now)
                handle(sent, now)
                handle(answered, now + 0.02)
            kept.append(handle)
        machines.append(tracemalloc.get_traced_memory()[0] / number)
        tracemalloc.stop()
    benchmark.pedantic(kind, rounds=10)
    board.targets.append(
        Target(f"a {kind.__name__.lower()} of a quiet connection", machines[1] - machines[0], 8192, " bytes")
    )
