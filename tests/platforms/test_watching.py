"""Sockets watched by a thread, for loops that cannot: as reliable as those that the loop watches."""

import asyncio
import os
import selectors
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack

import pytest

from agentcp_fsm import AsyncConnection, State
from agentcp_fsm.connection import hub
from agentcp_fsm.support import watching
from agentcp_fsm.support.watching import LoopWatch, ThreadWatch, watch
from tests.connection.peer import FAST, Peer, connect
from tests.needs import needs_posix
from tests.waiting import online, until, until_it_ends

ALICE = "alice.agentid.pub"
BOUND = 10.0


class Unable(asyncio.SelectorEventLoop):
    """A loop that watches no sockets for others, as Windows' proactor."""

    def add_reader(self, *arguments: object) -> None:
        raise NotImplementedError

    def remove_reader(self, *arguments: object) -> bool:
        raise NotImplementedError


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    until(lambda: not any(each.name == "agentcp-watch" for each in threading.enumerate()))
    assert not watching._threads


def run(main: Coroutine[object, object, None]) -> None:
    with asyncio.Runner(loop_factory=Unable) as runner:
        runner.run(main)


def test_a_loop_that_can_watches_itself(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        watched = watch(asyncio.get_running_loop(), pair[0].fileno(), lambda: None)
        assert isinstance(watched, LoopWatch)
        watched.end()

    asyncio.run(main())


def test_each_datagram_is_reported_in_the_loops_thread(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    seen: list[tuple[bytes, int]] = []

    async def main() -> None:
        all_seen = asyncio.Event()

        def readable() -> None:
            seen.append((ours.recv(1), threading.get_ident()))
            if len(seen) == 200:
                all_seen.set()

        watched = watch(asyncio.get_running_loop(), ours.fileno(), readable)
        assert isinstance(watched, ThreadWatch)
        for number in range(200):
            theirs.send(bytes([number]))
            if number % 3 == 0:
                await asyncio.sleep(0)
        await asyncio.wait_for(all_seen.wait(), BOUND)
        watched.end()

    run(main())
    assert seen == [(bytes([number]), threading.get_ident()) for number in range(200)]


def test_after_its_end_nothing_is_reported_and_the_number_may_be_anothers(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    reported: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        first = watch(loop, ours.fileno(), lambda: reported.append("first"))
        theirs.send(b"!")
        first.end()  # what is on its way does not arrive
        again = asyncio.Event()

        def second() -> None:
            ours.recv(1)
            reported.append("second")
            again.set()

        watched = watch(loop, ours.fileno(), second)
        await asyncio.wait_for(again.wait(), BOUND)
        watched.end()

    run(main())
    assert reported == ["second"]


def test_a_reader_that_raises_is_called_again(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair

    async def main() -> None:
        loop = asyncio.get_running_loop()
        errors: list[object] = []
        loop.set_exception_handler(lambda loop, context: errors.append(context["exception"]))
        well = asyncio.Event()

        def readable() -> None:
            if ours.recv(1) == b"1":
                raise RuntimeError("a defect")
            well.set()

        watched = watch(loop, ours.fileno(), readable)
        theirs.send(b"12")
        await asyncio.wait_for(well.wait(), BOUND)
        watched.end()
        assert len(errors) == 1

    run(main())


@pytest.mark.parametrize("selector", [selectors.DefaultSelector, selectors.SelectSelector])
def test_a_socket_that_somebody_closed_does_not_keep_the_others_from_being_read(
    selector: type[selectors.BaseSelector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`select` refuses to wait for any of them then, as Windows' does."""
    needs_posix("a socket's number is closed as a descriptor")
    monkeypatch.setattr(selectors, "DefaultSelector", selector)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        gone, there = asyncio.Event(), asyncio.Event()
        with ExitStack() as sockets:
            closed, _, ours, theirs = (
                sockets.enter_context(each) for each in (*socket.socketpair(), *socket.socketpair())
            )
            first = watch(loop, closed.fileno(), gone.set)
            second = watch(loop, ours.fileno(), lambda: there.set() if ours.recv(1) else None)
            await asyncio.sleep(0.01)
            os.close(closed.detach())
            theirs.send(b"!")
            await asyncio.wait_for(there.wait(), BOUND)
            if selector is selectors.SelectSelector:  # others forget it by themselves
                await asyncio.wait_for(gone.wait(), BOUND)
            first.end()
            second.end()

    run(main())


@pytest.mark.parametrize("limit", [3, 8])
def test_more_sockets_than_select_takes(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections of a process share one loop, whose `select` fails for all of them when there are too many."""
    monkeypatch.setattr(watching, "SELECT_LIMIT", limit)
    monkeypatch.setattr(hub, "new_event_loop", lambda: asyncio.SelectorEventLoop(selectors.SelectSelector()))
    with Peer() as peer, ExitStack() as connections:
        names = [f"agent{number}.agentid.pub" for number in range(20)]
        all_of_them = [connections.enter_context(connect(peer, name)) for name in names]
        for connection in all_of_them:
            online(connection)
        assert sum(len(thread.watches) for thread in watching._threads) == 20
        assert all(len(thread.watches) <= limit for thread in watching._threads)
        answers = [connection.health().statistics.answers for connection in all_of_them]
        until(
            lambda: all(
                connection.health().statistics.answers > before + 2
                for connection, before in zip(all_of_them, answers, strict=True)
            )
        )


def test_a_socket_that_somebody_closed_takes_no_other_connection_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections of a process share one loop: it never came to a timer again when its `select` failed."""
    needs_posix("a socket's number is closed as a descriptor")
    monkeypatch.setattr(hub, "new_event_loop", lambda: asyncio.SelectorEventLoop(selectors.SelectSelector()))
    with Peer() as peer, connect(peer) as connection, connect(peer, "bob.agentid.pub") as other:
        online(connection)
        online(other)
        number = connection.fileno()
        assert number is not None
        os.close(number)
        peer.wait(lambda: peer.sign_ins == 3)
        online(connection)
        assert other.health().statistics.losses == 0


def test_a_loop_closed_without_a_stop_leaves_no_thread() -> None:
    with Peer() as peer:
        connection = AsyncConnection(ALICE, authenticator=peer, config=FAST)

        async def main() -> None:
            connection.start()
            assert await connection.wait_for(State.ONLINE, timeout=BOUND)

        run(main())
        assert connection.state is State.OFFLINE


def test_a_forked_child_has_a_clean_slate() -> None:
    needs_posix("a process forks")
    with Peer() as peer:

        async def main() -> None:
            connection = AsyncConnection(ALICE, authenticator=peer, config=FAST)
            async with connection:
                assert await connection.wait_for(State.ONLINE, timeout=BOUND)
                if (child := os.fork()) == 0:
                    os._exit(0 if connection.state is State.OFFLINE and not watching._threads else 1)
                await asyncio.to_thread(until_it_ends, child)
                seen = peer.heartbeats
                await asyncio.to_thread(peer.wait, lambda: peer.heartbeats > seen + 3)

        run(main())


def test_a_thread_that_ended_is_given_no_more_sockets(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each later socket went to it, and its connection was deaf."""

    def fail(thread: watching.WatchThread) -> None:
        raise RuntimeError("a fault of ours")

    async def main() -> None:
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        with monkeypatch.context() as patched:
            patched.setattr(watching.WatchThread, "_obey", fail)
            first = watch(loop, pair[0].fileno(), lambda: None)
            assert isinstance(first, ThreadWatch)
            first.thread._thread.join(BOUND)
            assert not first.thread._thread.is_alive()
        second = watch(loop, pair[0].fileno(), readable.set)
        pair[1].send(b"!")
        await asyncio.wait_for(readable.wait(), BOUND)
        second.end()

    run(main())
    assert "a fault of ours" in caplog.text
