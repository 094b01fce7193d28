"""The processor time that a hostile answer costs its reader: no more than 50 ms, whatever it is made of."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from agentcp_fsm.errors import SignInError
from agentcp_fsm.sign_in import AuthClient, Timeouts
from tests.benchmarks.board import Board, Target
from tests.faults.rogue import ANSWERS, Rogue
from tests.sign_in.calls import CREDENTIALS

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")
MOST = 50.0
"""Milliseconds."""


@pytest.fixture(scope="module")
def rogue() -> Iterator[Rogue]:
    with Rogue() as running:
        yield running


@pytest.mark.benchmark(group="a hostile answer, by the reader's processor time", timer=time.thread_time)
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of(name: str, rogue: Rogue, benchmark: Any, board: Board) -> None:
    rogue.answer = name
    with AuthClient(rogue.url, timeouts=Timeouts(5, 0.5, 5)) as client:

        def sign_in() -> None:
            with pytest.raises(SignInError):
                client.sign_in(CREDENTIALS)

        benchmark.pedantic(sign_in, rounds=5, warmup_rounds=1)
    board.targets.append(Target(name, benchmark.stats.stats.max * 1e3, MOST, " ms"))
