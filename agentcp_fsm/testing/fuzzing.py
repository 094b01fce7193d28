"""A Hypothesis state machine for any chart and its model.  It needs the extra ``testing``.

DoorMachine = chart_machine(DOOR, Door, invariants=[at_most_one_bolt])
TestDoor = DoorMachine.TestCase
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar

from hypothesis import currently_in_test_context, find, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from agentcp_fsm.errors import ChartError, InvariantError, UndecidedError
from agentcp_fsm.fsm.callbacks import Call, ClassCallbacks, Use
from agentcp_fsm.fsm.chart import EVERY, Chart, Row, name_of
from agentcp_fsm.fsm.check import check
from agentcp_fsm.fsm.path_formats import event_text
from agentcp_fsm.fsm.paths import Answers, Event, paths, ways_to_states
from agentcp_fsm.fsm.step import compile_with

M = TypeVar("M")
Arguments = Mapping[str, st.SearchStrategy[tuple[Any, ...]]]
"""By trigger: the positional arguments of its events."""


class ChartMachine(RuleBasedStateMachine):
    """What `chart_machine` makes: events in any order, and walks to each row.

    Its ``TestCase`` has two tests: ``test_each_row`` takes each row in each state once, and fails for one that it does
    not take; ``test_any_events`` runs the machine as Hypothesis does.
    """

    taken: ClassVar[Counter[tuple[Row, str]]]
    """How often each row was taken in each state, in all runs of the machine so far."""
    model: Any
    """The model of the present run."""

    def take_each(self) -> None:
        """Take each row in each of its states, every time from the beginning.

        Raises InvariantError for rows that the model did not take, unless guards of its own may decide otherwise.
        """
        raise NotImplementedError


MOST_GOALS = 8
"""Rows that are walked to, one after the other, in one step of a run."""
MOST_TURNS = 2
"""Events for each state of the chart, after which a walk that the model leads astray is given up."""


@dataclass(frozen=True, slots=True)
class _Goal:
    """A row in one of its states, and the answers with which it is taken; it shows as one reads it."""

    row: Row
    source: str
    answers: Answers
    certain: bool
    """Whether no guard of the model's own has a say on the way."""

    def __repr__(self) -> str:
        return f"<{self.row} in {self.source}>"


