"""The files of docs/deployment, judged by those who read them, as far as they are here."""

import shlex
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from agentcp_fsm.operations.settings import load
from tests.cli.command import refused, run
from tests.needs import needs_program

FOLDER = Path(__file__).parents[2] / "docs" / "deployment"
PROGRAM = "/opt/agentcp-fsm/bin/agentcp-fsm"


def unit() -> dict[str, str]:
    lines = (FOLDER / "agentcp-fsm.service").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = needs_program("systemd-analyze", "systemd")
    file = tmp_path / "agentcp-fsm.service"
    text = (FOLDER / "agentcp-fsm.service").read_text()
    file.write_text(text.replace(PROGRAM, "/bin/true"))
    verified = subprocess.run([analyze, "verify", str(file)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    file.write_text(text.replace(PROGRAM, "/bin/true").replace("Type=notify", "Type=notifyy"))
    assert "notifyy" in subprocess.run([analyze, "verify", str(file)], capture_output=True, text=True).stderr


def test_the_unit_starts_the_command_as_it_is(tmp_path: Path) -> None:
    """Its options exist, and the credential is the one that the configuration names."""
    program, *arguments = shlex.split(unit()["ExecStart"])
    assert program == PROGRAM
    named = unit()["LoadCredential"].partition(":")[0]
    file = FOLDER / "agents.toml"
    agents = load(file, {}).agents
    assert [agent.options.password_credential for agent in agents] == [named, named]
    assert agents[0].options.data == Path("/var/lib", unit()["StateDirectory"])
    ours = [str(file) if each.endswith(".toml") else each for each in arguments]
    ours = [str(tmp_path / "status") if each.endswith("/status") else each for each in ours]
    assert f"no systemd credential {named}" in refused(run(*ours, CREDENTIALS_DIRECTORY=""))


def test_kubernetes_takes_the_manifest() -> None:
    manifest = yaml.safe_load((FOLDER / "kubernetes.yaml").read_text())
    version = kubernetes_validate.latest_version()
    kubernetes_validate.validate(manifest, version, strict=True)
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    for probe, page in (("livenessProbe", "livez"), ("readinessProbe", "readyz")):
        program, *arguments = container[probe]["exec"]["command"]
        assert (program, arguments[-1]) == (PROGRAM, page)
        assert container[probe]["timeoutSeconds"] > 10, "the command's own patience"
        checked = run(*("/nowhere/status" if each == "/tmp/status" else each for each in arguments))
        assert (checked.returncode, "no status place answers" in checked.stdout) == (2, True)
    container["livnessProbe"] = container.pop("livenessProbe")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_container_sets_what_there_is_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "Containerfile").read_text()
    line = next(line for line in text.splitlines() if line.startswith("ENV "))
    for assignment in line.removeprefix("ENV ").split():
        monkeypatch.setenv(*assignment.split("=", 1))
    loaded = load(None, {"agent_id": "alice.agentid.pub"})
    assert (loaded.command.status, loaded.command.json) == ("/tmp/status", True)
    assert loaded.agents[0].options.data == Path("/var/lib/agentcp-fsm")
