"""What tests take of a chart is counted, in this process and in pytest's workers, and reported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.coverage import Coverage
from agentcp_fsm.testing import Walk

SWITCH = Chart(
    "switch",
    "off",
    (ChartState("off"), ChartState("on")),
    (Row("press", "off", "on"), Row("press", "on", "off"), Row("wait", "*", None, ignored=True)),
)
PROJECT = {
    "switch.py": """
from agentcp_fsm import Chart, ChartState, Row
SWITCH = Chart("switch", "off", (ChartState("off"), ChartState("on")),
               (Row("press", "off", "on"), Row("press", "on", "off"), Row("wait", "*", None, ignored=True)))
class Switch:
    state = "off"
step = SWITCH.compile(Switch)
""",
    "test_switch.py": """
from agentcp_fsm.testing import Walk
from switch import SWITCH, Switch, step
def test_a_stepper(): step(Switch(), "press")
def test_a_walk(): Walk(SWITCH).send("wait")
""",
}


def test_rows_are_counted_in_their_states() -> None:
    coverage = Coverage(SWITCH)
    with coverage.watching():
        walk = Walk(SWITCH)
        other = Walk(Chart("other", "off", SWITCH.states, SWITCH.rows))
    for trigger in ("press", "press", "press", "wait"):
        walk.send(trigger)
        other.send(trigger)
    Walk(SWITCH).send("press")
    assert coverage.taken == {(0, "off"): 2, (1, "on"): 1, (2, "on"): 1}
    assert coverage.summary() == [
        "switch: 3 of 3 rows; 3 of 4 rows in their states; 3 of 4 events in their states"
    ]  # fmt: skip
    again = Coverage(SWITCH)
    again.add(json.loads(json.dumps(coverage.as_data())))
    again.add(coverage.as_data())
    assert again.taken[0, "off"] == 4


def test_rows_that_were_never_taken_are_named() -> None:
    assert Coverage(SWITCH).summary()[1:] == [f"  never taken: {row}" for row in SWITCH.rows]


@pytest.mark.parametrize("content", [None, [], {}, {"format": "agentcp-fsm coverage", "version": 2}])
def test_what_is_no_coverage_is_refused(content: object) -> None:
    with pytest.raises(ChartError, match=r"pytest -p agentcp_fsm\.pytest_plugin"):
        Coverage(SWITCH).add(content)


def test_the_coverage_of_another_chart_is_refused() -> None:
    other = Coverage(Chart("switch", "off", SWITCH.states, SWITCH.rows[:2]))
    with pytest.raises(ChartError, match="not of the present chart switch: run the tests again"):
        Coverage(SWITCH).add(other.as_data())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def pytest_in(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "agentcp_fsm.pytest_plugin", *options]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_pytest_reports_it(project: Path, workers: str) -> None:
    result = pytest_in(
        project, "--chart-coverage", "switch:SWITCH", "--chart-coverage-file", "taken.json", "-n", workers
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "switch: 2 of 3 rows; 2 of 4 rows in their states; 2 of 4 events in their states" in result.stdout
    assert "  never taken: press: on → off" in result.stdout
    taken = json.loads((project / "taken.json").read_text(encoding="utf-8"))["taken"]
    assert taken == [[0, "off", 1], [2, "off", 1]]


def test_without_the_option_nothing_is_reported(project: Path) -> None:
    result = pytest_in(project)
    assert result.returncode == 0
    assert "coverage" not in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--chart-coverage", "nowhere:CHART"], "there is no module nowhere"),
        (["--chart-coverage-file", "x.json"], "needs --chart-coverage"),
    ],
)
def test_a_wrong_option_is_an_error_of_usage(project: Path, options: list[str], words: str) -> None:
    result = pytest_in(project, *options)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert words in result.stderr


DAMAGED = [None, 5, [[0]], [["a", "off", 1]], [[0, "on", 1]], [[99, "off", 1]], [[0, "off", "x"]]]


@pytest.mark.parametrize("taken", DAMAGED)
def test_damaged_coverage_is_refused_and_nothing_of_it_is_added(taken: object) -> None:
    coverage = Coverage(SWITCH)
    with pytest.raises(ChartError, match="run the tests again"):
        coverage.add(coverage.as_data() | {"taken": taken})
    assert not coverage.taken
