"""No use of `logging` silences a connection: handlers that raise, objects that cannot be printed."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from agentcp_fsm import Invitation, State
from agentcp_fsm.connection import hub
from agentcp_fsm.connection.workers import HandlerQueue, WorkerPool
from agentcp_fsm.support.log import logger_of
from tests.connection.peer import INVITATION, Peer, connect, nothing_left
from tests.waiting import online, until


class Raising(logging.Handler):
    """An application's, whose disk is full, and which was written without a thought of that."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__(logging.DEBUG)
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:
        raise self.error("the disk is full")


@contextmanager
def logging_raises(error: type[BaseException]) -> Iterator[None]:
    """At every line of this package's, and at asyncio's warnings."""
    logger, handler = logging.getLogger("agentcp_fsm"), Raising(error)
    logging.root.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, hub.new_event_loop])
@pytest.mark.parametrize("error", [OSError, RecursionError, SystemExit])
def test_a_logging_handler_that_raises_silences_nothing(
    error: type[BaseException],
    make_loop: Callable[[], asyncio.AbstractEventLoop],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It did: the connection armed no timer, and stop was told of nothing."""
    monkeypatch.setattr(hub, "new_event_loop", make_loop)
    arrived = threading.Event()
    with Peer() as peer, logging_raises(error), nothing_left():
        connection = connect(peer)
        connection.on_invite(lambda invitation: 1 / 0)
        connection.on_invite(lambda invitation: arrived.set())
        peer.refuse = True
        connection.start()
        assert connection.wait_for(State.BACKOFF, timeout=10)
        until(lambda: peer.sign_ins >= 3)
        peer.refuse = False
        online(connection)
        peer.invite(connection.agent_id)
        assert arrived.wait(10)
        peer.next_beat = 401
        until(lambda: connection.health().statistics.losses == 1)
        peer.next_beat = 50
        online(connection)
        assert connection.stop()
    assert "the disk is full" in capsys.readouterr().err


def test_a_loop_that_was_left_is_entered_again(caplog: pytest.LogCaptureFixture) -> None:
    """It was not: every connection of the process was silent for good, and said that it was ONLINE."""

    def leave() -> None:
        raise SystemExit

    with Peer() as peer, connect(peer) as connection, caplog.at_level(logging.CRITICAL):
        online(connection)
        lease = connection._attachment.lease
        assert lease is not None
        lease.hub.post(leave)
        seen = peer.heartbeats
        peer.wait(lambda: peer.heartbeats > seen + 3)


class Endless:
    """Something whose representation has no end, as that of what holds itself."""

    def __repr__(self) -> str:
        return f"<{self!r}>"

    def __call__(self, *arguments: object) -> None:
        raise LookupError


def test_a_handler_that_raises_and_cannot_be_printed_is_not_the_last_one(capsys: pytest.CaptureFixture[str]) -> None:
    """It was: logging lets a RecursionError pass, which ended the thread, and no later invitation was delivered."""
    delivered: list[Invitation] = []
    arrived = threading.Event()
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    try:
        with Peer() as peer, connect(peer) as connection:
            connection.on_invite(Endless())
            connection.on_invite(delivered.append)
            connection.on_invite(lambda invitation: arrived.set())
            online(connection)
            peer.invite(connection.agent_id)
            assert arrived.wait(10)
        assert delivered == [INVITATION]
    finally:
        logging.getLogger().removeHandler(handler)
    assert "the handler Endless raised" in capsys.readouterr().err


@pytest.mark.parametrize("error", [OSError, SystemExit])
def test_a_thread_that_cannot_log_is_not_lost(error: type[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    pool, queue, done = WorkerPool("test-pool"), HandlerQueue(10, "alice"), threading.Semaphore(0)
    with logging_raises(error):
        for each in (pool, queue):
            each.submit(Endless())
            each.submit(done.release)
        assert done.acquire(timeout=10)
        assert done.acquire(timeout=10)
        pool.close()
        pool.join(10)
        queue.join(10)
    assert capsys.readouterr().err.count("Logging error") == 2


def test_lines_are_logged_as_those_of_their_callers(caplog: pytest.LogCaptureFixture) -> None:
    logger = logger_of(__name__)
    with caplog.at_level(logging.INFO):
        logger.info("%s and %s", "one", "two")
        logger.log(logging.WARNING, "three")
        logger.debug("four")
    assert [(record.name, record.funcName, record.getMessage()) for record in caplog.records] == [
        (__name__, "test_lines_are_logged_as_those_of_their_callers", text) for text in ("one and two", "three")
    ]


def test_what_ends_the_main_thread_still_does() -> None:
    with logging_raises(KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        logger_of("agentcp_fsm.connection").info("as when somebody presses the keys meanwhile")
