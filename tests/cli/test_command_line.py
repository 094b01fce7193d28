"""Every command: help, version, wrong uses, and missing extras."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import refused, run
from tests.server_process import ROOT

COMMANDS = ("chart", "check", "config", "connect", "demo", "doctor", "identity", "paths", "serve", "verify")
HEAVY = {"aiohttp", "asyncio", "cryptography", "google.protobuf", "requests", "rich.live", "transitions", "uvloop"}


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=30, check=False
    )


def test_help_tells_every_command() -> None:
    result = run("--help")
    assert result.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +[A-Z].*\.$", result.stdout, re.MULTILINE), "a whole sentence in one line"
    assert run().stdout + run().stderr == result.stdout, "nothing to do: help"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = run(command, "--help")
    assert result.returncode == 0
    assert "Usage: agentcp-fsm " in result.stdout
    assert result.stdout == run(command, "-h").stdout


@pytest.mark.parametrize(
    "arguments",
    [(), *((command,) for command in COMMANDS), ("identity", "new"), ("config", "show"), ("diagram", "diff")],
)
def test_help_is_there_without_docstrings(arguments: tuple[str, ...]) -> None:
    """It was not: `python -OO` takes them away."""
    command = [sys.executable, "-OO", "-m", "agentcp_fsm", *arguments, "--help"]
    optimized = subprocess.run(command, capture_output=True, text=True, check=True)
    assert optimized.stdout.replace("python -m agentcp_fsm", "agentcp-fsm") == run(*arguments, "--help").stdout


def test_a_present_folder_that_is_gone(tmp_path: Path) -> None:
    """It said "[Errno 2] No such file or directory", of nobody knew what."""
    command = f"mkdir gone; cd gone; rmdir ../gone; exec {sys.executable} -m agentcp_fsm diagram"
    ended = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "agentcp-fsm: the present folder is gone: change to one that is there\n"


def test_help_loads_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys\nfrom agentcp_fsm.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('loaded:', *sys.modules)"
    )
    result = python(code, "--help")
    loaded = set(result.stdout.rpartition("loaded: ")[2].split())
    assert "agentcp_fsm.cli.app" in loaded
    assert not HEAVY & loaded


def test_version() -> None:
    result = run("--version")
    assert result.returncode == 0
    assert re.fullmatch(r"agentcp-fsm(?: \d+\.\d+\.\d+\S*|, run from its sources)\n", result.stdout)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chrt"], "chart"),
        (["--nonsense"], "--nonsense"),
        (["chart", "--state", "ASLEEP"], "RECONNECTING"),
        (["chart", "--trigger", "wake"], "beat_answered"),
        (["connect"], "AGENT_ID"),
        (["connect", "alice.agentid.pub"], "--data"),
        (["connect", "alice.agentid.pub", "--data", "/nowhere"], "/nowhere"),
        (["connect", "alice.agentid.pub", "--data", "/", "--server", "x", "--access-point", "y"], "exclude each other"),
        (["connect", "alice.agentid.pub", "--server", "http://127.0.0.1:1", "--data", "/nowhere"], "/nowhere"),
        (["demo", "--log-level", "loud"], "debug"),
        (["serve", "--udp-port", "65536"], "'--udp-port': 65536 is not from 0 to 65535"),
        (["serve", "--http-port", "9999999"], "'--http-port': 9999999 is not from 0 to 65535"),
        (["serve", "--http-port", "-1"], "'--http-port': -1 is not from 0 to 65535"),
        (["serve", "--next-beat", "0"], "'--next-beat': 0.0 is not from 0.001 to 3600"),
        (["serve", "--next-beat", "nan"], "'--next-beat': nan is not"),
        (["serve", "--host", "198.51.100.1"], "198.51.100.1"),
        (["serve", "--host", "no\nhost"], "has no address"),
        (["identity", "new", "../bob", "--data", "/nowhere"], "../bob"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_use_is_one_line_that_says_what_is_right(arguments: list[str], says: str) -> None:
    assert says in refused(run(*arguments))


@pytest.mark.parametrize(
    ("missing", "arguments"), [("typer", ["--help"]), ("rich", ["chart"]), ("aiohttp", ["demo", "--fast"])]
)
def test_without_the_extra_it_says_the_one_command_to_run(missing: str, arguments: list[str]) -> None:
    code = f"import sys\nsys.modules[{missing!r}] = None\nfrom agentcp_fsm.cli import main\nmain()"
    result = python(code, *arguments)
    assert result.returncode == 1
    assert result.stderr == f"agentcp-fsm needs {missing}: pip install 'agentcp-fsm[cli]'\n"


def test_a_module_of_ours_that_is_missing_is_no_matter_of_the_extra() -> None:
    code = "import sys\nsys.modules['agentcp_fsm.lifecycle.chart'] = None\nfrom agentcp_fsm.cli import main\nmain()"
    result = python(code, "demo")
    assert "ModuleNotFoundError" in result.stderr


def test_whoever_reads_the_output_may_stop(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    pipeline = f"{sys.executable} -m agentcp_fsm chart --json 2> {errors} | head -n 1"
    result = subprocess.run(["sh", "-c", pipeline], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout.count("\n") == 1
    assert errors.read_text(encoding="utf-8") == ""


def test_the_installed_command_is_this_one() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"agentcp-fsm": "agentcp_fsm.cli:main"}


@pytest.mark.parametrize("command", ["", "connect", "diagram", "identity new"])
def test_help_fits_a_narrow_terminal(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below 50 columns, the terminal broke each line once more."""
    monkeypatch.setenv("COLUMNS", "46")
    shown = run(*command.split(), "--help").stdout.splitlines()
    assert len(shown) > 10
    assert not [line for line in shown if len(line) > 46 and not line.startswith("  --")]  # a long option has one line
