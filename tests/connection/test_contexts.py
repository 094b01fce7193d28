"""Context variables: the loop's thread keeps nothing of the one that starts a connection, nor logs in its name."""

import asyncio
import contextvars
import gc
import logging
import weakref

import pytest

from agentcp_fsm import AsyncConnection, Connection, Invitation, State
from tests.connection.peer import PATIENT, Peer, connect
from tests.waiting import online, until

REQUEST: contextvars.ContextVar[object] = contextvars.ContextVar("request", default=None)


class Request:
    """What a service is at when it starts a connection."""


class Seen(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.requests.append((record.threadName or "", REQUEST.get()))


@pytest.fixture
def seen() -> Seen:
    return Seen()


def started_by_a_request(connection: Connection | AsyncConnection) -> weakref.ref[Request]:
    def start() -> weakref.ref[Request]:
        request = Request()
        REQUEST.set(request)
        connection.start()
        return weakref.ref(request)

    return contextvars.Context().run(start)


def is_gone(kept: weakref.ref[Request]) -> bool:
    gc.collect()
    return kept() is None


def test_the_starters_context_is_not_kept(seen: Seen, caplog: pytest.LogCaptureFixture) -> None:
    """It was, by the timer of the loop and the reader of the socket, as long as any connection of the process lived."""
    with Peer() as peer, caplog.at_level(logging.DEBUG, "agentcp_fsm"):
        logging.getLogger("agentcp_fsm").addHandler(seen)
        try:
            connection = connect(peer, config=PATIENT)
            invited: list[Invitation] = []
            connection.on_invite(invited.append)
            kept = started_by_a_request(connection)
            online(connection)
            peer.invite(connection.agent_id)
            until(lambda: bool(invited))
            connection.stop()
            until(lambda: is_gone(kept))
        finally:
            logging.getLogger("agentcp_fsm").removeHandler(seen)
    assert {name for name, _ in seen.requests} >= {"agentcp-loop"}
    assert {request for _, request in seen.requests} == {None}


def test_nor_is_it_while_the_connection_lives() -> None:
    with Peer() as peer:
        connection = connect(peer, config=PATIENT)
        kept = started_by_a_request(connection)
        online(connection)
        until(lambda: is_gone(kept))
        connection.stop()


def test_nor_by_a_loop_of_asyncio() -> None:
    async def main(peer: Peer) -> None:
        connection = AsyncConnection("alice.agentid.pub", authenticator=peer, config=PATIENT)
        kept = started_by_a_request(connection)
        assert await connection.wait_for(State.ONLINE, timeout=10)
        await asyncio.to_thread(until, lambda: is_gone(kept))
        await connection.stop()

    with Peer() as peer:
        asyncio.run(main(peer))
