"""Every fault does what it says, and nothing that it does not say."""

import asyncio
import socket
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.server import Direction, Faults, Limits, ServerThread, SignInFault, Stranger, Unauthorized
from agentcp_fsm.sign_in import Credentials
from agentcp_fsm.wire import UNAUTHORIZED, AgentCPCodec, HeartbeatResponse, InviteRequest, NextBeatEncoding
from tests.server.client import ALICE, IDENTITY, INVITATION, PATIENCE, Client
from tests.waiting import until

PROPERTY = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Datagrams ------------------------------------------------------------------------------------------------------------


def test_all_requests_are_dropped(server: ServerThread, agent: Client) -> None:
    server.set_faults(drop=1.0, direction=Direction.REQUESTS)
    agent.beat()
    until(lambda: server.statistics().dropped == 1)
    assert agent.hears_nothing()
    assert server.statistics().heartbeats == 0
    server.clear_faults()
    assert agent.next_beat() == 7000


def test_all_answers_are_dropped(server: ServerThread, agent: Client) -> None:
    server.set_faults(drop=1.0, direction=Direction.ANSWERS)
    agent.beat()
    until(lambda: server.statistics().dropped == 1)
    assert agent.hears_nothing()
    assert server.statistics().heartbeats == 1


def test_an_outage_loses_both_ways(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    server.set_faults(drop=1.0)
    agent.beat()
    until(lambda: server.statistics().dropped == 1)
    with pytest.raises(TimeoutError):
        server.invite(ALICE, INVITATION, timeout=0)
    assert server.statistics().dropped == 2
    assert agent.hears_nothing()


def test_a_share_is_dropped() -> None:
    with ServerThread(rng=Random(1)) as server, Client(server) as agent:
        agent.sign_in()
        server.set_faults(drop=0.5, direction=Direction.REQUESTS)
        for _ in range(100):
            agent.beat()
        until(lambda: server.statistics().datagrams == 100)
        counted = server.statistics()
    expected = Random(1)
    assert counted.dropped == sum(expected.random() < 0.5 for _ in range(100))
    assert counted.heartbeats == 100 - counted.dropped


def test_silence(server: ServerThread, agent: Client) -> None:
    server.set_faults(silent=True)
    agent.beat()
    until(lambda: server.statistics().heartbeats == 1)
    with pytest.raises(TimeoutError):
        server.invite(ALICE, INVITATION, timeout=0)
    assert agent.hears_nothing()
    assert server.statistics().dropped == 2
    agent.sign_in()


def test_delay(server: ServerThread, agent: Client) -> None:
    server.set_faults(delay=0.2)
    begun = time.monotonic()
    assert agent.next_beat() == 7000
    assert time.monotonic() - begun >= 0.2


def test_delayed_datagrams_are_bounded() -> None:
    with ServerThread(limits=Limits(delayed_datagrams=3)) as server, Client(server) as agent:
        agent.sign_in()
        server.set_faults(delay=0.1)
        for _ in range(5):
            agent.beat()
        until(lambda: server.statistics().heartbeats == 5)
        assert server.statistics().dropped == 2
        assert [agent.receive() for _ in range(3)] == [HeartbeatResponse(n, 5000) for n in (1, 2, 3)]
        assert agent.next_beat() == 5000, "there is room again"


def test_delayed_datagrams_do_not_outlive_the_server(agent: Client, server: ServerThread) -> None:
    server.set_faults(delay=3600.0)
    agent.beat()
    until(lambda: server.statistics().heartbeats == 1)
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < PATIENCE


def test_delayed_datagrams_do_not_outlive_their_port(server: ServerThread, agent: Client) -> None:
    server.set_faults(delay=0.05)
    agent.beat()
    until(lambda: server.statistics().heartbeats == 1)
    agent.server_address = server.move()
    agent.sequence = 5
    assert agent.next_beat() == 7000, "it comes after the one that was never sent"
    assert server.statistics().socket_errors == 0


def test_copies(server: ServerThread, agent: Client) -> None:
    server.set_faults(copies=3)
    agent.beat()
    assert [agent.receive() for _ in range(3)] == [HeartbeatResponse(1, 7000)] * 3
    assert agent.hears_nothing()
    assert server.statistics().answers == 1


def test_401_once(server: ServerThread, agent: Client) -> None:
    server.set_faults(unauthorized=Unauthorized.ONCE, copies=2)
    assert agent.next_beat() == UNAUTHORIZED
    agent.receive()
    assert server.server.faults == Faults(copies=2)
    assert agent.next_beat() == 7000
    assert server.statistics().unauthorized == 1


def test_401_always(server: ServerThread, agent: Client) -> None:
    server.set_faults(unauthorized=Unauthorized.ON)
    assert [agent.next_beat(), agent.next_beat()] == [UNAUTHORIZED, UNAUTHORIZED]
    agent.sign_in()
    assert agent.next_beat() == UNAUTHORIZED
    server.clear_faults()
    assert agent.next_beat() == 7000


def source_of_answer(agent: Client) -> Any:
    agent.beat()
    data, source = agent.udp.recvfrom(2048)
    assert agent.codec.decode(data) == HeartbeatResponse(agent.sequence, 7000)
    return source


def test_answers_from_another_port(server: ServerThread, agent: Client) -> None:
    assert source_of_answer(agent) == server.udp_address
    server.set_faults(stranger=Stranger.ON)
    host, port = source_of_answer(agent)
    assert (host, port != server.udp_address[1]) == ("127.0.0.1", True)
    agent.udp.sendto(b"hello, stranger", (host, port))
    until(lambda: server.statistics().unexpected == 1)
    server.clear_faults()
    assert source_of_answer(agent) == server.udp_address


def test_answers_from_another_address(server: ServerThread, agent: Client) -> None:
    server.set_faults(stranger=Stranger.ADDRESS)
    assert source_of_answer(agent) == ("127.0.0.2", server.udp_address[1])
    server.set_faults(stranger=Stranger.ON)
    assert source_of_answer(agent)[0] == "127.0.0.1"
    server.clear_faults()
    assert source_of_answer(agent) == server.udp_address


def test_another_address_needs_loopback() -> None:
    with ServerThread("::1") as server:
        with pytest.raises(ConfigError, match="stranger"):
            server.set_faults(stranger=Stranger.ADDRESS)
        assert server.faults == Faults()
        server.set_faults(stranger=Stranger.ON)


@PROPERTY
@given(next_beat=st.integers(0, 2**64 - 1))
def test_any_next_beat(shared: ServerThread, next_beat: int) -> None:
    with Client(shared) as agent:
        agent.sign_in()
        shared.set_faults(next_beat=next_beat)
        try:
            assert agent.next_beat() == next_beat
        finally:
            shared.clear_faults()


@PROPERTY
@given(next_beat=st.integers(0, 2**49 - 1))
def test_next_beat_as_a_varint(shared: ServerThread, next_beat: int) -> None:
    with Client(shared) as agent:
        agent.sign_in()
        shared.set_faults(next_beat=next_beat, encoding=NextBeatEncoding.VARINT)
        try:
            agent.beat()
            data = agent.udp.recv(2048)
        finally:
            shared.clear_faults()
    assert agent.codec.decode(data) == HeartbeatResponse(1, next_beat)
    header = 6
    assert len(data) - header == max(1, -(-next_beat.bit_length() // 7))


def test_401_as_a_varint(server: ServerThread, agent: Client) -> None:
    server.set_faults(encoding=NextBeatEncoding.VARINT, unauthorized=Unauthorized.ON)
    agent.beat()
    assert agent.udp.recv(2048).endswith(b"\x91\x03")


def test_401_as_next_beat_counts_as_one(server: ServerThread, agent: Client) -> None:
    server.set_faults(next_beat=401)
    agent.next_beat()
    assert server.statistics().unauthorized == 1


def test_faults_hold_for_invitations_too(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    server.set_faults(copies=2, delay=0.05, stranger=Stranger.ON)
    with pytest.raises(TimeoutError):
        server.invite(ALICE, INVITATION, timeout=0)
    for _ in range(2):
        data, source = agent.udp.recvfrom(2048)
        assert agent.codec.decode(data) == InviteRequest(1, INVITATION)
        assert source != server.udp_address


# HTTP -----------------------------------------------------------------------------------------------------------------


def test_refused(server: ServerThread, agent: Client) -> None:
    """New connections are refused, standing ones are dropped, heartbeats go on; and it is over at once."""
    for _ in range(3):
        server.set_faults(sign_in=SignInFault.REFUSED)
        for path in ("/sign_in", "/sign_out", "/query_online_state"):
            with pytest.raises(requests.ConnectionError):
                agent.post(path, {})
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), PATIENCE)
        assert agent.next_beat() == 7000
        server.clear_faults()
        agent.sign_in()


def test_the_port_is_kept_while_it_is_refused(server: ServerThread) -> None:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    server.set_faults(sign_in=SignInFault.REFUSED)
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind((host, int(port)))
    assert server.url.endswith(port)


def test_down(server: ServerThread, agent: Client) -> None:
    server.set_faults(sign_in=SignInFault.DOWN)
    with pytest.raises(requests.ConnectionError):
        agent.challenge("request")
    assert agent.sign_out().status_code == 200
    assert server.statistics().challenges == 1


def test_hanging(server: ServerThread, agent: Client) -> None:
    server.set_faults(sign_in=SignInFault.HANG)
    with pytest.raises(requests.ReadTimeout):
        agent.post("/sign_in", {"agent_id": ALICE, "request_id": "1"}, timeout=0.1)
    assert agent.sign_out().status_code == 200


@pytest.mark.parametrize("fault", [SignInFault.HANG, SignInFault.HANG_AFTER_HEADERS, SignInFault.SLOW])
def test_a_call_that_hangs_ends_with_its_client(server: ServerThread, fault: SignInFault) -> None:
    def tasks() -> int:
        return server.call(lambda: len(asyncio.all_tasks()))

    at_rest = tasks()
    server.set_faults(sign_in=fault)
    with Client(server) as client:
        with pytest.raises(requests.RequestException):
            client.post("/sign_in", {"agent_id": ALICE, "request_id": "1"}, timeout=0.05)
        client.http.close()
        until(lambda: tasks() == at_rest)


def test_hanging_after_the_headers(server: ServerThread, agent: Client) -> None:
    server.set_faults(sign_in=SignInFault.HANG_AFTER_HEADERS)
    answer = agent.post("/sign_in", {"agent_id": ALICE, "request_id": "1"}, timeout=0.1, stream=True)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(requests.ConnectionError):
        answer.json()


@pytest.mark.parametrize(
    "fault", [SignInFault.HANG, SignInFault.HANG_AFTER_HEADERS, SignInFault.SLOW, SignInFault.HUGE]
)
def test_what_hangs_does_not_outlive_the_server(server: ServerThread, stranger: Client, fault: SignInFault) -> None:
    server.set_faults(sign_in=fault)
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    body = b'{"agent_id": "a", "request_id": "1"}'
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(b"POST /sign_in HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        until(lambda: server.statistics().calls == 1)
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 2.0


def test_slow(server: ServerThread, stranger: Client) -> None:
    server.set_faults(sign_in=SignInFault.SLOW, slow_seconds=0.3)
    begun = time.monotonic()
    answer = stranger.post("/sign_in", {"agent_id": ALICE, "request_id": "1"}, stream=True)
    pieces = list(answer.raw.stream(1))
    assert time.monotonic() - begun >= 0.29
    assert set(map(len, pieces)) == {1}
    assert int(answer.headers["Content-Length"]) == len(pieces)


def test_a_slow_sign_in_succeeds(server: ServerThread, stranger: Client) -> None:
    server.set_faults(sign_in=SignInFault.SLOW, slow_seconds=0.05)
    stranger.sign_in()
    assert stranger.next_beat() == 7000


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500, 503, 599])
def test_status(server: ServerThread, stranger: Client, status: int) -> None:
    server.set_faults(sign_in=SignInFault.STATUS, status=status)
    answer = stranger.challenge("request")
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == status
    assert "Retry-After" not in answer.headers


def test_retry_after(server: ServerThread, stranger: Client) -> None:
    date = format_datetime(datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), usegmt=True)
    for text in ("7", date, "soon"):
        server.set_faults(sign_in=SignInFault.STATUS, status=429, retry_after=text)
        assert stranger.challenge("request").headers["Retry-After"] == text


