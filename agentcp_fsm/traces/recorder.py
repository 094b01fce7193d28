"""Records what happens to a machine, in bounded memory.

    recorder = record(machine)
    recorder.handle(Start(), now)  # in place of the machine's own
    write_trace("life.trace", recorder.trace())

A connection's recorder observes it instead: ``connection.observe(Recorder(agent_id))``.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentcp_fsm.lifecycle.chart import ONLINE
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.variables import RandomSource, Snapshot
from agentcp_fsm.traces.trace import Step, Trace

QUIET = 16
"""Steps of ONLINE after which earlier ones are forgotten: three make a heartbeat and its answer."""
BUSY = 64
"""The same outside ONLINE, where things happen."""

_Kept = tuple[Event, float, tuple[Effect, ...], tuple[float, ...], str]
"""The fields of a `Step`, in a tuple that is made in a fraction of its time."""
_Segment = tuple[Snapshot, list[_Kept]]
"""The machine at some moment, and the steps from there on."""


class Recorder:
    """Keeps the last steps of a machine: those since the last or the last but one snapshot.

    With `bounded`, a snapshot is taken after `QUIET` steps of ONLINE, or `BUSY` others; else only at the beginning.
    """

    def __init__(self, agent_id: str = "", *, bounded: bool = True, seed: int | None = None) -> None:
        self.agent_id = agent_id
        self._seed = seed
        self._bounded = bounded
        self._draws: list[float] = []
        self._machine: Lifecycle | None = None
        self._segments: tuple[_Segment, ...] = ()
        self._steps: list[_Kept] = []

    @property
    def has_machine(self) -> bool:
        """Whether there is a machine to record, and so a trace."""
        return self._machine is not None

    def adopted(self, machine: Lifecycle) -> None:
        """Record this machine from now on; nothing of an earlier one is kept."""
        if self._machine is not machine:
            self._machine = machine
            machine.random = _Recorded(machine.random, self._draws)
        self._steps = []
        self._segments = ((machine.snapshot(), self._steps),)

    def stepped(self, event: Event, effects: Sequence[Effect]) -> None:
        """Keep one step of the machine."""
        machine = self._machine
        assert machine is not None
        state, steps = machine.state, self._steps
        if draws := self._draws:
            drawn = tuple(draws)
            draws.clear()
        else:
            drawn = ()
        steps.append((event, machine.now, tuple(effects), drawn, state))
        if len(steps) >= QUIET and self._bounded and (state is ONLINE or len(steps) >= BUSY):
            self._steps = []
            self._segments = (self._segments[-1], (machine.snapshot(), self._steps))

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What the machine's own `handle` does, recorded."""
        assert self._machine is not None
        effects = self._machine.handle(event, now)
        self.stepped(event, effects)
        return effects

    def trace(self, wall: float | None = None) -> Trace:
        """Return what is kept, in any thread; `wall` as in `Trace`.  Raises ValueError before there is a machine."""
        machine, segments = self._machine, self._segments
        if machine is None:
            raise ValueError("the recorder has no machine yet: give it one by record() or Connection.observe()")
        return Trace(
            config=machine.config,
            start=segments[0][0],
            steps=tuple(Step(*step) for _, steps in segments for step in steps[:]),
            agent_id=self.agent_id,
            wall=wall,
            seed=self._seed,
        )


class _Recorded:
    """A random source that keeps what it draws."""

    __slots__ = ("_drawn", "_source")

    def __init__(self, source: RandomSource, drawn: list[float]) -> None:
        self._source = source
        self._drawn = drawn

    def random(self) -> float:
        number = self._source.random()
        self._drawn.append(number)
        return number


def record(machine: Lifecycle, agent_id: str = "", *, bounded: bool = False, seed: int | None = None) -> Recorder:
    """Return a recorder of this machine, whose `handle` is to be called from now on in place of the machine's."""
    recorder = Recorder(agent_id, bounded=bounded, seed=seed)
    recorder.adopted(machine)
    return recorder
