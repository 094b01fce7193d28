"""Fixtures, and Hypothesis profiles: dev, ci, nightly, mutation; the variable HYPOTHESIS_PROFILE chooses.

Without a choice, ``ci`` is taken where the variable ``CI`` is set: the same examples in every run, so that a change
is not refused for a fault that another one made.  Every other run draws new examples.
"""

import os
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, Phase, settings

from agentcp_fsm.connection.hub import new_event_loop
from agentcp_fsm.server import ServerThread

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("dev", deadline=None, max_examples=100, stateful_step_count=40)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.register_profile(
    "nightly", deadline=None, max_examples=5000, stateful_step_count=100, suppress_health_check=slow, print_blob=True
)
settings.register_profile(
    "mutation",
    deadline=None,
    max_examples=30,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),  # a mutant is noticed or not: how it could be put more simply is no matter
)
os.environ["LANGUAGE"] = "en"  # whatever the developer's is: what commands show is looked at
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For ``-n auto``: two workers a processor, for the tests wait for more time than they work."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True, scope="session")
def one_pipe_of_libuv() -> None:
    """The process's first uvloop opens a pipe that is kept for all later ones: no leak of any test."""
    new_event_loop().close()


@pytest.fixture
def no_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def next_beat() -> float:
    """Seconds between heartbeats that the servers below ask for; a folder or module may override it."""
    return 7.0


@pytest.fixture
def names() -> Sequence[str]:
    """The names by which the reference server is asked, beside its address; tests that use some override it."""
    return ()


@pytest.fixture
def server(next_beat: float, names: Sequence[str]) -> Iterator[ServerThread]:
    """The reference server in a thread, for one test.  Where tests need another kind of server, they override it."""
    with ServerThread(next_beat=next_beat, names=names) as running:
        yield running


@pytest.fixture(scope="module")
def shared(next_beat: float) -> Iterator[ServerThread]:
    """The same for all tests of a module and all examples of a property; they clear the faults that they set."""
    with ServerThread(next_beat=next_beat) as running:
        yield running
