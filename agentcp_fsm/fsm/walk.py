"""A walk through a chart by hand: events one by one, the guards answered by the caller, the actions only noted::

    walk = Walk(CHART)
    assert walk.send("start") == ["begin_anew", "begin_sign_in"]
    walk.send("socket_failed", socket_in_hand=True, attempts_exhausted=False)
    assert walk.state == "BACKOFF"

The chart is compiled and run as it is; only its model is invented.  The page of ``agentcp-fsm diagram --format html``
writes such tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from agentcp_fsm.errors import WalkError
from agentcp_fsm.fsm.callbacks import Call, Use
from agentcp_fsm.fsm.chart import Chart, ChartState, Row, name_of
from agentcp_fsm.fsm.check import check
from agentcp_fsm.fsm.step import compile_with


class Walk:
    """A chart that runs step by step.  Raises ChartError where `Chart.compile` does."""

    def __init__(self, chart: Chart) -> None:
        check(chart)
        self._step = compile_with(chart, _Callbacks(self), arity=0)
        self._model = SimpleNamespace(state=chart.value_of(chart.initial))
        self._trigger = ""
        self._answers: dict[str, bool | list[bool]] = {}
        self._asked: set[str] = set()
        self.actions: list[str] = []
        """The actions of the last event, in order."""
        self.row: Row | None = None
        """The row that the last event took; None before the first."""

    @property
    def state(self) -> str:
        """The present state."""
        return str(name_of(self._model.state))

    def send(self, trigger: str, /, **answers: bool | Sequence[bool]) -> list[str]:
        """Send one event and return its actions, in order.

        `answers` holds the answer of each guard that is asked, by name.  If callbacks of ``prepare`` change an answer
        on the way, it is a list with one answer for each time the guard is asked.  Raises WalkError unless exactly
        these guards are asked, and ChartError for a trigger that the chart does not have.
        """
        self._trigger, self._asked, self.actions = trigger, set(), []
        self._answers = {name: answer if isinstance(answer, bool) else list(answer) for name, answer in answers.items()}
        self.row = self._step(self._model, trigger)
        for name, answer in self._answers.items():
            if name not in self._asked or (isinstance(answer, list) and answer):
                raise WalkError(f"{trigger} took the row <{self.row}> and did not ask {name!r}: leave its answer out")
        return self.actions

    def _ask(self, name: str) -> bool:
        answer = self._answers.get(name, [])
        if isinstance(answer, list):
            if not answer:
                raise WalkError(f"{self._trigger} in {self.state} asks {name!r}: add {name}=True or {name}=False")
            answer = answer.pop(0)
        self._asked.add(name)
        return answer


class _Callbacks:
    """Guards that the walk answers, and actions that it notes; a name may be both."""

    label = "Walk"

    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def find(self, name: str, use: Use) -> Call:
        walk = self._walk
        return (lambda model: walk._ask(name)) if use == "guard" else (lambda model: walk.actions.append(name))

    def of_state(self, state: ChartState, kind: str) -> list[Call]:
        return [self.find(name, "action") for name in getattr(state, kind)]
