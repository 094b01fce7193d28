"""The shortest walks are walks, are shortest, and miss nothing that the guards could allow."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.path_formats import as_data, as_text, pytest_source
from agentcp_fsm.fsm.paths import paths
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.testing import Walk, strategies
from tests.fsm.charts import CHARTS
from tests.fsm.loose import loose_charts

NAMED = {chart.name: chart for chart in (CHART, *CHARTS)}


class Trying:
    """A compiled chart whose guards are tried with every answer; an answer holds until something is done."""

    def __init__(self, chart: Chart) -> None:
        guards = {name for row in chart.rows for name in row.conditions + row.unless}
        actions = {name for row in chart.rows for name in row.prepare + row.before + row.after}
        actions |= {name for state in chart.states for name in state.on_enter + state.on_exit}
        callbacks: dict[str, Any] = {name: lambda model: self.known.clear() for name in actions}
        self.model: Any = type("Model", (), callbacks | {name: self.ask(name) for name in guards})()
        self.step = chart.compile(type(self.model), arity=0)
        self.known: dict[str, bool] = {}
        self.tape: list[bool] = []
        self.used = 0

    def ask(self, name: str) -> Any:
        def answer(model: Any) -> bool:
            if name not in self.known:
                self.tape += [False] * (self.used == len(self.tape))
                self.known[name] = self.tape[self.used]
                self.used += 1
            return self.known[name]

        return answer

    def outcomes(self, state: str, trigger: str) -> set[tuple[Row, str]]:
        """Each row that may be taken, and where it leads."""
        found, self.tape = set(), []
        while True:
            self.known, self.used, self.model.state = {}, 0, state
            found.add((self.step(self.model, trigger), self.model.state))
            del self.tape[self.used :]
            while self.tape and self.tape[-1]:
                self.tape.pop()
            if not self.tape:
                return found
            self.tape[-1] = True


def distances(chart: Chart) -> tuple[dict[str, int], dict[tuple[Row, str], int]]:
    """Of each state, and of each row in each state, in events from the beginning."""
    trying = Trying(chart)
    states, rows, now = {chart.initial: 0}, dict[tuple[Row, str], int](), [chart.initial]
    for state in now:  # grows meanwhile
        for trigger in chart.triggers:
            for row, dest in trying.outcomes(state, trigger):
                rows[row, state] = states[state] + 1
                if dest not in states:
                    states[dest] = states[state] + 1
                    now.append(dest)
    return states, {pair: length for pair, length in rows.items() if pair[0] in chart.rows}


def check(chart: Chart) -> None:
    states, rows = distances(chart)
    found = paths(chart, every_source=True)
    for path in found:
        walk = Walk(chart)
        for event in path.events:
            walk.send(event.trigger, **event.answers)
        assert walk.state == path.end
        assert path.row is None or walk.row == path.row
    assert {path.end: len(path.events) for path in found if path.row is None} == states
    assert {(path.row, path.source): len(path.events) for path in found if path.row and path.source} == rows
    nearest = {path.row: len(path.events) for path in paths(chart) if path.row}
    assert nearest == {
        row: min(length for (other, _), length in rows.items() if other == row) for row in {row for row, _ in rows}
    }


@given(strategies.charts() | loose_charts(undecided=("ignore",)))
def test_walks_are_shortest_and_miss_nothing(chart: Chart) -> None:
    check(chart)


@pytest.mark.parametrize("name", NAMED)
def test_each_row_of_each_chart_has_a_walk_in_each_state(name: str) -> None:
    chart = NAMED[name]
    found = {(path.row, path.source) for path in paths(chart, every_source=True)}
    assert found >= {(row, source) for row in chart.rows for source in chart.sources(row)}


def test_an_answer_may_change_where_something_is_prepared() -> None:
    rows = (
        Row("go", "A", None, conditions="sure"),
        Row("go", "A", "B", prepare="think", conditions="sure"),
        Row("go", ("A", "B"), None),
    )
    chart = Chart("thoughts", "A", (ChartState("A"), ChartState("B", final=True)), rows)
    (path,) = [path for path in paths(chart) if path.end == "B" and path.row is None]
    assert path.events[0].answers == {"sure": [False, True]}
    assert as_text(path) == "→ B: go [sure: no, then yes]"
    check(chart)


def test_a_row_that_no_answers_allow_has_no_walk() -> None:
    rows = (Row("go", "A", "B", conditions="g"), Row("go", "A", "B", unless="g"), Row("go", ("A", "B"), "A"))
    chart = Chart("never", "A", (ChartState("A"), ChartState("B")), rows)
    assert [path.source for path in paths(chart, every_source=True) if path.row is rows[2]] == ["B"]
    check(chart)


@pytest.mark.parametrize("name", NAMED)
def test_as_tests_they_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chart = NAMED[name]
    found = paths(chart)
    module = ModuleType("charts_of_paths")
    module.__dict__["ITS"] = type("Holder", (), {"CHART": chart})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names: dict[str, Any] = {}
    exec(compile(pytest_source(chart, found, "charts_of_paths:ITS.CHART"), "paths", "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == len(found)
    for test in tests:
        test()


def test_names_that_are_no_names_are_quoted() -> None:
    rows = (Row('say "hi"', "it's", "b\n", conditions="is it?", unless="class"), Row('say "hi"', "*", None))
    chart = Chart("odd", "it's", (ChartState("it's"), ChartState("b\n", final=True)), rows)
    source = pytest_source(chart, paths(chart), "odd:CHART")
    assert """walk.send('say "hi"', **{'is it?': True, 'class': False})""" in source
    compile(source, "paths", "exec")
    assert as_data(chart, paths(chart))[1] == {
        "end": "b\n", "row": None, "source": None,
        "events": [{"trigger": 'say "hi"', "answers": {"is it?": True, "class": False}}],
    }  # fmt: skip
