"""``agentcp-fsm verify``: what it prints, and its exit status."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from agentcp_fsm.cli import verify
from agentcp_fsm.cli.app import run
from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.verification import explore
from tests.verification.catalogue import DEFECTS


def with_defect(patch: pytest.MonkeyPatch, breaks: str) -> None:
    """Let the command find a machine that breaks an invariant."""
    defect = next(defect for defect in DEFECTS if defect.breaks == breaks)
    patch.setattr(verify, "explore", partial(explore, machine=defect.machine))


@pytest.fixture(autouse=True)
def few_situations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "explore", partial(explore, at_most=100))


def test_it_prints_states_edges_depth_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--jobs", "1"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("default: ")
    assert all(word in output for word in (" states, ", " edges, depth ", " s: holds"))


def test_a_violation_is_shown_by_its_script(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_defect(monkeypatch, "S5")
    assert run(["verify", "--jobs", "1", "--set", "send_failure_limit=2"]) == 1
    output = capsys.readouterr().out
    assert "send_failure_limit=2: S5: S5 broken" in output
    assert "at 0.0 s: Start()" in output


def test_a_violation_is_shown_as_a_test(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with_defect(monkeypatch, "L2")
    assert run(["verify", "--jobs", "1", "--pytest"]) == 1
    output = capsys.readouterr().out
    assert "def test_found_by_verify() -> None:" in output
    assert "check_liveness(watched.machine)" in output


def test_json_has_every_configuration_of_the_matrix(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MATRIX", {"default": Config(), "one attempt": Config(sign_in_attempt_limit=1)})
    assert run(["verify", "--matrix", "--jobs", "2", "--json"]) == 1  # so few situations take few rows
    content = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in content["configurations"]] == ["default", "one attempt"]
    assert all(each["violation"] is None and not each["complete"] for each in content["configurations"])
    assert not content["verified"]
    assert any("was never taken" in what for what in content["missing"])


def test_the_model_of_a_configuration_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "connection.pml"
    assert run(["verify", "--promela", str(file), "--set", "send_failure_limit=7"]) == 0
    assert "#define SEND_FAILURE_LIMIT 7\n" in file.read_text(encoding="utf-8")
    assert run(["verify", "--promela", str(file), "--matrix"]) == 2
    assert run(["verify", "--promela", str(tmp_path / "no" / "folder.pml")]) == 2
    assert "leave out --matrix" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["nothing=1", "probe_limit", "probe_limit=many", "probe_limit=0"])
def test_a_wrong_setting_is_named(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--set", text]) == 2
    assert text.partition("=")[0] in capsys.readouterr().err


def test_settings_are_those_of_the_configuration() -> None:
    read = verify.read_settings(["probe_limit=2", "silence_timeout=1.5", "sign_in_attempt_limit=None"])
    assert read == {"probe_limit": 2, "silence_timeout": 1.5, "sign_in_attempt_limit": None}
    with pytest.raises(ConfigError, match="sets nothing"):
        verify.read_settings(["=1"])
