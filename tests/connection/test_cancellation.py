"""Tasks that await a connection of asyncio, and are cancelled in the very step in which what they await happens.

The task is done with waiting then, but has not run since.  `asyncio.wait_for` loses such a cancellation in Python 3.11.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from agentcp_fsm import AsyncConnection, Session, State
from agentcp_fsm.connection.hub import new_event_loop
from agentcp_fsm.support.abandonment import Abandonment
from tests.connection.peer import FAST, PATIENT, Peer, nothing_left

LOOPS = pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, new_event_loop], ids=["asyncio", "as installed"])
MakeLoop = Callable[[], asyncio.AbstractEventLoop]


class Asked(Peer):
    """Answers questions when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self.abandoned = threading.Event()

    def query_online_state(self, session: Session, agents: Sequence[str], abandonment: Abandonment) -> list[Any]:
        while not self.released.wait(0.01):
            if abandonment.abandoned:
                self.abandoned.set()
                raise InterruptedError
        return [{"online": True} for _ in agents]


def run(make_loop: MakeLoop, coroutine: Coroutine[Any, Any, object]) -> None:
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(asyncio.wait_for(coroutine, 30))


async def cancelled_when_it_happens(waiting: Coroutine[Any, Any, object], cause: Callable[[], None]) -> bool:
    """Have it happen, and cancel what waits for it in the same step of the loop."""
    task = asyncio.ensure_future(waiting)
    await asyncio.sleep(0.01)  # it waits
    assert not task.done()
    cause()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return task.cancelled()


@LOOPS
@pytest.mark.parametrize("timeout", [None, 20.0])
def test_waiting_for_a_state(make_loop: MakeLoop, timeout: float | None) -> None:
    async def main(peer: Peer) -> None:
        connection = AsyncConnection("alice.agentid.pub", authenticator=peer, config=FAST)
        waiters = connection._attachment.waiters
        assert await cancelled_when_it_happens(
            connection.wait_for(State.ONLINE, timeout=timeout), lambda: waiters.entered(State.ONLINE)
        )
        assert not waiters._waiting

    with Peer() as peer, nothing_left():
        run(make_loop, main(peer))


@LOOPS
def test_stopping(make_loop: MakeLoop) -> None:
    async def main(peer: Peer) -> None:
        connection = AsyncConnection("alice.agentid.pub", authenticator=peer, config=PATIENT)
        connection.start()
        assert await connection.wait_for(State.ONLINE, timeout=10)
        stopping = asyncio.ensure_future(connection.stop())

        def cancel() -> None:
            stopping.cancel()

        # In the step in which the connection comes to rest: the notification is what this waiter hears, too.
        connection._attachment.waiters._waiting[object()] = (frozenset({State.OFFLINE}), cancel)
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert connection.state is State.OFFLINE

    with Peer() as peer, nothing_left():
        run(make_loop, main(peer))


@LOOPS
def test_a_timeout_in_the_step_of_the_event_is_no_timeout(make_loop: MakeLoop) -> None:
    async def main(peer: Peer) -> None:
        connection = AsyncConnection("alice.agentid.pub", authenticator=peer, config=FAST)
        waiters = connection._attachment.waiters
        waiting = asyncio.ensure_future(connection.wait_for(State.ONLINE, timeout=0.05))
        await asyncio.sleep(0)
        deadline = asyncio.get_running_loop().time() + 0.05
        while asyncio.get_running_loop().time() < deadline:
            pass  # the loop finds the timer due in its next step
        waiters.entered(State.ONLINE)
        assert await waiting

    with Peer() as peer, nothing_left():
        run(make_loop, main(peer))


@LOOPS
def test_a_question(make_loop: MakeLoop) -> None:
    async def main(peer: Asked) -> None:
        async with AsyncConnection("alice.agentid.pub", authenticator=peer, config=PATIENT) as connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)
            asking = asyncio.ensure_future(connection.query_online_state(["bob.agentid.pub"]))
            await asyncio.sleep(0.01)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await asyncio.to_thread(peer.abandoned.wait, 10)
            peer.released.set()
            assert await connection.query_online_state(["bob.agentid.pub"]) == [{"online": True}]

    with Asked() as peer, nothing_left():
        run(make_loop, main(peer))


@LOOPS
def test_a_question_that_hangs_holds_up_nothing(make_loop: MakeLoop) -> None:
    """It was asked on a thread of the default executor, whose end asyncio.run waits for."""

    async def main(peer: Asked) -> None:
        connection = AsyncConnection("alice.agentid.pub", authenticator=peer, config=PATIENT)
        connection.start()
        assert await connection.wait_for(State.ONLINE, timeout=10)
        asking = asyncio.ensure_future(connection.query_online_state(["bob.agentid.pub"]))
        await asyncio.sleep(0.01)
        assert await connection.stop()
        assert not asking.done()
        asking.cancel()

    class Hanging(Asked):
        def query_online_state(self, session: Session, agents: Sequence[str], abandonment: Abandonment) -> list[Any]:
            self.released.wait(20)
            self.abandoned.set()
            return []

    with Hanging() as peer, nothing_left():
        run(make_loop, main(peer))
        assert not peer.abandoned.is_set(), "the loop waited for it"
        peer.released.set()


def test_a_question_needs_no_default_executor() -> None:
    async def main(peer: Asked) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        released = threading.Event()
        filling = loop.run_in_executor(None, released.wait)
        peer.released.set()
        try:
            async with AsyncConnection("alice.agentid.pub", authenticator=peer, config=PATIENT) as connection:
                assert await connection.wait_for(State.ONLINE, timeout=10)
                assert await connection.query_online_state([]) == []
        finally:
            released.set()
            await filling

    with Asked() as peer, nothing_left():
        run(asyncio.new_event_loop, main(peer))


@pytest.mark.parametrize("error", [LookupError("x"), StopIteration("x")])
def test_whatever_a_question_raises_is_raised(error: Exception) -> None:
    class Raising(Asked):
        def query_online_state(self, session: Session, agents: Sequence[str], abandonment: Abandonment) -> list[Any]:
            raise error

    async def main(peer: Asked) -> None:
        async with AsyncConnection("alice.agentid.pub", authenticator=peer, config=PATIENT) as connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)
            with pytest.raises((LookupError, RuntimeError)):
                await connection.query_online_state([])

    with Raising() as peer, nothing_left():
        run(asyncio.new_event_loop, main(peer))
