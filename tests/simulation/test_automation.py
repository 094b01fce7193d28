"""The commands of the nightly workflow and of the action for charts exist, with the options that are given to them."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml
from hypothesis import settings

from agentcp_fsm.cli.app import app

ROOT = Path(__file__).parents[2]
FILES = (".github/workflows/nightly.yml", ".github/actions/chart/action.yml")


def scripts(content: object) -> list[str]:
    """All that is run, wherever it stands."""
    if isinstance(content, list):
        return [script for each in content for script in scripts(each)]
    if not isinstance(content, dict):
        return []
    own = [content["run"]] if isinstance(content.get("run"), str) else []
    return own + [script for value in content.values() for script in scripts(value)]


@pytest.mark.parametrize("file", FILES)
def test_each_command_takes_its_options(file: str) -> None:
    found = scripts(yaml.safe_load((ROOT / file).read_text("utf-8")))
    lines = [part for script in found for part in re.split(r"\n|&&", script) if "agentcp-fsm " in part]
    ours = [line for line in lines if line.split()[0] == "agentcp-fsm"]
    assert ours
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for line in ours:
        _, name, *rest = shlex.split(line)
        options = {option for each in known[name].params for option in each.opts}
        assert {word for word in rest if word.startswith("-")} <= options


def test_the_profiles_are_there() -> None:
    for name in ("dev", "ci", "nightly"):
        settings.get_profile(name)
    folders = re.findall(r"tests/\w+", (ROOT / FILES[0]).read_text("utf-8"))
    assert folders
    assert all((ROOT / folder).is_dir() for folder in folders)
