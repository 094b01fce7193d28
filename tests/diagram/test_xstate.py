"""The JSON for XState loads in XState and does there what the chart does."""

import json
import subprocess
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.xstate import xstate
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.browser import node_package
from tests.diagram.strategies import charts
from tests.diagram.walks import Event, Step, Walk, actions_of, walk, walks
from tests.needs import needs_program

MANY = 150
"""Walks in one process of Node."""


def walk_in_xstate(walked: list[Walk]) -> list[list[Step]]:
    """The same walks in XState, which is given nothing but the JSON, the guards and the events."""
    folder = node_package("xstate").parents[1]
    content = []
    for each in walked:
        config = json.loads(xstate(each.chart))
        renamed = {trigger: event for event, trigger in config.get("meta", {}).get("events", {}).items()}
        events = [{"type": renamed.get(event.trigger, event.trigger), "guards": event.guards} for event in each.events]
        content.append({"config": config, "names": actions_of(each.chart), "events": events})
    script = (Path(__file__).parent / "walks.mjs").read_text(encoding="utf-8")
    result = subprocess.run(
        [needs_program("node", "nodejs"), "--input-type=module", "--eval", script],
        cwd=folder,
        input=json.dumps(content),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert not result.stderr, "XState warns of what it does not take"
    found = []
    for one, steps in zip(content, json.loads(result.stdout), strict=True):
        names = {key: state.get("meta", {}).get("name", key) for key, state in one["config"]["states"].items()}
        assert all(step["status"] == "active" for step in steps)
        found.append([Step(names[step["value"]], step["done"]) for step in steps])
    return found


def test_xstate_does_the_same() -> None:
    """One process of Node walks them all, and loads charts of any kind."""
    collected: list[Walk] = []
    loaded = st.builds(Walk, charts(), st.just([]), st.just({}), st.just([]))

    @settings(max_examples=MANY, suppress_health_check=list(HealthCheck), database=None)
    @given(st.one_of(walks(flipping=False), walks(flipping=False), loaded))
    def collect(walked: Walk) -> None:
        collected.append(walked)

    collect()
    assert any(walked.chart == CHART for walked in collected)
    for walked, steps in zip(collected, walk_in_xstate(collected), strict=True):
        assert steps == walked.steps, walked


def test_actions_run_in_the_order_of_the_engine_and_those_of_prepare_once() -> None:
    states = (
        ChartState("A", on_enter=("enter_a",), on_exit=("exit_a",)),
        ChartState("B", on_enter=("enter_b",), on_exit=("exit_b",), final=True),
    )
    rows = (
        Row("go", "A", "B", prepare="first", conditions="ready", before="b", after="a"),
        Row("go", "A", None, prepare="second", unless="sure"),
        Row("go", "A", "A", before="b", after="a"),
        Row("go", "B", None),
    )
    chart = Chart("order", "A", states, rows)
    walked = [
        walk(chart, [Event("go", {"ready": ready, "sure": sure})] * 2, {})
        for ready in (False, True)
        for sure in (False, True)
    ]
    assert [each.steps[0].actions for each in walked] == [
        ["first", "second"],
        ["first", "second", "b", "exit_a", "enter_a", "a"],
        ["first", "b", "exit_a", "enter_b", "a"],
        ["first", "b", "exit_a", "enter_b", "a"],
    ]
    assert walk_in_xstate(walked) == [each.steps for each in walked]


def test_nothing_that_the_chart_says_is_lost() -> None:
    config: dict[str, Any] = json.loads(xstate(CHART))
    assert config["meta"]["meanings"] == {"guards": CHART.guards, "actions": CHART.actions}
    assert list(config["states"]) == list(CHART.state_names)
    for state in CHART.states:
        told = config["states"][state.name]
        assert (told["description"], told["tags"], told["meta"]["owns"]) == (state.meaning, [state.role], state.owns)
        for trigger in CHART.triggers:
            assert [
                (each["description"], each["meta"].get("before", []), each["meta"].get("after", []))
                for each in told["on"][trigger]
            ] == [(row.reason, list(row.before), list(row.after)) for row in CHART.cell(state.name, trigger)]


def test_a_guard_is_a_name_or_says_what_it_is_made_of() -> None:
    online = json.loads(xstate(CHART))["states"]["ONLINE"]["on"]
    assert [each.get("guard") for each in online["unauthorized"]] == [
        {"type": "not socket_in_use", "params": {"conditions": [], "unless": ["socket_in_use"]}},
        {
            "type": "attempts_exhausted and not online_lasted",
            "params": {"conditions": ["attempts_exhausted"], "unless": ["online_lasted"]},
        },
        "refused_again",
        "flapping",
        "spread_configured",
        "sign_in_too_soon",
        None,
    ]
