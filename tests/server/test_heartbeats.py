"""Heartbeats, moves and invitations, as a bare UDP socket sees them."""

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcp_fsm.errors import ConfigError, ServerError, WireError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.server import OldPort, ServerThread
from agentcp_fsm.wire import (
    UNAUTHORIZED,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
    codec_named,
)
from tests.server.client import ALICE, BOB, INVITATION, Client
from tests.sign_in.certificates import make_identity
from tests.waiting import until
from tests.wire.strategies import messages

PROPERTY = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_heartbeat_is_answered_and_remembered(server: ServerThread, agent: Client) -> None:
    assert [agent.next_beat() for _ in range(3)] == [7000, 7000, 7000]
    counted = server.statistics()
    assert (counted.datagrams, counted.heartbeats, counted.answers, counted.unauthorized) == (3, 3, 3, 0)
    known = server.agent(ALICE)
    assert known is not None
    assert (known.online, known.sessions, known.heartbeats, known.last_sequence) == (True, 1, 3, 3)
    assert known.address == ("127.0.0.1", agent.udp.getsockname()[1])


@pytest.mark.parametrize("sequence", [0, 1, 2**64 - 1])
def test_the_sequence_is_echoed(server: ServerThread, agent: Client, sequence: int) -> None:
    agent.send(HeartbeatRequest(sequence, ALICE, agent.cookie))
    assert agent.receive() == HeartbeatResponse(sequence, 7000)


def test_an_unknown_cookie_is_unauthorized(server: ServerThread, agent: Client) -> None:
    agent.cookie ^= 1
    assert agent.next_beat() == UNAUTHORIZED
    counted = server.statistics()
    assert (counted.heartbeats, counted.unauthorized) == (0, 1)


def test_a_cookie_is_its_agents_own(server: ServerThread, agent: Client) -> None:
    agent.agent_id = BOB
    assert agent.next_beat() == UNAUTHORIZED
    agent.agent_id = "Alice.AgentID.pub"
    assert agent.next_beat() == 7000


def test_a_restart_forgets_sessions_and_nonces(server: ServerThread, agent: Client) -> None:
    nonce = agent.challenge("request").json()["nonce"]
    assert agent.next_beat() == 7000
    server.restart()
    assert agent.next_beat() == UNAUTHORIZED
    assert agent.post("/sign_in", agent.proof("request", nonce)).status_code == 401
    known = server.agent(ALICE)
    assert known is not None
    assert (known.online, known.sessions, known.heartbeats, known.address) == (False, 0, 1, None)
    agent.sign_in()
    assert agent.next_beat() == 7000


def test_a_move_leaves_a_dead_port(server: ServerThread, agent: Client) -> None:
    agent.udp.connect(agent.server_address)
    assert agent.next_beat() == 7000
    moved = server.move()
    assert moved == server.udp_address != agent.server_address
    with pytest.raises(ConnectionRefusedError):
        agent.udp.send(b"anybody?") and agent.udp.recv(1)
    session = agent.sign_in()
    assert (session["server_ip"], session["port"]) == moved


def test_a_move_leaves_a_port_that_says_401(server: ServerThread, agent: Client) -> None:
    left = agent.server_address
    server.move(old_port=OldPort.UNAUTHORIZED)
    assert agent.next_beat() == UNAUTHORIZED
    agent.udp.sendto(b"malformed", left)
    agent.server_address = server.udp_address
    assert agent.next_beat() == 7000, "sessions outlive a move"
    until(lambda: server.statistics().malformed == 1)
    assert server.statistics().heartbeats == 1


def test_old_ports_are_bounded(server: ServerThread, agent: Client) -> None:
    ports = [server.udp_address]
    ports += [server.move(old_port=OldPort.UNAUTHORIZED) for _ in range(9)]
    agent.udp.connect(ports[0])
    with pytest.raises(ConnectionRefusedError):
        agent.udp.send(b"anybody?") and agent.udp.recv(1)
    with Client(server) as another:
        another.server_address = ports[1]
        assert another.next_beat() == UNAUTHORIZED


def test_a_move_to_a_port_of_choice(server: ServerThread) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        before = server.udp_address
        with pytest.raises(ServerError, match=str(port)):
            server.move(port)
        assert server.udp_address == before
    assert server.move(port) == ("127.0.0.1", port)
    with pytest.raises(ConfigError, match="65536"):
        server.move(65536)


# Invitations ----------------------------------------------------------------------------------------------------------


@contextmanager
def inviting(server: ServerThread, *invitations: Invitation, timeout: float = 5.0) -> Iterator[list[Future[Any]]]:
    """Send invitations to Alice one after the other, each without waiting for the one before."""
    sent = server.statistics().invitations
    with ThreadPoolExecutor(len(invitations)) as pool:
        futures = []
        for number, invitation in enumerate(invitations):
            futures.append(pool.submit(server.invite, ALICE, invitation, timeout))
            until(lambda number=number: server.statistics().invitations == sent + number + 1)  # type: ignore[misc]
        yield futures


