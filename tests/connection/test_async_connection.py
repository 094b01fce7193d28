"""The asyncio face, on real sockets."""

import asyncio
import gc
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from random import Random

import pytest

from agentcp_fsm import AsyncConnection, ConnectionStateError, Invitation, ReportTransition, State
from agentcp_fsm.connection.hub import new_event_loop
from tests.connection.peer import FAST, INVITATION, PATIENT, Peer, nothing_left
from tests.needs import needs_posix


def connect(peer: Peer, agent_id: str = "alice.agentid.pub") -> AsyncConnection:
    return AsyncConnection(agent_id, authenticator=peer, config=FAST)


def test_it_lives_in_the_running_loop_and_leaves_nothing() -> None:
    async def main(peer: Peer) -> None:
        async with connect(peer) as connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)
            assert "agentcp-loop" not in {thread.name for thread in threading.enumerate()}
            assert not await connection.wait_for(State.BACKOFF, timeout=0.1)
        assert connection.state is State.OFFLINE
        assert peer.sign_outs == 1

    with Peer() as peer, nothing_left():
        asyncio.run(main(peer))


def test_one_that_was_stopped_is_kept_by_nothing() -> None:
    """It was, by a timer that stayed in the loop for as long as the connection had wanted to wait."""

    async def life(peer: Peer) -> weakref.ref[AsyncConnection]:
        connection = AsyncConnection("alice.agentid.pub", authenticator=peer, config=PATIENT)
        async with connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)
        return weakref.ref(connection)

    async def main(peer: Peer) -> None:
        kept = await life(peer)
        async with asyncio.timeout(10):
            while kept() is not None:
                gc.collect()
                await asyncio.sleep(0.001)

    with Peer() as peer:
        asyncio.run(main(peer))


def test_handlers_may_be_functions_and_coroutine_functions_and_stay_in_order() -> None:
    seen: list[str] = []

    async def main(peer: Peer) -> None:
        connection = connect(peer)
        arrived = asyncio.Event()

        @connection.on_transition
        def note(transition: ReportTransition) -> None:
            seen.append(transition.dest)

        @connection.on_invite
        async def take(invitation: Invitation) -> None:
            assert asyncio.get_running_loop() is loop
            await asyncio.sleep(0)
            assert invitation == INVITATION
            seen.append("invited")
            arrived.set()

        loop = asyncio.get_running_loop()
        async with connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)
            peer.invite(connection.agent_id)
            await asyncio.wait_for(arrived.wait(), 10)

    with Peer() as peer:
        asyncio.run(main(peer))
    assert seen[:3] == ["SIGNING_IN", "ONLINE", "invited"]


def test_a_second_event_loop_works_and_so_does_the_same_connection_in_it() -> None:
    async def main(connection: AsyncConnection) -> None:
        async with connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)

    with Peer() as peer, nothing_left():
        connection = connect(peer)
        for _ in range(3):
            asyncio.run(main(connection))
        assert peer.sign_ins == 3


@pytest.mark.parametrize("again", ["start", "stop"])
@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, new_event_loop])
def test_a_loop_that_was_closed_without_a_stop_is_no_end(
    again: str, make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """It was: the connection said that it was ONLINE, started no more, and stop waited for all its time in vain."""

    async def leave(connection: AsyncConnection) -> None:
        connection.start()
        assert await connection.wait_for(State.ONLINE, timeout=10)

    async def restart(connection: AsyncConnection) -> None:
        async with connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)

    def run(coroutine: Coroutine[None, None, object]) -> object:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            return runner.run(coroutine)

    with Peer() as peer, nothing_left():
        connection = connect(peer)
        run(leave(connection))
        assert connection.state is State.OFFLINE
        assert not connection.health().reachable
        assert connection.fileno() is None
        connection.reconnect()
        connection.retry_now()
        if again == "start":
            run(leave(connection))
            run(restart(connection))
            assert peer.sign_ins == 3
        else:
            assert run(connection.stop())


