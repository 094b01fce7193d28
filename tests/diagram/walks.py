"""Walks: what a chart does on a sequence of events in our own engine, for other interpreters to repeat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, Row
from agentcp_fsm.fsm.protocols import Step as Stepper
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.testing import strategies
from tests.diagram.strategies import SPECIAL_NAMES
from tests.fsm.loose import loose_charts

Flips = dict[int, tuple[str, bool]]
"""By the number of an action in a walk: the guard that it changes, and to what."""


@dataclass(frozen=True, slots=True)
class Event:
    """A trigger, and what the guards say when it is sent."""

    trigger: str
    guards: dict[str, bool]


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one event."""

    state: str
    actions: list[str]


@dataclass(frozen=True, slots=True)
class Walk:
    """A chart, some events, and what our engine makes of them."""

    chart: Chart
    events: list[Event]
    flips: Flips
    steps: list[Step]


class World:
    """What guards say and what actions do: the model of our engine, and whatever another interpreter asks."""

    def __init__(self, flips: Flips) -> None:
        self.flips = flips
        self.guards: dict[str, bool] = {}
        self.done: list[str] = []
        self.number = 0

    def act(self, action: str) -> None:
        self.done.append(action)
        if flip := self.flips.get(self.number):
            self.guards[flip[0]] = flip[1]
        self.number += 1

    def taken(self) -> list[str]:
        done, self.done = self.done, []
        return done


def guards_of(chart: Chart) -> list[str]:
    return list(dict.fromkeys(name for row in chart.rows for name in row.conditions + row.unless))


def actions_of(chart: Chart) -> list[str]:
    of_states = [name for state in chart.states for name in state.on_enter + state.on_exit]
    return list(dict.fromkeys([*of_states, *(name for row in chart.rows for name in row.callbacks)]))


def walk(chart: Chart, events: list[Event], flips: Flips) -> Walk:
    """Send the events to the chart, compiled."""
    world = World(flips)
    model = type("Model", (), {"state": chart.initial})
    for action in actions_of(chart):
        setattr(model, action, lambda self, action=action: world.act(action))
    for guard in guards_of(chart):
        setattr(model, guard, lambda self, guard=guard: world.guards[guard])
    send: Stepper[Any] = chart.compile(model)
    instance = model()
    steps = []
    for event in events:
        world.guards.update(event.guards)
        send(instance, event.trigger)
        steps.append(Step(str(instance.state), world.taken()))
    return Walk(chart, events, flips, steps)


@st.composite
def walks(draw: st.DrawFn, *, flipping: bool = True) -> Walk:
    """Walks through charts of any kind, ours among them; `flipping`: actions may change what guards say.

    Every event comes with what each guard says.
    """
    chart = draw(st.one_of(st.just(CHART), strategies.charts(), loose_charts(("ignore",)), renamed_charts()))
    guards = guards_of(chart)
    said = st.fixed_dictionaries(dict.fromkeys(guards, st.booleans()))
    events = draw(st.lists(st.builds(Event, st.sampled_from(chart.triggers), said), min_size=1, max_size=12))
    flips: Flips = {}
    if guards and flipping:
        flip = st.tuples(st.sampled_from(guards), st.booleans())
        flips = draw(st.dictionaries(st.integers(0, 20), flip, max_size=6))
    return walk(chart, events, flips)


@st.composite
def renamed_charts(draw: st.DrawFn) -> Chart:
    """Charts that run, whose names may be anything that a file of text can hold."""
    chart = draw(strategies.charts())
    old = [*chart.state_names, *chart.triggers, *guards_of(chart), *actions_of(chart)]
    old = list(dict.fromkeys(old))
    writable = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1)
    legal = st.one_of(SPECIAL_NAMES, writable).filter(
        lambda name: name not in (EVERY, SAME, "state", "trigger") and not name.startswith("__")
    )
    new = dict(zip(old, draw(st.lists(legal, min_size=len(old), max_size=len(old), unique=True)), strict=True))

    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new.get(name, name) for name in names)

    rows = [
        Row(
            new[row.trigger],
            renamed(row.source),
            row.dest and new.get(row.dest, row.dest),
            prepare=renamed(row.prepare),
            conditions=renamed(row.conditions),
            unless=renamed(row.unless),
            before=renamed(row.before),
            after=renamed(row.after),
        )
        for row in chart.rows
    ]
    states = [
        replace(state, name=new[state.name], on_enter=renamed(state.on_enter), on_exit=renamed(state.on_exit))
        for state in chart.states
    ]
    return Chart(chart.name, new[chart.initial], tuple(states), tuple(rows))
