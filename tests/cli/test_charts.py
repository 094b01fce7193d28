"""``agentcp-fsm check`` is a gate for any chart, ``paths`` prints its walks, and ``chart`` its rows in any width."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentcp_fsm.cli.target import OURS
from agentcp_fsm.fsm.chart import Chart
from tests.cli.command import COMMAND, refused, run
from tests.cli.test_chart import on_a_terminal
from tests.fsm.charts import CHARTS

ROOT = Path(__file__).parents[2]
FAULTY = """
from agentcp_fsm import Chart, ChartState, Row

FAULTY = Chart("faulty", "A", (ChartState("A"), ChartState("B")), (Row("go", "A", "B"), Row("back", "B", "A"),))
"""
TARGETS = ("bgp:BGP", "dhcp:DHCP", "mqtt:MQTT", "order:ORDER", "pod:POD", "sip:SIP", "tcp:TCP", "tls13:TLS")
MODULES = {chart.name: module for chart, module in zip(CHARTS, TARGETS, strict=True)}


def names_of(chart: Chart) -> set[str]:
    """Every name and reason that a chart's rows have."""
    rows = chart.rows
    return {
        *(row.trigger for row in rows), *(row.reason for row in rows), *chart.state_names,
        *(name for row in rows for name in row.callbacks),
    }  # fmt: skip


def words(text: str) -> str:
    """The text without its layout: a name may be folded anywhere."""
    return re.sub(r"\s", "", re.sub(r"\x1b\[[\d;]*m", "", text))


@pytest.mark.parametrize("columns", [20, 40, 60, 200])
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_terminal_of_any_width_shows_everything(chart: Chart, columns: int) -> None:
    output = on_a_terminal("chart", "--from", f"tests.fsm.charts.{MODULES[chart.name]}", columns=columns)
    lines = re.sub(r"\x1b\[[\d;]*m", "", output).splitlines()
    assert max(map(len, map(str.rstrip, lines))) <= columns
    if columns < 75:  # in a table, other columns stand between the parts of a folded name
        missing = {name for name in names_of(chart) if words(name) not in words(output)}
    else:
        missing = {name for name in names_of(chart) for word in name.split() if word not in output}
    assert not missing


def test_a_piped_chart_has_all_parts_of_its_rows() -> None:
    shown = [
        json.loads(line) for line in run("chart", "--json", "--from", "tests.fsm.charts.mqtt:MQTT").stdout.splitlines()
    ]
    assert [row["trigger"] for row in shown] == [row.trigger for row in CHARTS[2].rows]
    assert all("prepare" in row for row in shown)


@pytest.mark.parametrize("module", [*MODULES.values(), None])
def test_sound_charts_pass_the_gate(module: str | None) -> None:
    result = run("check", "--from", OURS if module is None else f"tests.fsm.charts.{module}")
    assert result.returncode == 0
    assert result.stdout.endswith(": sound\n")


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "faulty.py").write_text(FAULTY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.usefixtures("faulty")
def test_a_fault_stops_the_gate_with_one_line_each() -> None:
    result = run("check", "--from", "faulty:FAULTY")
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        "undecided: back is undecided in A: it has no row; add one without guards",
        "undecided: go is undecided in B: it has no row; add one without guards",
        "faulty: 2 states, 2 events, 2 rows: 2 found",
    ]


@pytest.mark.usefixtures("faulty")
def test_programs_get_the_same_as_json() -> None:
    result = run("check", "--json", "--from", "faulty:FAULTY")
    assert result.returncode == 1
    content = json.loads(result.stdout)
    assert {name: content[name] for name in ("chart", "states", "triggers", "rows", "sound")} == {
        "chart": "faulty", "states": 2, "triggers": 2, "rows": 2, "sound": False,
    }  # fmt: skip
    assert content["findings"][0] == {
        "fault": "undecided", "text": "back is undecided in A: it has no row; add one without guards",
        "state": "A", "trigger": "back", "row": None,
    }  # fmt: skip
    assert json.loads(run("check", "--from", OURS, "--json").stdout)["sound"] is True


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "--from", "nowhere:X"], "there is no module nowhere"),
        (["paths", "--from", "faulty:FAULTY"], "faulty: (A, back) is undecided"),
        (["paths", "--format", "yaml"], "choose one of text, json, pytest"),
        (["paths", "--state", "AWAY"], "'AWAY' is no state of the chart"),
        (["chart", "--from", "faulty"], "'faulty' names no chart"),
    ],
)
def test_what_cannot_work_is_one_line(arguments: list[str], says: str) -> None:
    assert says in refused(run(*arguments))


def test_walks_are_printed() -> None:
    order = ("paths", "--from", "tests.fsm.charts.order:ORDER")
    assert "→ placed: place [in_stock, not customer_blocked]" in run(*order).stdout.splitlines()
    chosen = run(*order, "--state", "PAID", "--trigger", "cancel").stdout
    assert chosen == (
        "cancel in paid → cancelled: place [in_stock, not customer_blocked]; pay [amount_matches]; cancel\n"
    )
    data = json.loads(run(*order, "--format", "json").stdout)
    assert len(data) == len(CHARTS[3].states) + len(CHARTS[3].rows)


def test_walks_as_tests_pass(tmp_path: Path) -> None:
    source = run("paths", "--from", "tests.fsm.charts.order:ORDER", "--every-source", "--format", "pytest").stdout
    (tmp_path / "test_walks.py").write_text(source, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_walks.py"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    assert f"{source.count('def test_')} passed" in result.stdout


def test_progress_is_shown_on_a_terminal_for_a_large_chart_alone(tmp_path: Path) -> None:
    large = tmp_path / "large.svg"
    arguments = ["diagram", "--from", "tests.benchmarks.drawing:LARGE", "--output", str(large)]
    shown = on_a_terminal(*arguments, errors=True)
    assert "drawing 50 states: 50 states, 800 rows" in shown
    assert large.exists()
    assert on_a_terminal("diagram", "--output", str(tmp_path / "small.svg"), errors=True) == ""
    result = subprocess.run([*COMMAND, *arguments], capture_output=True, timeout=60, check=True)
    assert result.stderr == b""
