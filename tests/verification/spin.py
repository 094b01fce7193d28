"""Runs spin on the chart's Promela model, and reads what it found.

python -m tests.verification.spin [CONFIGURATION ...]

Needs the programs ``spin`` and ``gcc``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.verification.matrix import MATRIX
from agentcp_fsm.verification.promela import promela

MODEL = "connection.pml"
DEPTH = 1_000_000
"""Steps of the longest path that is followed; a longer one is an error of the run, not a verdict."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What spin found."""

    broken: str | None
    """The assertion that is violated, as pan prints it, or "L1"."""
    states: int
    """Of the model and the formula together."""
    rows: frozenset[tuple[str, str]]
    """The rows that were taken, as text, each with the state in which it was."""
    trail: tuple[tuple[str, str], ...]
    """The rows that lead to what is broken, in their order."""


def check(config: Config, chart: Chart = CHART, changed: Mapping[str, str] | None = None) -> Verdict:
    """Check the model's assertions and L1.  Raises RuntimeError if a program fails or the search is not complete."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        (home / MODEL).write_text(promela(config, chart, changed), encoding="utf-8")
        _run(home, "spin", "-a", "-o3", MODEL)
        _run(home, "gcc", "-w", "-O0", "-DNOREDUCE", "-o", "pan", "pan.c")
        output = _run(home, "./pan", "-a", f"-m{DEPTH}", "-w20")
        stored = re.search(r"(\d+) states, stored", output)
        if stored is None or "max search depth too small" in output:
            raise RuntimeError(f"pan did not search everything:\n{output}")
        broken = _broken(output)
        trail = _run(home, "spin", "-t", MODEL) if broken is not None else ""
    missed = {_marked(chart, *mark) for mark in re.findall(r"\"printf\('row (\d+) in (\w+)", output)}
    return Verdict(
        broken, int(stored[1]), frozenset(_rows_of(chart) - missed),
        tuple(_marked(chart, *mark) for mark in re.findall(r"row (\d+) in (\w+)", trail)),
    )  # fmt: skip


def _run(home: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _broken(output: str) -> str | None:
    found = re.search(r"pan:\d+: (.*) \(at depth", output)
    if found is None:
        if "errors: 0" not in output:
            raise RuntimeError(f"pan says:\n{output}")
        return None
    return "L1" if found[1].startswith("acceptance cycle") else found[1]


def _rows_of(chart: Chart) -> set[tuple[str, str]]:
    """Every row with each of its states, but those that stand behind a row without guards."""
    found = set()
    for state in chart.state_names:
        for trigger in chart.triggers:
            for row in chart.cell(state, trigger):
                found.add((str(row), state))
                if not row.guards:
                    break
    return found


def _marked(chart: Chart, number: str, state: str) -> tuple[str, str]:
    return str(chart.rows[int(number)]), state


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configuration", nargs="*", help="names of the matrix; without any, all of them")
    arguments = parser.parse_args()
    sound = True
    for name in arguments.configuration or MATRIX:
        verdict = check(MATRIX[name])
        sound &= verdict.broken is None
        print(f"{name}: {verdict.states} states, {len(verdict.rows)} rows: {verdict.broken or 'holds'}")
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
