"""Feeds a trace to the machine of this version, and compares."""

from __future__ import annotations

from dataclasses import dataclass

from agentcp_fsm.fsm.chart import Row
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.traces.trace import Step, Trace


@dataclass(frozen=True, slots=True)
class Difference:
    """A step in which the machine did something else than the trace says."""

    number: int
    """Of the step, from 1."""
    step: Step
    effects: tuple[Effect, ...]
    """What the machine asks for now."""
    state: str
    """Its state after the step."""
    draws: int
    """How many random numbers it drew."""


def replay(trace: Trace) -> Difference | None:
    """Return the first step in which the machine acts otherwise than the trace says; None if there is none.

    What comes after such a step is another life, and not compared.
    """
    source = _Repeated()
    machine = Lifecycle(trace.config, source)
    machine.restore(trace.start)
    for number, step in enumerate(trace.steps, 1):
        source.draws, source.drawn = step.draws, 0
        effects, state = tuple(machine.handle(step.event, step.at)), str(machine.state)
        if effects != step.effects or state != step.state or source.drawn != len(step.draws):
            return Difference(number, step, effects, state, source.drawn)
    return None


def rows_of(trace: Trace) -> list[Row | None]:
    """The row of this version's chart that each step took; None from the first step on that goes elsewhere now."""
    source = _Repeated()
    machine = _Noting(trace.config, source)
    machine.restore(trace.start)
    rows: list[Row | None] = []
    for step in trace.steps:
        source.draws, source.drawn = step.draws, 0
        machine.handle(step.event, step.at)
        if str(machine.state) != step.state:
            break
        rows.append(machine.row)
    return [*rows, *[None] * (len(trace.steps) - len(rows))]


class _Noting(Lifecycle):
    """A machine that notes the row that it takes."""

    __slots__ = ("row",)

    def step(self, trigger: str, event: Event, now: float) -> Row:
        self.row = super().step(trigger, event, now)
        return self.row


class _Repeated:
    """A random source that draws what was drawn before; 0 beyond that, which is a difference anyway."""

    def __init__(self) -> None:
        self.draws: tuple[float, ...] = ()
        self.drawn = 0

    def random(self) -> float:
        self.drawn += 1
        return self.draws[self.drawn - 1] if self.drawn <= len(self.draws) else 0.0