def chart_machine(
    chart: Chart,
    model: type[M] | None = None,
    *,
    invariants: Iterable[Callable[[M], object]] = (),
    own_guards: Collection[str] = (),
    arguments: Arguments | None = None,
    build: Callable[[], M] | None = None,
) -> type[ChartMachine]:
    """Make a `RuleBasedStateMachine` that sends a model every event in every state, and takes every row.

    Its rules send any event, walk the shortest way to some rows and take them, and begin anew.  The guards' answers are
    drawn, or chosen for the walk, whatever the model would answer: a chart does not say how they depend on its
    actions.  `own_guards` are those that the model answers itself, ``"*"`` for all of them; walks that depend on them
    may end elsewhere.  Without a `model`, one is invented, whose actions do nothing.

    After each event, each of the `invariants` is called with the model: it fails by an exception, or by returning
    False.  `arguments` are strategies for the positional arguments of events, by trigger; an event that is not named
    has none.  `build` makes the model, if it takes arguments to do so.

    Raises ChartError where `Chart.compile` does, and for a chart without rows.
    """
    check(chart, model)
    kind: type[Any] = _Invented if model is None else model
    guards = sorted({name for row in chart.rows for name in row.conditions + row.unless})
    own = guards if EVERY in own_guards else own_guards
    answering = _Answering()
    step = compile_with(chart, _Driven(kind, {*guards} - {*own}, answering))
    if not chart.rows:
        raise ChartError(f"{chart.name} has no rows: there is nothing to fuzz")
    strategies = arguments or {}
    checks = tuple(invariants)
    ways: dict[str, dict[str, tuple[Event, ...]]] = {}
    goals = [
        _Goal(
            path.row,
            path.source,
            path.events[-1].answers,
            certain=not any(name in own for event in path.events for name in event.answers),
        )
        for path in paths(chart, every_source=True)
        if path.row is not None and path.source is not None
    ]
    none = st.just(())
    given_once = st.fixed_dictionaries(dict(strategies))
    events = st.sampled_from(chart.triggers).flatmap(
        lambda trigger: st.tuples(st.just(trigger), strategies.get(trigger, none))
    )
    holding = st.sets(st.sampled_from(guards)) if guards else st.just(set[str]())

    class Machine(ChartMachine):
        taken: ClassVar[Counter[tuple[Row, str]]] = Counter()

        @initialize(number=st.integers(0, len(goals)), from_the_last=st.booleans(), given=given_once)
        def begin(self, number: int, from_the_last: bool, given: Mapping[str, tuple[Any, ...]]) -> None:
            """Make the model, and take a number of rows, from the chart's first or last on.

            So half of all runs take any given row, however Hypothesis draws.
            """
            self._begin()
            for goal in (goals[::-1] if from_the_last else goals)[:number]:
                self._take(goal, given)

        @rule()
        def begin_anew(self) -> None:
            """Forget the model and make another."""
            self._begin()

        @rule(event=events, holding=holding)
        def send(self, event: tuple[str, tuple[Any, ...]], holding: set[str]) -> None:
            """Send any event; the guards in `holding` hold, and no others."""
            trigger, its_arguments = event
            self._send(Event(trigger, dict.fromkeys(holding, True)), its_arguments)

        @rule(rows=st.lists(st.sampled_from(goals), min_size=1, max_size=MOST_GOALS), given=given_once)
        def take(self, rows: list[_Goal], given: Mapping[str, tuple[Any, ...]]) -> None:
            """Walk the shortest way to each of some rows, from here or else from the beginning, and take it."""
            for goal in rows:
                self._take(goal, given)

        def take_each(self) -> None:
            """Take each row in each of its states, every time from the beginning."""
            given = find(given_once, lambda value: True, settings=settings(database=None))
            missed = []
            for goal in goals:
                self._begin()
                if not self._take(goal, given) and goal.certain:
                    missed.append(goal)
            if missed:
                raise InvariantError(f"the model goes another way than {chart.name}: it does not take {missed}")

        def _begin(self) -> None:
            self.model = kind() if build is None else build()
            if getattr(self.model, "state", None) is None:
                self.model.state = chart.value_of(chart.initial)
            self._check("the beginning")

        def _take(self, goal: _Goal, given: Mapping[str, tuple[Any, ...]]) -> bool:
            if goal.source not in self._ways():
                self._begin()
            for _ in range(MOST_TURNS * len(chart.states)):
                way = self._ways().get(goal.source)
                if not way:
                    break
                self._send(way[0], given.get(way[0].trigger, ()))  # the model's own guards may lead elsewhere
            if self._state() != goal.source:
                return False
            return self._send(Event(goal.row.trigger, goal.answers), given.get(goal.row.trigger, ())) is goal.row

        def _ways(self) -> Mapping[str, tuple[Event, ...]]:
            state = self._state()
            if state not in ways:
                ways[state] = ways_to_states(chart, state)
            return ways[state]

        def _state(self) -> str:
            return name_of(self.model.state)

        def _send(self, event: Event, its_arguments: tuple[Any, ...]) -> Row | None:
            source = self._state()
            answering.begin(event.answers)
            try:
                row = step(self.model, event.trigger, *its_arguments)
            except UndecidedError:
                return None  # as the chart has it
            if currently_in_test_context():
                note(f"{event_text(event)} in {source} → {self._state()}")
            self.taken[row, source] += 1
            self._check(f"{event.trigger} in {source}")
            return row

        def _check(self, event: str) -> None:
            for invariant in checks:
                if invariant(self.model) is False:
                    name = getattr(invariant, "__qualname__", repr(invariant))
                    raise InvariantError(f"{name} does not hold in {self._state()}, after {event}")

    Machine.__name__ = Machine.__qualname__ = "Machine_of_" + re.sub(r"\W", "_", chart.name)  # Hypothesis calls it so

    class TestCase(Machine.TestCase):  # type: ignore[misc,valid-type] # Hypothesis makes it
        def test_each_row(self) -> None:
            Machine().take_each()

        def test_any_events(self) -> None:
            self.runTest()

    Machine.TestCase = TestCase  # type: ignore[assignment]
    return Machine


class _Answering:
    """Answers guards in the model's place."""

    def __init__(self) -> None:
        self._answers: dict[str, bool | list[bool]] = {}

    def begin(self, answers: Answers) -> None:
        self._answers = {name: list(its) if isinstance(its, list) else its for name, its in answers.items()}

    def answer(self, name: str) -> bool:
        its = self._answers.get(name, False)
        if isinstance(its, list):
            return its.pop(0) if len(its) > 1 else its[0]
        return its


class _Driven(ClassCallbacks):
    """The callbacks of a model, but for the guards that are answered in its place."""

    def __init__(self, model: type, answered: Collection[str], answering: _Answering) -> None:
        super().__init__(model)
        self._answered = answered
        self._answering = answering

    def find(self, name: str, use: Use) -> Call:
        """How a callback is called."""
        if use == "guard" and name in self._answered:
            return lambda model, /, *args, **kwargs: self._answering.answer(name)
        return super().find(name, use)


class _Invented(SimpleNamespace):
    """A model that can do anything, which is nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name == "state":
            raise AttributeError(name)
        return lambda *args, **kwargs: None


__all__ = ["ChartMachine", "chart_machine"]
