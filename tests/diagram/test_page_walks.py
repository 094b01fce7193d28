"""The page walks a chart, and writes tests of it, as the engine runs it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from agentcp_fsm.errors import UndecidedError
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.page import walkable
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.testing import Walk, strategies
from tests.fsm.loose import loose_charts


class Compiled:
    """A compiled chart, whose guards answer from a tape and keep to their answer until something is done."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        guards = {name for row in chart.rows for name in row.conditions + row.unless}
        actions = {name for row in chart.rows for name in row.prepare + row.before + row.after}
        actions |= {name for state in chart.states for name in state.on_enter + state.on_exit}
        callbacks = {name: self.act(name) for name in actions} | {name: self.ask(name) for name in guards}
        self.model: Any = type("Model", (), callbacks)()
        self.step = chart.compile(type(self.model), arity=0)
        self.rows = {id(row): number for number, row in enumerate(chart.all_rows)}
        self.tape: Callable[[], bool] = bool

    def act(self, name: str) -> Callable[[Any], None]:
        def note(model: Any) -> None:
            self.known.clear()
            self.actions.append(name)

        return note

    def ask(self, name: str) -> Callable[[Any], bool]:
        def reply(model: Any) -> bool:
            if name not in self.known:
                self.known[name] = self.tape()
                self.answers.append(self.known[name])
            self.asked.append([name, self.known[name]])
            return self.known[name]

        return reply

    def walk(self, triggers: list[str], tape: Callable[[], bool]) -> tuple[list[Any], list[Any]]:
        """The events, with the answers that they asked for, and what they came to."""
        self.model.state, self.tape = self.chart.initial, tape
        sent, came = [], []
        for trigger in triggers:
            source = self.model.state
            self.known: dict[str, bool] = {}
            self.answers: list[bool] = []
            self.asked: list[Any] = []
            self.actions: list[str] = []
            row = self.step(self.model, trigger)
            sent.append({"trigger": trigger, "answers": self.answers})
            came.append(
                {
                    "source": str(source),
                    "dest": str(self.model.state),
                    "row": self.rows[id(row)],
                    "actions": self.actions,
                    "asked": self.asked,
                }
            )
        return sent, came


def mostly(chance: float, source: random.Random) -> Callable[[], bool]:
    return lambda: source.random() < chance


WALKS = """([chart, walks]) => walks.map((events) => walk(chart, events).map((step) => ({
    source: step.source, dest: step.dest, row: chart.rows.indexOf(step.row), actions: step.actions,
    asked: step.asked.map(({guard, answer}) => [guard, answer]),
})))"""


def test_the_page_walks_our_chart_as_the_engine_does(interpreter: Page) -> None:
    source = random.Random(7)
    compiled = Compiled(CHART)
    pairs = [
        compiled.walk(source.choices(CHART.triggers, k=40), mostly(chance, source))
        for chance in [0.2, 0.5, 0.8, 0.95] * 25
    ]
    assert interpreter.evaluate(WALKS, [walkable(CHART), [sent for sent, _ in pairs]]) == [came for _, came in pairs]
    taken = {(step["source"], step["row"]) for _, came in pairs for step in came}
    assert len(taken) > 150  # of the rows in their states


@given(chart=strategies.charts() | loose_charts(("ignore",)), data=st.data())
@settings(max_examples=50, phases=[phase for phase in Phase if phase != Phase.explain])
def test_the_page_walks_any_chart_as_the_engine_does(interpreter: Page, chart: Chart, data: st.DataObject) -> None:
    source = data.draw(st.randoms(use_true_random=False))
    compiled = Compiled(chart)
    pairs = [compiled.walk(source.choices(chart.triggers, k=12), mostly(0.5, source)) for _ in range(4)]
    assert interpreter.evaluate(WALKS, [walkable(chart), [sent for sent, _ in pairs]]) == [came for _, came in pairs]
    run_as_tests(interpreter, chart, [sent for sent, _ in pairs])


