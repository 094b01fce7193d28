"""The machine's state as a value: snapshots, copies, equality; the compiled machine beside the live one; its size."""

import sys
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.fsm.chart import Row
from agentcp_fsm.lifecycle.chart import CHART, State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import DeadlinePassed, Event, Start
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.variables import Snapshot, Variables
from agentcp_fsm.testing import strategies
from agentcp_fsm.testing.machine import next_event

UNKNOWN_ROW = Row("any", "*", None)
"""What the live machine has taken: `handle` asks the row only for what it reports, and `transitions` does not tell."""


class Traced(Lifecycle):
    """The same machine, run by `transitions`: it steps by triggering the live machine's event."""

    step: Any

    def __init__(self, config: Config, random: Random) -> None:
        super().__init__(config, random)
        self.live = CHART.machine(self)
        self.calls: list[str] = []

    def step(self, trigger: str, *args: object) -> Row:  # type: ignore[no-redef]
        assert self.live.events[trigger].trigger(self, *args) is True
        return UNKNOWN_ROW


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, Event, float]]:
    """What to do at each step: ("good" or "due" or "any", the event of "any", seconds since the last)."""
    kind = st.sampled_from(["good", "good", "good", "due", "any", "any"])
    events: st.SearchStrategy[Event] = strategies.events(1)
    return draw(st.lists(st.tuples(kind, events, strategies.DELAYS), max_size=25))


def choose(machine: Lifecycle, kind: str, event: Event, delay: float, now: float) -> tuple[Event, float]:
    if kind == "good":
        event, delay = next_event(machine), min(abs(delay), 0.1)
    elif kind == "due":
        event = DeadlinePassed()
    elif hasattr(event, "attempt") and event.attempt == 1:
        event = replace(event, attempt=machine.attempt)  # type: ignore[type-var]
    if isinstance(event, DeadlinePassed) and machine.state != "OFFLINE":
        return event, max(now, machine.deadline)
    return event, now + delay


def acts(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if type(effect).__name__ != "ReportTransition"]


@given(config=strategies.configs(), life=steps(), seed=st.integers(0, 99))
def test_the_compiled_machine_and_the_live_one_agree(
    config: Config, life: list[tuple[str, Event, float]], seed: int
) -> None:
    chance, live_chance = Random(seed), Random(seed)
    compiled, live, now = Lifecycle(config, chance), Traced(config, live_chance), 0.0
    for kind, event, delay in life:
        event, now = choose(compiled, kind, event, delay, now)
        effects = compiled.handle(event, now)
        assert acts(effects) == live.handle(event, now)
        assert compiled.snapshot() == live.snapshot()
        assert isinstance(live.state, State)
        compiled.statistics.last_loss = compiled.statistics.last_failure = (
            None  # comes with the row, which only the compiled machine has
        )
        assert compiled.statistics == live.statistics
        assert chance.getstate() == live_chance.getstate()


@given(config=strategies.configs(), life=steps(), rest=steps(), seed=st.integers(0, 99))
def test_equal_snapshots_behave_equally(
    config: Config, life: list[tuple[str, Event, float]], rest: list[tuple[str, Event, float]], seed: int
) -> None:
    chance, other_chance = Random(seed), Random(seed)
    machine, now = Lifecycle(config, chance), 0.0
    for kind, event, delay in life:
        event, now = choose(machine, kind, event, delay, now)
        machine.handle(event, now)
    taken = machine.snapshot()
    other = Lifecycle(config, other_chance)
    other.handle(Start(), now + 1e10)  # whatever it was before, it is the snapshot now
    other_chance.setstate(chance.getstate())
    other.restore(taken)
    assert other.snapshot() == taken
    assert hash(other.snapshot()) == hash(taken)
    assert {taken: 1}[other.snapshot()] == 1
    assert other.deadline == machine.deadline
    kept = tuple(taken)
    for kind, event, delay in rest:
        event, now = choose(machine, kind, event, delay, now)
        assert machine.handle(event, now) == other.handle(event, now)
        assert machine.snapshot() == other.snapshot()
        assert machine.deadline == other.deadline
    assert tuple(taken) == kept, "a snapshot never changes"


def test_a_snapshot_is_the_whole_state() -> None:
    unstored = {"config", "random", "statistics", "_effects", "_invitations", "_lost"}
    assert set(Snapshot._fields) == set(Variables.__slots__) - unstored | {"known_invitations"}


@given(life=steps())
def test_a_step_that_changes_the_state_changes_the_snapshot(life: list[tuple[str, Event, float]]) -> None:
    machine, now = Lifecycle(Config(), Random(1)), 0.0
    for kind, event, delay in life:
        event, now = choose(machine, kind, event, delay, now)
        before = machine.snapshot()
        machine.handle(event, now)
        if before.state != machine.state:
            assert machine.snapshot() != before


def test_two_machines_share_nothing() -> None:
    one, other = Lifecycle(Config(), Random(1)), Lifecycle(Config(), Random(1))
    before = other.snapshot()
    one.handle(Start(), 0.0)
    assert other.snapshot() == before
    assert other.statistics.attempts == 0
    assert one.statistics.attempts == 1


def test_the_effects_of_a_step_are_the_callers() -> None:
    machine = Lifecycle(Config(), Random(1))
    effects = machine.handle(Start(), 0.0)
    kept = list(effects)
    assert machine.handle(Start(), 1.0) == []
    assert effects == kept


def test_a_machine_is_small() -> None:
    machine = Lifecycle(Config(), Random(1))
    assert not hasattr(machine, "__dict__")
    values = [getattr(machine, name) for name in Variables.__slots__ if name not in ("config", "random", "state")]
    own = [value for value in values if value is not None and not (isinstance(value, int) and value < 257)]
    assert len(own) > 15, "None, truth values and small numbers are all processes' own; floats are the machine's"
    assert sys.getsizeof(machine) + sum(sys.getsizeof(value) for value in own) < 1024


@given(st.sampled_from(list(State)), strategies.events())
def test_13_no_event_raises_in_any_state(state: str, event: Event) -> None:
    machine = Lifecycle(Config(), Random(1))
    machine.handle(Start(), 0.0)
    for _ in range(8):
        if machine.state == state:
            break
        machine.handle(next_event(machine), machine.now)
    before = machine.statistics
    counted = (before.ignored, before.stale, before.malformed)
    taken = machine.snapshot()
    effects = machine.handle(event, 1.0)
    after = machine.statistics
    if (after.ignored, after.stale, after.malformed) != counted and not effects:
        assert machine.snapshot() == taken._replace(now=1.0), "what is ignored has no effect"


def test_the_live_machine_is_introspected_and_drawn() -> None:
    transitions = pytest.importorskip("transitions.extensions")
    model = Traced(Config(), Random(1))
    assert sorted(model.live.get_triggers("BACKOFF")) == sorted(CHART.triggers)
    assert len(model.live.get_transitions("stop", "ONLINE")) == 1
    assert model.live.get_model_state(model).name == "OFFLINE"

    class Drawn(Lifecycle):
        pass

    drawn = CHART.machine(Drawn(Config(), Random(1)), transitions.GraphMachine, graph_engine="mermaid")
    picture = drawn.get_combined_graph().draw(None)
    for state in State:
        assert state in picture
