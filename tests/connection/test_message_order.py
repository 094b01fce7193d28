"""Datagrams that come twice, late, out of order or from the past, on real sockets (docs/messages.md).

They come from the server's own address: the kernel drops a stranger's.
"""

import queue
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from agentcp_fsm import Config, Connection, Invitation, Session, State
from agentcp_fsm.wire import UNAUTHORIZED, HeartbeatResponse, InviteRequest, codec_named
from tests.connection.peer import FAST, INVITATION, Peer
from tests.waiting import online, until

ALICE = "alice.agentid.pub"
CODEC = codec_named("agentcp")
BOUND = 20.0
QUIET = replace(FAST, interval_min=0.05, interval_max=30.0, silence_limit=40)


def connected(peer: Peer, config: Config = QUIET) -> Connection:
    connection = Connection(ALICE, authenticator=peer, config=config)
    connection.start()
    online(connection)
    return connection


def answer(peer: Peer, next_beat: int, sequence: int = 1, times: int = 1) -> None:
    for _ in range(times):
        peer.send(ALICE, CODEC.encode(HeartbeatResponse(sequence, next_beat)))


# Answers --------------------------------------------------------------------------------------------------------------


def test_old_answers_come_again_and_the_latest_to_arrive_is_in_force() -> None:
    with Peer(next_beat=20_000) as peer:
        connection = connected(peer)
        counted = connection.health().statistics.answers
        heartbeats = peer.heartbeats
        answer(peer, 9_000, sequence=0, times=10)
        answer(peer, 7_000, sequence=2**64 - 1)
        answer(peer, 8_000, sequence=1, times=10)
        until(lambda: connection.health().statistics.answers == counted + 21)
        health = connection.health()
        assert (health.state, health.interval) == (State.ONLINE, 8.0)
        assert peer.heartbeats == heartbeats, "an answer is no reason to send"
        assert health.statistics.attempts == 1
        connection.stop()


def test_the_echo_of_message_seq_is_recorded_and_not_required() -> None:
    with Peer() as peer:
        connection = connected(peer)
        assert 1 <= (connection.health().answer_sequence or 0) <= connection.health().sequence
        peer.next_beat = -1  # it is silent now, but for what follows
        answer(peer, 20_000, sequence=12345)
        until(lambda: connection.health().answer_sequence == 12345)
        assert connection.state is State.ONLINE
        connection.stop()
        assert connection.health().answer_sequence is None


def test_answers_to_an_earlier_session_reach_nobody() -> None:
    with Peer(next_beat=20_000) as peer:
        connection = connected(peer)
        earlier = peer.clients[ALICE]
        connection.reconnect()
        until(lambda: connection.health().statistics.times_online == 2)
        assert peer.clients[ALICE] != earlier, "each session has a socket of its own"
        counted = connection.health().statistics
        for next_beat in (UNAUTHORIZED, 9_000):
            peer.socket.sendto(CODEC.encode(HeartbeatResponse(1, next_beat)), earlier)
        answer(peer, 8_000)
        until(lambda: connection.health().statistics.answers == counted.answers + 1)
        assert connection.health().interval == 8.0
        assert connection.health().statistics.losses == counted.losses
        connection.stop()


def test_one_forged_answer_slows_heartbeats_to_the_longest_interval_at_most() -> None:
    with Peer(next_beat=50) as peer:
        connection = connected(peer, replace(QUIET, interval_max=0.3))
        answer(peer, 2**62)
        until(lambda: connection.health().interval == 0.3)
        heartbeats = peer.heartbeats
        peer.wait(lambda: peer.heartbeats > heartbeats + 2)
        assert connection.health().interval == 0.05, "the server's own answers are as good"
        connection.stop()


# 401 ------------------------------------------------------------------------------------------------------------------


def test_a_401_replayed_from_the_servers_own_address_costs_a_sign_in_each_least_time_at_most() -> None:
    """It is believed, for nothing tells it from a true one; what it can do is bounded."""
    least = 0.25
    began: list[float] = []
    with Peer(next_beat=20_000) as peer:
        real = peer.sign_in

        def sign_in(abandoned: object) -> Session:
            began.append(time.monotonic())
            return real(abandoned)

        peer.sign_in = sign_in  # type: ignore[method-assign]
        connection = connected(peer, replace(QUIET, sign_in_interval_min=least, backoff_max=1.0))
        for losses in range(1, 4):
            answer(peer, UNAUTHORIZED, times=50)
            until(lambda: connection.health().statistics.losses == losses)  # noqa: B023 - it is called here
            assert connection.wait_for(State.ONLINE, timeout=BOUND)
        assert len(began) == 4, "50 are one loss: the socket that they came to is gone"
        gaps = [later - earlier for earlier, later in pairwise(began)]
        assert min(gaps) > least - 0.05
        connection.stop()


