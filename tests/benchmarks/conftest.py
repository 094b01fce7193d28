"""Figures are taken on request: ``python -m pytest tests/benchmarks --benchmark-only``."""

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not item.config.getoption("--benchmark-only"):
        pytest.skip("a benchmark; run with --benchmark-only")
