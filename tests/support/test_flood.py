"""A message that strangers can cause at will is logged once a minute, with the count of the others."""

import logging

import pytest

from agentcp_fsm.support.log import FOLDING, Flood, logger_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flood(clock: Clock) -> Flood:
    return Flood(logger_of("agentcp_fsm.test"), logging.WARNING, "alice", "it came from %s", clock)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_the_first_is_logged_and_the_others_counted(
    flood: Flood, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4_731):
        flood.log(number)
    assert messages(caplog) == ["alice: it came from 0"]
    clock.now = FOLDING
    flood.log("bob")
    assert messages(caplog)[1:] == ["alice: it came from bob (... 4,730 more in 60 s)"]
    flood.log("carol")
    assert len(caplog.records) == 2


def test_the_end_says_what_was_folded(flood: Flood, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        flood.log(number)
    clock.now = 5.0
    flood.end()
    assert messages(caplog)[1:] == ["alice: it came from 2 (... 1 more in 5 s)"]
    flood.end()
    assert len(caplog.records) == 2


def test_rare_ones_are_all_logged(flood: Flood, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        clock.now = number * FOLDING
        flood.log(number)
    assert messages(caplog) == [f"alice: it came from {number}" for number in range(3)]


def test_a_line_is_its_callers(flood: Flood, caplog: pytest.LogCaptureFixture) -> None:
    flood.log("bob")
    [record] = caplog.records
    assert (record.funcName, record.name) == ("test_a_line_is_its_callers", "agentcp_fsm.test")


def test_an_error_is_logged_with_its_traceback(flood: Flood, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(100):
        try:
            raise LookupError("boom")
        except LookupError:
            flood.log("bob", exc_info=True)
    assert caplog.text.count("Traceback") == 1
