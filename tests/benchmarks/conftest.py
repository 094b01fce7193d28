"""Benchmarks: they run with ``pytest tests/benchmarks --benchmark-only``, and say at the end what was reached.

They fail when the measured code is wrong, never when it is slow: a missed target is printed as missed.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.board import Board

_BOARD = pytest.StashKey[Board]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BOARD] = Board()


@pytest.fixture(scope="session")
def board(pytestconfig: pytest.Config) -> Board:
    return pytestconfig.stash[_BOARD]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the benchmarks out of an ordinary run, and before pytest-benchmark warns that workers cannot measure."""
    if not config.getoption("benchmark_only", False):
        left_out = [item for item in items if "benchmark" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print every group's times, the fastest first, and which targets were reached."""
    board = config.stash[_BOARD]
    for group, seconds in board.seconds.items():
        terminalreporter.section(group)
        fastest = min(seconds.values())
        for contender, time in sorted(seconds.items(), key=lambda entry: entry[1]):
            terminalreporter.write_line(
                f"{contender:<28} {time * 1e9:>10,.0f} ns {1 / time:>14,.0f} /s {time / fastest:>9.2f}x"
            )
    if board.targets:
        terminalreporter.section("targets")
        for target in board.targets:
            terminalreporter.write_line(str(target))
