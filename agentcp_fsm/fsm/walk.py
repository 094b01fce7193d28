"""A walk through a chart by hand: events one by one, the guards answered by the caller, the actions only noted.

    walk = Walk(CHART)
    assert walk.send("start") == ["begin_anew", "begin_sign_in"]
    walk.send("socket_failed", socket_in_hand=True, attempts_exhausted=False)
    assert walk.state == "BACKOFF"

The chart is compiled and run as it is; only its model is invented.  The page of ``agentcp-fsm diagram --format html``
writes such tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentcp_fsm.errors import WalkError
from agentcp_fsm.fsm.chart import Chart, Row


class Walk:
    """A chart that runs step by step.  Raises ChartError where `Chart.compile` does."""

    def __init__(self, chart: Chart) -> None:
        guards = {name for row in chart.rows for name in row.conditions + row.unless}
        actions = {name for row in chart.rows for name in row.prepare + row.before + row.after}
        actions.update(name for state in chart.states for name in state.on_enter + state.on_exit)
        model = type("Model", (), {name: self._noting(name) for name in actions} | {n: self._asking(n) for n in guards})
        self._step = chart.compile(model, arity=0)
        self._model = model()
        self._model.state = chart.initial
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
        return str(self._model.state)

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

    def _noting(self, name: str) -> Callable[[object], None]:
        return lambda model: self.actions.append(name)

    def _asking(self, name: str) -> Callable[[object], bool]:
        def ask(model: object) -> bool:
            answer = self._answers.get(name, [])
            if isinstance(answer, list):
                if not answer:
                    raise WalkError(f"{self._trigger} in {self.state} asks {name!r}: add {name}=True or {name}=False")
                answer = answer.pop(0)
            self._asked.add(name)
            return answer

        return ask
