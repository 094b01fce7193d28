"""Programs of their own in which things are absent; see `absences`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.platforms.absences import ABSENCES

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0
"""Seconds that a program may take."""

WITHOUT = """
import sys
from tests.platforms.absences import ABSENCES
names, sys.argv = sys.argv[1].split(","), [sys.argv[0], *sys.argv[2:]]
for name in names:
    ABSENCES[name]()
"""


def without(absences: Iterable[str], program: str, *arguments: str) -> list[str]:
    """The command that runs a program where these are absent."""
    return [sys.executable, "-c", WITHOUT + program, ",".join(absences), *arguments]


def output_of(command: Sequence[str]) -> str:
    """What a command prints; AssertionError with its complaints unless it ends well and in time."""
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def life_of(face: str, absences: Iterable[str]) -> list[dict[str, object]]:
    """What was seen of a whole life; see `life`."""
    program = "from tests.platforms.life import main\nmain(*sys.argv[1:])"
    absences = tuple(absences)
    return [json.loads(line) for line in output_of(without(absences, program, face, *absences)).splitlines()]


ALL = tuple(ABSENCES)
