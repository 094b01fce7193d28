"""A swarm's worlds differ, reach every state, and show a defect as a short script."""

from itertools import islice
from typing import Any

import pytest

from agentcp_fsm import Config, State
from agentcp_fsm.fsm.chart import Row
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.simulation import explore, swarm

WORLDS = range(300)


def test_all_invariants_hold_in_worlds_that_reach_every_state_and_most_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Lifecycle.step
    taken = set[tuple[Row, str]]()

    def noted(machine: Lifecycle, trigger: str, *arguments: object) -> Row:
        source = machine.state
        row = step(machine, trigger, *arguments)
        taken.add((row, source))
        return row

    monkeypatch.setattr(Lifecycle, "step", noted)
    assert [failure for failure in map(explore, WORLDS) if failure is not None] == []
    assert {source for _, source in taken} == set(State)
    assert len({row for row, _ in taken}) > 0.6 * len(CHART.rows)


def hurried(self: Lifecycle, now: float, at_least: float) -> None:
    """A backoff that forgets what must be waited."""
    self.timeout_at = now + 0.5


def test_a_defect_becomes_a_short_script_that_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lifecycle, "_back_off", hurried)
    failures = list(islice((failure for failure in map(explore, WORLDS) if failure is not None), 4))
    assert len(failures) == 4
    failure = min(failures, key=lambda failure: len(failure.script.steps))
    assert "S8 broken" in failure.text or "S7 broken" in failure.text
    assert len(failure.script.steps) <= 4
    assert failure.script.config == Config()
    names: dict[str, Any] = {}
    with pytest.raises(AssertionError, match="broken in step"):
        exec(str(failure.script), names)


def test_the_number_of_processes_does_not_matter() -> None:
    assert list(swarm(range(120), 1)) == list(swarm(range(120), 2))
    assert sum(lived for lived, _ in swarm(range(120))) == 120
