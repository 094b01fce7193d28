"""Charts to compare: from a git revision, from the work tree or from an exported file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.document import chart_of

SNAPSHOT = Path(__file__).with_name("snapshot.py")
TIMEOUT = 120.0
"""Seconds that a revision's modules may take to be imported."""


def load_chart(source: str | None, name: str, folder: Path) -> Chart:
    """Load the chart of a file that ``--format json`` wrote, else of a revision; of the work tree if `source` is None.

    `name` is ``module:chart``, looked up at the top of the repository that holds `folder`, and in its ``src``.  A
    process of its own imports the revision's modules, so their code runs.  Raises ChartError, which names the remedy,
    if there is no such file, revision or chart, and OSError for a file that cannot be read.
    """
    if ":" not in name.strip(":"):
        raise ChartError(f"{name!r} names no chart: write module:chart, such as agentcp_fsm.lifecycle.chart:CHART")
    if source is None:
        top = _top(folder)
        return _imported(folder if top is None else top, name, "the work tree", inside=False)
    if (folder / source).is_file():
        return _exported(folder / source)
    top = _top(folder)
    if top is None:
        raise ChartError(
            f"{source!r} is no file, and {folder} is in no git repository: name an export made with "
            "agentcp-fsm diagram --format json, or go to a clone"
        )
    with tempfile.TemporaryDirectory(prefix="agentcp-fsm-") as temporary:
        _check_out(source, top, Path(temporary))
        return _imported(Path(temporary), name, f"revision {source}", inside=True)


def _exported(file: Path) -> Chart:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or more brackets than any chart has
        raise ChartError(
            f"{file} holds no chart: only the export agentcp-fsm diagram --format json can be compared ({error})"
        ) from error
    try:
        return chart_of(content)
    except ChartError as error:
        raise ChartError(f"{file}: {error}") from error


def _git(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - git itself, and a revision that cannot be an option
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the user has
            capture_output=True,
            check=False,
            env=os.environ | dict(environment or {}),
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise ChartError("there is no git on this machine: install it, or compare exported files") from error


def _top(folder: Path) -> Path | None:
    result = _git(folder, "rev-parse", "--show-toplevel")
    return Path(os.fsdecode(result.stdout).rstrip("\n")) if result.returncode == 0 else None


def _check_out(revision: str, top: Path, folder: Path) -> None:
    found = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode != 0:
        raise ChartError(f"{revision!r} is neither a file nor a revision of {top}: see git log, or fetch it first")
    with tempfile.TemporaryDirectory(prefix="agentcp-fsm-") as aside:
        index = {"GIT_INDEX_FILE": str(Path(aside, "index"))}  # the repository's own stays as it is
        for arguments in (
            ("read-tree", found.stdout.decode().strip()),
            ("checkout-index", "--all", f"--prefix={folder}/"),
        ):
            result = _git(top, *arguments, environment=index)
            if result.returncode != 0:
                raise ChartError(f"git cannot read the files of {revision!r}: {os.fsdecode(result.stderr)}")


def _imported(folder: Path, name: str, where: str, *, inside: bool) -> Chart:
    command = [sys.executable, "-P", str(SNAPSHOT), str(folder), name, *(["--inside"] if inside else [])]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    try:
        result = subprocess.run(  # noqa: S603 - our own script
            command, capture_output=True, check=False, cwd=folder, env=environment, timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ChartError(f"{where}: importing {name} takes more than {TIMEOUT:.0f} s") from error
    if result.returncode != 0:
        last = os.fsdecode(result.stderr).strip().splitlines()[-1:] or [f"status {result.returncode}"]
        raise ChartError(f"{where} has no chart {name}: {last[0]}; name the chart with --from module:chart")
    return chart_of(json.loads(result.stdout))
