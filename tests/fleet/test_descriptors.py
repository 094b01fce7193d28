"""Descriptors are counted before the start."""

import asyncio

import pytest

from agentcp_fsm import ConfigError
from agentcp_fsm.fleet import AsyncFleet, Fleet
from agentcp_fsm.fleet.descriptors import SPARE, check_descriptors
from agentcp_fsm.server import ServerThread
from tests.fleet.agents import member

resource = pytest.importorskip("resource", reason="this system does not bound descriptors so")


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The process's limits, soft and hard, the latest last; the real ones stay as they are."""
    known = [(SPARE + 1, SPARE + 5)]
    monkeypatch.setattr(resource, "getrlimit", lambda which: known[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: known.append(limits))
    return known


def test_too_few_are_refused_before_anything_is_started(limits: list[tuple[int, int]], server: ServerThread) -> None:
    check_descriptors(1)
    fleet = Fleet([member(server, number) for number in range(2)])
    with pytest.raises(ConfigError, match=rf"2 agents need {SPARE + 2} file .* open {SPARE + 1}: .* `ulimit -n"):
        fleet.start()
    assert fleet.stop()
    assert server.statistics().calls == 0

    async def change() -> None:
        async with AsyncFleet([member(server, 0)]) as running:
            with pytest.raises(ConfigError, match="2 agents need"):
                running.add(member(server, 1))
            assert len(running) == 1

    asyncio.run(change())


def test_the_process_may_raise_its_own_limit(limits: list[tuple[int, int]]) -> None:
    check_descriptors(5, widen=True)
    assert limits[-1] == (SPARE + 5, SPARE + 5)
    with pytest.raises(ConfigError, match=f"may open {SPARE + 5}: start it after"):
        check_descriptors(6, widen=True)


def test_no_limit_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    check_descriptors(10**9, widen=True)
