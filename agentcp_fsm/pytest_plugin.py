"""A plugin of pytest: which rows of a chart the tests took, in which states.

``pytest -p agentcp_fsm.pytest_plugin --chart-coverage mypackage.door:DOOR --chart-coverage-file door.json``
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.coverage import Coverage
from agentcp_fsm.fsm.loading import load_chart
from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.fsm.step import WATCHERS

OUTPUT = "agentcp_fsm_chart_coverage"
"""What a worker of pytest-xdist calls its counts."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("chart coverage")
    group.addoption("--chart-coverage", metavar="MODULE:NAME", help="report which rows of this chart the tests take")
    group.addoption(
        "--chart-coverage-file", metavar="FILE", help="write it as JSON, for agentcp-fsm diagram --coverage FILE"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count, before the tests and what they test are imported."""
    target = config.getoption("chart_coverage")
    if target is None:
        if config.getoption("chart_coverage_file") is not None:
            raise pytest.UsageError("--chart-coverage-file needs --chart-coverage MODULE:NAME")
        return
    plugin = _Counting(config)
    WATCHERS.append(plugin.note)
    try:
        plugin.coverage = Coverage(load_chart(target))
    except ChartError as error:
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(plugin)


class _Counting:
    """Counts in this process; the controller of pytest-xdist adds what its workers counted."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.coverage: Coverage | None = None

    def note(self, chart: Any, state: str, row: Any) -> None:
        """Count an event, once the chart is known."""
        if self.coverage is not None:
            self.coverage.note(chart, state, row)

    def pytest_sessionfinish(self) -> None:
        """Hand the counts on, or write them."""
        assert self.coverage is not None
        data = self.coverage.as_data()
        output: dict[str, Any] | None = getattr(self._config, "workeroutput", None)
        file = self._config.getoption("chart_coverage_file")
        if output is not None:
            output[OUTPUT] = data
        elif file is not None:
            Path(file).write_text(json.dumps(data) + "\n", encoding="utf-8")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker counted; one that crashed has nothing to add."""
        assert self.coverage is not None
        if content := getattr(node, "workeroutput", {}).get(OUTPUT):
            self.coverage.add(content)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Report the rows, and those that no test took."""
        assert self.coverage is not None
        terminalreporter.section("chart coverage")
        for line in self.coverage.summary():
            terminalreporter.write_line(printable(line))
