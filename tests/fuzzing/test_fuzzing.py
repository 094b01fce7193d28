"""Each harness runs for 2000 inputs, and what is wrong is found and kept."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.fuzzing.__main__ import NAMES, fuzz
from tests.fuzzing.harnesses import HARNESSES
from tests.needs import needs, needs_linux

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Parsed a", "ignore:Attribute's length", "ignore:The parsed certificate"),
]


@pytest.fixture
def atheris() -> None:
    needs_linux("atheris has no wheels for other systems")
    if sys.version_info >= (3, 14):
        pytest.skip("atheris has no wheels for this Python")
    needs(importlib.util.find_spec("atheris"), "atheris", "pip install atheris")


def test_every_harness_is_named() -> None:
    assert tuple(HARNESSES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_it_begins_with_and_torn_pieces_of_it_break_nothing(name: str) -> None:
    harness = HARNESSES[name]
    for seed in harness.seeds():
        assert len(seed) <= harness.longest
        for piece in (seed, seed[1:], seed[: len(seed) // 2], b""):
            harness.run(piece)


@pytest.mark.usefixtures("atheris")
@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name: str, tmp_path: Path) -> None:
    outcome = fuzz(name, 120, tmp_path, seed=1, runs=2000)
    assert outcome.fault is None
    assert outcome.executions >= 2000


@pytest.mark.usefixtures("atheris")
def test_a_fault_is_found_and_kept(tmp_path: Path) -> None:
    outcome = fuzz("planted", 120, tmp_path, seed=1)
    assert outcome.fault is not None
    assert "it begins with a capital F" in outcome.fault
    kept = Path(outcome.fault.splitlines()[-1])
    assert kept.read_bytes().startswith(b"F")