# Invitations ----------------------------------------------------------------------------------------------------------


class Invited:
    """A connection that notes its invitations."""

    def __init__(self, peer: Peer, config: Config = QUIET) -> None:
        self.peer = peer
        self.delivered: queue.Queue[Invitation] = queue.Queue()
        self.connection = Connection(ALICE, authenticator=peer, config=config)
        self.connection.on_invite(self.delivered.put)

    def online(self) -> None:
        online = self.connection.health().statistics.times_online
        self.connection.start()
        until(lambda: self.connection.health().statistics.times_online == online + 1)

    def gets(self, *sessions: str) -> list[str]:
        """Send the invitations, one after the other, await the answer of each, and say which were delivered."""
        for session in sessions:
            answered = len(self.peer.answered)
            self.peer.send(ALICE, CODEC.encode(InviteRequest(1, replace(INVITATION, session_id=session))))
            self.peer.wait(lambda: len(self.peer.answered) == answered + 1)  # noqa: B023 - it is called here
            assert self.peer.answered[-1].session_id == session
        known = self.connection.health().statistics.invitations
        until(lambda: self.delivered.qsize() >= known - self.before)
        told = [self.delivered.get(timeout=BOUND).session_id for _ in range(self.delivered.qsize())]
        self.before = known
        return told

    before = 0


def test_invitations_are_delivered_once_in_the_order_of_their_arrival_and_answered_each_time() -> None:
    with Peer(next_beat=20_000) as peer:
        agent = Invited(peer)
        agent.online()
        assert agent.gets("2", "1", "2", "1", "3", "1") == ["2", "1", "3"]
        assert agent.connection.health().statistics.duplicates == 3
        agent.connection.stop()


def test_an_invitation_is_known_until_so_many_others_have_come_also_after_a_reconnect() -> None:
    with Peer(next_beat=20_000) as peer:
        agent = Invited(peer, replace(QUIET, invitation_memory=3, invitation_window=60.0))
        agent.online()
        assert agent.gets("1", "2", "3") == ["1", "2", "3"]
        assert agent.gets("1", "1") == [], "seen again, it does not become younger"
        agent.connection.reconnect()
        until(lambda: agent.connection.health().statistics.times_online == 2)
        assert agent.gets("1", "3") == []
        assert agent.gets("4") == ["4"]
        assert agent.gets("1") == ["1"], "forgotten, so it is new"
        assert agent.gets("3", "4") == []
        agent.connection.stop()
        agent.online()
        assert agent.gets("4") == ["4"], "another life knows nothing"
        agent.connection.stop()


@pytest.mark.parametrize("expire", [0, -1, 1, 2**63 - 1, -(2**63)])
def test_an_invitation_that_has_expired_is_handed_on_as_it_is(expire: int) -> None:
    """Whoever joins decides: neither the field's unit nor this machine's clock is certain."""
    with Peer(next_beat=20_000) as peer:
        agent = Invited(peer)
        agent.online()
        peer.invite(ALICE, replace(INVITATION, invite_code_expire=expire))
        assert agent.delivered.get(timeout=BOUND).invite_code_expire == expire
        peer.wait(lambda: len(peer.answered) == 1)
        agent.connection.stop()


def test_any_field_makes_another_invitation() -> None:
    changes: dict[str, Any] = {
        "inviter_agent_id": "carol.agentid.pub",
        "invite_code": "ANOTHER",
        "invite_code_expire": 7,
        "session_id": "session-2",
        "message_server": "wss://elsewhere",
    }
    others = [replace(INVITATION, **{name: value}) for name, value in changes.items()]
    with Peer(next_beat=20_000) as peer:
        agent = Invited(peer)
        agent.online()
        for invitation in (INVITATION, *others, INVITATION):
            peer.invite(ALICE, invitation)
        assert [agent.delivered.get(timeout=BOUND) for _ in range(6)] == [INVITATION, *others]
        peer.wait(lambda: len(peer.answered) == 7)
        assert agent.delivered.empty()
        agent.connection.stop()
