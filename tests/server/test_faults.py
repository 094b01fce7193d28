"""Every fault does what it says, and nothing that it does not say."""

import asyncio
import socket
import time
import uuid
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
import requests
from hypothesis import HealthCheck, settings

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.server import Faults, ServerThread, SignInFault
from agentcp_fsm.sign_in import Credentials
from agentcp_fsm.wire import AgentCPCodec, NextBeatEncoding
from tests.server.client import ALICE, IDENTITY, PATIENCE, POST, Client
from tests.waiting import until

PROPERTY = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])


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
        connection.sendall(POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
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
        assert client.challenge(uuid.uuid4().hex).json().keys() == {"nonce", "cert", "signature"}
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
