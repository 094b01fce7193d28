"""The asyncio face, on real sockets."""

import asyncio
import threading

import pytest

from agentcp_fsm import AsyncConnection, ConnectionStateError, Invitation, ReportTransition, State
from tests.runtime.peer import FAST, INVITATION, Peer, nothing_left


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