def run_as_tests(interpreter: Page, chart: Chart, walks: list[Any]) -> None:
    """Runs the tests that the page writes for some walks, each through the compiled chart."""
    texts = interpreter.evaluate(
        "([chart, walks]) => walks.map((events) => snippet('charts_of_tests', 'CHART', chart, walk(chart, events)))",
        [walkable(chart), walks],
    )
    for text in texts:
        run_test(text, chart)


def run_test(text: str, chart: Chart) -> None:
    module = ModuleType("charts_of_tests")
    module.__dict__["CHART"] = chart
    sys.modules[module.__name__] = module
    try:
        names: dict[str, Any] = {}
        exec(compile(text, "the page's test", "exec"), names)
        tests = [value for name, value in names.items() if name.startswith("test_")]
        assert len(tests) == 1
        tests[0]()
    finally:
        del sys.modules[module.__name__]


def test_a_test_with_names_that_are_no_names_runs(interpreter: Page) -> None:
    rows = (
        Row('a "b"\\', "first one", "é\n2", conditions="is it?", unless=("class", "self", "trigger"), after="#'''",
            reason="One\nline.\r\u2028Two."),
        Row('a "b"\\', "*", "first one"),
    )  # fmt: skip
    chart = Chart("odd", "first one", (ChartState("first one"), ChartState("é\n2")), rows)
    walks = [Compiled(chart).walk(['a "b"\\'] * 3, tape)[0] for tape in (lambda: True, lambda: False)]
    walks.append([{"trigger": 'a "b"\\', "answers": [True, False, False, False]}])
    run_as_tests(interpreter, chart, walks)


TWO = (ChartState("A"), ChartState("B"))
SHARED_NAMES = {
    "a guard that is prepared": (Row("go", "A", "B", prepare="x", conditions="x"), Row("go", "A", None)),
    "a callback of entry by its name": (Row("go", "A", "B", conditions="x", after="on_enter_B"), Row("go", "A", None)),
    "a callback of exit by its name": (Row("go", "A", "B", conditions="x", before="on_exit_A"), Row("go", "A", None)),
    "a guard named as a callback": (Row("go", "A", "B", conditions=("x", "on_enter_B")), Row("go", "A", None)),
}


@pytest.mark.parametrize("rows", SHARED_NAMES.values(), ids=SHARED_NAMES.keys())
def test_a_name_of_several_uses_means_the_same_everywhere(interpreter: Page, rows: tuple[Row, ...]) -> None:
    """The walk by hand took a guard that is prepared for a guard alone, and the page knew no implicit callback."""
    chart = Chart("shared", "A", TWO, (*rows, Row("go", "B", "A")))
    guards = [name for row in rows for name in row.conditions]
    done = []
    for run in ("compiled", "live"):
        model: Any = type("Model", (), {"state": "A", "log": []})()
        for name in {name for row in rows for name in row.callbacks}:
            setattr(type(model), name, lambda self, name=name: self.log.append(name) or True)
        if run == "compiled":
            chart.compile(type(model))(model, "go")
        else:
            chart.machine(model)
            model.go()
        done.append((model.state, model.log))
    assert done[0] == done[1]
    walk = Walk(chart)
    actions = walk.send("go", **dict.fromkeys(guards, True))
    (came,) = interpreter.evaluate(
        "([chart, sent]) => walk(chart, [sent])",
        [walkable(chart), {"trigger": "go", "answers": [True] * len(guards)}],
    )
    assert (came["dest"], came["actions"]) == (walk.state, actions) == ("B", actions)
    asked = [each["guard"] for each in came["asked"]]
    assert sorted(done[0][1]) == sorted([*actions, *asked])


def test_an_event_that_no_row_decides_takes_the_page_nowhere(interpreter: Page) -> None:
    rows = (Row("go", "A", "B", conditions="sure"), Row("go", "B", "A"))
    chart = Chart("strict", "A", TWO, rows, undecided="raise")
    (came,) = interpreter.evaluate(
        "([chart, sent]) => [step(chart, 'A', sent)]", [walkable(chart), {"trigger": "go", "answers": [False]}]
    )
    assert (came["row"], came["question"], came["dest"]) == (None, None, "A")
    with pytest.raises(UndecidedError, match="strict: no row decides go in A; the chart makes this an error"):
        Walk(chart).send("go", sure=False)