def test_redirect(server: ServerThread, stranger: Client) -> None:
    server.set_faults(sign_in=SignInFault.REDIRECT)
    answer = stranger.challenge("request")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/elsewhere/sign_in")
    assert stranger.post(answer.headers["Location"], {}).status_code == 404


def test_html(server: ServerThread, stranger: Client) -> None:
    server.set_faults(sign_in=SignInFault.NOT_JSON)
    answer = stranger.challenge("request")
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_truncated(server: ServerThread, stranger: Client) -> None:
    whole = stranger.challenge("request").content
    server.set_faults(sign_in=SignInFault.TRUNCATED)
    answer = stranger.challenge("request")
    assert (answer.status_code, len(answer.content)) == (200, len(whole) // 2)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_huge(server: ServerThread, stranger: Client) -> None:
    server.set_faults(sign_in=SignInFault.HUGE)
    answer = stranger.post("/sign_in", {"agent_id": ALICE, "request_id": "1"}, stream=True)
    assert "Content-Length" not in answer.headers
    beginning = answer.raw.read(1_000_000)
    assert beginning.startswith(b'{"nonce": "')
    assert len(beginning) == 1_000_000
    answer.close()
    server.clear_faults()
    stranger.sign_in()


def test_a_huge_answer_is_json(server: ServerThread, stranger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentcp_fsm.server.http_faults.HUGE", 2**20)
    server.set_faults(sign_in=SignInFault.HUGE)
    answer = stranger.challenge("request").json()
    assert answer.keys() == {"nonce", "padding"}
    assert len(answer["padding"]) == 2**20


@pytest.mark.parametrize("field", ["server_ip", "port", "sign_cookie", "signature"])
def test_a_missing_field(field: str) -> None:
    credentials = Credentials.from_pem("server", IDENTITY.key_pem, IDENTITY.certificate_pem)
    with ServerThread(credentials=credentials) as server, Client(server) as client:
        server.set_faults(sign_in=SignInFault.MISSING_FIELD, field=field)
        assert client.challenge("request").json().keys() == {"nonce", "cert", "signature"}
        assert client.answer_challenge().json().keys() == {"server_ip", "port", "sign_cookie", "signature"} - {field}


def test_a_missing_nonce(server: ServerThread, stranger: Client) -> None:
    server.set_faults(sign_in=SignInFault.MISSING_FIELD, field="nonce")
    assert stranger.challenge("request").json() == {}


@pytest.mark.parametrize("port", [0, -1, 65536, 2**70])
def test_a_port_out_of_range(server: ServerThread, stranger: Client, port: int) -> None:
    server.set_faults(sign_in=SignInFault.PORT_OUT_OF_RANGE, port=port)
    assert stranger.answer_challenge().json()["port"] == port


def test_a_bad_proof_needs_credentials(server: ServerThread) -> None:
    with pytest.raises(ConfigError, match="credentials"):
        server.set_faults(sign_in=SignInFault.BAD_PROOF)
    assert server.faults == Faults()


def test_sign_out_has_faults_of_its_own(server: ServerThread, agent: Client) -> None:
    server.set_faults(sign_out=SignInFault.STATUS, status=500)
    assert agent.sign_out().status_code == 500
    server.set_faults(sign_out=SignInFault.HANG)
    with pytest.raises(requests.ReadTimeout):
        agent.sign_out(timeout=0.1)
    agent.sign_in()
    server.clear_faults()
    assert agent.sign_out().status_code == 200


# The value itself -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("drop", -0.1),
        ("drop", 1.1),
        ("drop", float("nan")),
        ("delay", -1.0),
        ("delay", float("inf")),
        ("delay", float("nan")),
        ("slow_seconds", 3601.0),
        ("copies", 0),
        ("copies", 101),
        ("status", 200),
        ("status", 600),
        ("retry_after", "5\r\nX-Evil: 1"),
        ("retry_after", "später"),
        ("field", "cert"),
        ("port", 1),
        ("port", 65535),
        ("next_beat", -1),
        ("next_beat", 2**64),
        ("sign_in", "hang"),
        ("sign_out", SignInFault.REFUSED),
        ("sign_out", SignInFault.BAD_PROOF),
        ("unauthorized", True),
        ("stranger", True),
        ("direction", "sideways"),
        ("typo", 1),
    ],
)
def test_what_makes_no_sense_is_refused(server: ServerThread, name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        server.set_faults(**{name: value})
    assert server.faults == Faults()


def test_a_long_varint_is_refused() -> None:
    """Eight bytes or more are read as a u64: another number altogether."""
    assert Faults(next_beat=2**49 - 1, encoding=NextBeatEncoding.VARINT).next_beat == 2**49 - 1
    with pytest.raises(ConfigError, match="next_beat"):
        Faults(next_beat=2**49, encoding=NextBeatEncoding.VARINT)


def test_the_servers_own_encoding_counts() -> None:
    with ServerThread(codec=AgentCPCodec(NextBeatEncoding.VARINT)) as server, Client(server) as agent:
        agent.sign_in()
        agent.beat()
        assert len(agent.udp.recv(2048)) == 8
        with pytest.raises(ConfigError, match="next_beat"):
            server.set_faults(next_beat=2**49)
        server.set_faults(next_beat=2**49, encoding=NextBeatEncoding.U64)
        assert agent.next_beat() == 2**49
        server.clear_faults()
        agent.beat()
        assert len(agent.udp.recv(2048)) == 8


def test_setting_some_leaves_the_others(server: ServerThread) -> None:
    server.set_faults(drop=0.5)
    server.set_faults(delay=0.1)
    assert server.faults == Faults(drop=0.5, delay=0.1)
    server.clear_faults()
    assert server.faults == Faults()