def test_an_invitation_is_sent_and_its_answer_returned(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    with inviting(server, INVITATION) as (answer,):
        agent.answer_invitation()
        assert answer.result() == InviteResponse(2, ALICE, BOB, "session", agent.cookie)
    known = server.agent(ALICE.upper())
    assert known is not None
    assert (known.invitations, known.invitations_answered) == (1, 1)


def test_what_is_sent_is_the_invitation(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    with inviting(server, INVITATION, timeout=0) as (answer,):
        assert agent.receive() == InviteRequest(1, INVITATION)
        assert isinstance(answer.exception(), TimeoutError)
    assert server.server._heartbeats._awaited == [], "nothing is kept of it"


def test_an_empty_session_id_answers_the_oldest_invitation(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    later = replace(INVITATION, session_id="later")
    with inviting(server, INVITATION, later) as (first, second):
        agent.answer_invitation(session_id="")
        assert first.result().session_id == ""
        agent.answer_invitation(session_id="")
        assert second.result().session_id == ""


def test_answers_find_their_own_invitation(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    later, another = replace(INVITATION, session_id="later"), replace(INVITATION, inviter_agent_id="carol.agentid.pub")
    with inviting(server, INVITATION, later, another) as answers:
        for _ in answers:
            agent.answer_invitation()
        found = [answer.result() for answer in answers]
    assert [(each.inviter_agent_id, each.session_id) for each in found] == [
        (BOB, "session"),
        (BOB, "later"),
        ("carol.agentid.pub", "session"),
    ]


@pytest.mark.parametrize(
    ("changes", "unexpected"),
    [({"sign_cookie": 1}, 1), ({"agent_id": BOB}, 1), ({"inviter_agent_id": ALICE}, 0), ({"session_id": "another"}, 0)],
)
def test_what_is_no_answer_ends_no_wait(
    server: ServerThread, agent: Client, changes: dict[str, Any], unexpected: int
) -> None:
    agent.next_beat()
    with inviting(server, INVITATION) as (answer,):
        agent.answer_invitation(**changes)
        until(lambda: server.statistics().datagrams == 2)
        assert not answer.done()
        assert server.statistics().unexpected == unexpected
        agent.send(InviteResponse(3, ALICE, BOB, "session", agent.cookie))
        assert answer.result().sequence == 3


def test_a_repeated_answer_is_counted(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    with inviting(server, INVITATION) as (answer,):
        agent.answer_invitation()
        answer.result()
    agent.send(answer.result())
    until(lambda: server.statistics().invitations_answered == 2)


def test_an_agent_that_is_not_there_cannot_be_invited(server: ServerThread, agent: Client) -> None:
    for agent_id in (ALICE, BOB):
        with pytest.raises(ServerError, match=agent_id):
            server.invite(agent_id, INVITATION)
    agent.next_beat()
    server.restart()
    with pytest.raises(ServerError, match=ALICE):
        server.invite(ALICE, INVITATION)
    assert server.statistics().invitations == 0


def test_an_invitation_must_fit_into_a_datagram(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    with pytest.raises(WireError, match="message_server"):
        server.invite(ALICE, replace(INVITATION, message_server="x" * 2000))
    with pytest.raises(ConfigError, match="-1"):
        server.invite(ALICE, INVITATION, timeout=-1)
    assert server.statistics().invitations == 0


# Whatever else may come -----------------------------------------------------------------------------------------------


@PROPERTY
@given(datagrams=st.lists(st.binary(max_size=1600) | messages.map(codec_named("agentcp").encode), max_size=20))
def test_any_datagrams_leave_the_server_answering(shared: ServerThread, datagrams: list[bytes]) -> None:
    with Client(shared) as client:
        before = shared.statistics()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            for datagram in datagrams:
                other.sendto(datagram, client.server_address)
            until(lambda: shared.statistics().datagrams == before.datagrams + len(datagrams))
        assert client.next_beat() == UNAUTHORIZED
        after = shared.statistics()
    told = after.malformed + after.unexpected + after.unauthorized
    assert told == before.malformed + before.unexpected + before.unauthorized + len(datagrams) + 1
    assert after.socket_errors == before.socket_errors


def test_a_datagram_that_is_too_long_is_malformed(server: ServerThread, agent: Client) -> None:
    valid = agent.codec.encode(HeartbeatRequest(1, ALICE, agent.cookie))
    agent.udp.sendto(valid + bytes(1536 - len(valid)), agent.server_address)
    agent.receive()
    agent.udp.sendto(valid + bytes(1537 - len(valid)), agent.server_address)
    until(lambda: server.statistics().malformed == 1)
    assert server.statistics().heartbeats == 1


def test_protocol_buffers() -> None:
    codec = codec_named("protobuf")
    with ServerThread(codec=codec) as server, Client(server, codec=codec) as client:
        client.sign_in()
        assert client.next_beat() == 5000
        with pytest.raises(ConfigError, match="varint"):
            server.command("fault encoding varint")


def test_many_agents_at_once(server: ServerThread) -> None:
    identity = make_identity(BOB)
    with Client(server) as alice, Client(server, BOB, identity) as bob:
        alice.sign_in()
        bob.sign_in()
        for client in (alice, bob) * 100:
            client.beat()
        for client in (alice, bob):
            assert {client.receive() for _ in range(100)} == {HeartbeatResponse(n + 1, 7000) for n in range(100)}
    assert [known.heartbeats for known in server.agents()] == [100, 100]
