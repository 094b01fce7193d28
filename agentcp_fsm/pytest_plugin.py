"""A plugin of pytest: fixtures for tests of an agent, and a report of the rows of a chart that the tests took.

A project loads it by a line in its ``conftest.py``; without it nothing of this library is loaded by pytest:

    pytest_plugins = ["agentcp_fsm.pytest_plugin"]

The fixtures need the extra ``testing``.  A fixture of the same name in a project's own ``conftest.py`` or test takes
the place of one of these, as pytest has it; one of another plugin is warned of.

``pytest -p agentcp_fsm.pytest_plugin --chart-coverage mypackage.door:DOOR --chart-coverage-file door.json``
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from agentcp_fsm.errors import ChartError, FixtureError
from agentcp_fsm.fsm.coverage import Coverage
from agentcp_fsm.fsm.loading import load_chart
from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.fsm.step import WATCHERS

if TYPE_CHECKING:  # each fixture loads what it needs
    from agentcp_fsm import Config, Connection, Credentials
    from agentcp_fsm.testing import BreakableServer, World

T = TypeVar("T")

OUTPUT = "agentcp_fsm_chart_coverage"
"""What a worker of pytest-xdist calls its counts."""
AGENT_ID = "alice.agentid.example"
ONLINE_WITHIN = 30.0
"""Seconds in which a healthy server on loopback is signed in to, however busy the machine is."""
FIXTURES = ("heartbeat_server", "identity", "fast_config", "connection", "virtual_world")


@pytest.fixture
def fast_config() -> Config:
    """The configuration of `connection` and `virtual_world`: a test takes seconds with it; override it for another."""
    with _needing_the_extra():
        from agentcp_fsm.testing.timing import FAST
    return FAST


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """The credentials of an agent, made for the test run; its name is `identity.agent_id`."""
    with _needing_the_extra():
        from agentcp_fsm.sign_in.identities import make_identity
    return make_identity(tmp_path_factory.mktemp("identity"), AGENT_ID)


@pytest.fixture
def heartbeat_server(identity: Credentials) -> Iterator[BreakableServer]:
    """A heartbeat server on loopback, in a thread of its own, that breaks on purpose."""
    with _needing_the_extra():
        from agentcp_fsm.sign_in.credentials import Credentials
        from agentcp_fsm.testing.breakable import BreakableServer
    with BreakableServer(credentials=_of_kind("identity", identity, Credentials)) as server:
        yield server


@pytest.fixture
def connection(heartbeat_server: BreakableServer, identity: Credentials, fast_config: Config) -> Iterator[Connection]:
    """A `Connection` of `identity` to `heartbeat_server`, ONLINE; it is stopped after the test."""
    with _needing_the_extra():
        from agentcp_fsm import Config, Connection, Credentials
        from agentcp_fsm.testing.breakable import BreakableServer
    server = _of_kind("heartbeat_server", heartbeat_server, BreakableServer)
    agent = _of_kind("identity", identity, Credentials)
    config = _of_kind("fast_config", fast_config, Config)
    with Connection(agent.agent_id, server.url, credentials=agent, config=config) as connection:
        if not connection.wait_for("ONLINE", timeout=ONLINE_WITHIN):
            raise FixtureError(f"not ONLINE after {ONLINE_WITHIN:g} s: {connection.health()}")
        yield connection


@pytest.fixture
def virtual_world(fast_config: Config) -> World:
    """A machine, ONLINE in a world of its own: no socket, no thread, and a clock that runs only when the test says."""
    from random import Random

    from agentcp_fsm.lifecycle.config import Config
    from agentcp_fsm.lifecycle.events import Start
    from agentcp_fsm.lifecycle.machine import Lifecycle
    from agentcp_fsm.testing.simulator import World

    config = _of_kind("fast_config", fast_config, Config)
    world = World(Lifecycle(config, Random(1)))  # noqa: S311 - jitter, and the same in each run
    world.tell(Start())
    world.run_until("ONLINE", config.recovery_bound)
    return world


@contextmanager
def _needing_the_extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise FixtureError(f"there is no {error.name}: pip install 'agentcp-fsm[testing]'") from error


def _of_kind(name: str, given: object, kind: type[T]) -> T:
    """The value of another fixture, which a project may have overridden."""
    if not isinstance(given, kind):
        raise FixtureError(
            f"the fixture {name} returned {type(given).__name__}, not {kind.__module__}.{kind.__qualname__}: another"
            f" fixture of that name is in the way; rename it, or have it return a {kind.__qualname__}"
        )
    return given


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Warn of fixtures of other plugins that have the names of ours, for pytest picks one of them silently."""
    for plugin in session.config.pluginmanager.get_plugins():
        name = getattr(plugin, "__name__", "")
        if name == __name__ or name.rpartition(".")[2] == "conftest":
            continue
        for fixture in FIXTURES:
            if isinstance(getattr(plugin, fixture, None), type(connection)):
                warnings.warn(
                    pytest.PytestWarning(
                        f"the plugins {name or repr(plugin)} and {__name__} both have a fixture {fixture}: pytest takes"
                        " that of the plugin loaded last; define it in a conftest.py to choose one"
                    ),
                    stacklevel=1,
                )


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
        plugin.pytest_unconfigure()
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

    def pytest_unconfigure(self) -> None:
        """Count no more: pytest may be run again in this process."""
        WATCHERS.remove(self.note)

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
