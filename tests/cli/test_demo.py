"""``agentcp-fsm demo``: its exit status is the truth."""

import json
import time
from dataclasses import replace

import pytest

from agentcp_fsm.cli import demo
from agentcp_fsm.server import ServerThread
from tests.cli.command import ESCAPE, run

FAULTS = ("outage", "restart", "broken socket", "failing sign-in")


def test_every_recovery_happens_and_is_measured() -> None:
    began = time.monotonic()
    result = run("demo", "--fast", "--json")
    took = time.monotonic() - began
    assert (result.returncode, result.stderr) == (0, "")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    recoveries = [content for content in told if content["kind"] == "recovery"]
    assert [content["fault"].partition(":")[0] for content in recoveries] == list(FAULTS)
    for content in recoveries:
        assert 0 < content["noticed"] < took
        assert 0 <= content["recovered"] < took
        forgotten = content["fault"].startswith(("restart", "failing sign-in"))
        assert content["sign_ins"] >= forgotten, "a probe finds a session that the server still knows"
        assert content["reason"]
    assert recoveries[-1]["sign_ins"] == 3, "two that failed, and one"
    triggers = [content["trigger"] for content in told if content["kind"] == "transition"]
    for trigger in ("start", "beat_answered", "deadline_passed", "unauthorized", "socket_failed", "sign_in_failed"):
        assert trigger in triggers
    assert triggers[-2:] == ["stop", "signed_out"]
    beats = [content for content in told if content["kind"] == "heartbeats"]
    assert beats[-1]["heartbeats"] > beats[-1]["answers"] > 3 * len(FAULTS)
    assert told[-1]["kind"] == "passed"


def test_each_recovery_is_told_after_the_transition_that_it_is() -> None:
    result = run("demo", "--fast")
    assert result.returncode == 0
    assert ESCAPE not in result.stdout
    lines = result.stdout.splitlines()
    for index, line in enumerate(lines):
        if " recovered in " in line:
            since = next(number for number in range(index, 0, -1) if "— " in lines[number])
            assert any("→ ONLINE" in earlier for earlier in lines[since:index])
    for fault in FAULTS:
        assert any(line.startswith(f"{fault}:") for line in lines), "in the summary"


def test_an_outage_that_does_not_end_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ServerThread, "clear_faults", lambda self: None)
    monkeypatch.setattr(demo, "FAST", replace(demo.FAST, patience=1.5))
    assert demo.run_demo(fast=True, json_lines=True) == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (outage,) = (content for content in told if content["kind"] == "recovery")
    assert outage["noticed"] > 0
    assert outage["recovered"] is None
    assert told[-1]["kind"] == "failed"
    assert "coming back did not happen within 1.5 s" in told[-1]["reason"]


def test_a_fault_that_does_nothing_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ServerThread, "set_faults", lambda self, **changes: None)
    monkeypatch.setattr(demo, "FAST", replace(demo.FAST, patience=1.0))
    assert demo.run_demo(fast=True, json_lines=False) == 1
    assert "outage" in capsys.readouterr().out.splitlines()[-1]