def test_a_stop_right_after_a_start_is_one() -> None:
    """It came before the start: it waited for all its time in vain, and the connection went on."""

    async def main(connection: AsyncConnection) -> None:
        with pytest.raises(LookupError):
            async with connection:
                raise LookupError
        assert connection.state is State.OFFLINE
        connection.start()
        assert await connection.wait_for(State.ONLINE, timeout=10)
        connection.start()
        assert await connection.stop()

    with Peer() as peer, nothing_left():
        asyncio.run(main(connect(peer)))


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, new_event_loop])
def test_cancelled_at_any_moment_it_stays_in_order(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Whoever waits for it, and is cancelled, leaves nothing behind; stop is prompt, and start works."""

    async def life(random: Random, peer: Peer) -> None:
        connection = connect(peer)

        async def pass_by() -> None:
            async with connection:
                await asyncio.sleep(random.random() * 0.01)

        async def start() -> None:
            connection.start()

        deeds = (
            pass_by,
            start,
            connection.stop,
            lambda: connection.wait_for(random.choice(list(State)), timeout=random.random() * 0.02),
        )
        tasks = []
        for _ in range(30):
            tasks.append(asyncio.ensure_future(random.choice(deeds)()))
            for _ in range(random.randrange(4)):
                await asyncio.sleep(random.choice((0, 0, 0.002)))
            if random.random() < 0.6:
                random.choice(tasks).cancel()
        outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
        assert {type(outcome) for outcome in outcomes} <= {bool, type(None), asyncio.CancelledError}
        async with asyncio.timeout(2):
            assert await connection.stop(timeout=60)
        assert connection.state is State.OFFLINE
        async with connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)

    with Peer() as peer, nothing_left(), asyncio.Runner(loop_factory=make_loop) as runner:
        for seed in range(10):
            runner.run(life(Random(seed), peer))


def test_another_loop_does_not_get_what_one_has() -> None:
    async def main(connection: AsyncConnection) -> None:
        connection.start()
        assert await connection.wait_for(State.ONLINE, timeout=10)

        async def elsewhere() -> None:
            with pytest.raises(ConnectionStateError, match="another event loop"):
                connection.start()
            with pytest.raises(ConnectionStateError, match="another event loop"):
                await connection.stop()

        await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
        connection.start()
        assert await connection.stop()

    with Peer() as peer:
        asyncio.run(main(connect(peer)))


def test_a_handler_whose_loop_is_closed_holds_no_thread_and_no_later_invitation() -> None:
    """It did: the thread waited for ever for what nothing could run any longer."""

    async def main(connection: AsyncConnection) -> None:
        async with connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)
            peer.invite(connection.agent_id)
            await asyncio.to_thread(peer.wait, lambda: len(peer.answered) == 1)
            await arrived.wait()

    arrived = asyncio.Event()

    async def take(invitation: Invitation) -> None:
        arrived.set()
        await asyncio.Event().wait()

    with Peer() as peer, nothing_left():
        connection = connect(peer)
        connection.on_invite(take)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main(connection))
        tasks = asyncio.all_tasks(loop)
        loop.close()  # without a cancellation, as asyncio.run has it
        for task in tasks:
            task.get_coro().close()
            task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_handler_that_makes_a_coroutine_is_one() -> None:
    """It was not, unless it was a coroutine function itself: the coroutine was thrown away."""

    async def main(peer: Peer) -> None:
        arrived: asyncio.Queue[Invitation] = asyncio.Queue()
        connection = connect(peer)
        connection.on_invite(lambda invitation: arrived.put(invitation))
        async with connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)
            peer.invite(connection.agent_id)
            assert await asyncio.wait_for(arrived.get(), 10) == INVITATION

    with Peer() as peer:
        asyncio.run(main(peer))


def test_a_forked_child_has_a_clean_slate() -> None:
    """It had not: the child's copy went on in the loop of the parent, whose socket a stop in the child made deaf."""
    needs_posix("a process forks")

    async def main(peer: Peer) -> None:
        async with connect(peer) as connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)
            child = os.fork()
            if child == 0:
                failed = 1
                try:
                    assert connection.state is State.OFFLINE
                    threading.Thread(target=lambda: asyncio.run(connection.stop())).start()
                    failed = 0
                finally:
                    os._exit(failed)
            _, status = await asyncio.to_thread(os.waitpid, child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            seen = peer.heartbeats
            await asyncio.to_thread(peer.wait, lambda: peer.heartbeats > seen + 3)
            assert connection.state is State.ONLINE

    with Peer() as peer:
        asyncio.run(main(peer))


def test_two_loops_at_once() -> None:
    async def main(peer: Peer, number: int) -> None:
        async with connect(peer, f"agent{number}.agentid.pub") as connection:
            assert await connection.wait_for(State.ONLINE, timeout=10)
            await asyncio.to_thread(both.wait, 10)

    with Peer() as peer:
        both = threading.Barrier(2)
        threads = [threading.Thread(target=lambda n=n: asyncio.run(main(peer, n))) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()


def test_starting_outside_a_loop_is_refused_with_the_remedy() -> None:
    with Peer() as peer, pytest.raises(ConnectionStateError, match="use Connection"):
        connect(peer).start()
