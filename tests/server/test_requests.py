"""Requests that are not what the protocol has are refused and counted."""

import gzip
import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcp_fsm.server import ServerThread
from tests.server.client import ALICE, IDENTITY, JSON_TYPE, PATIENCE, POST, Client
from tests.waiting import until

PROPERTY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"agent_id": ALICE},
        {"agent_id": "", "request_id": "1"},
        {"agent_id": 5, "request_id": "1"},
        {"agent_id": "a" * 256, "request_id": "1"},
        {"agent_id": "智" * 86, "request_id": "1"},
        {"agent_id": "\ud800", "request_id": "1"},
        {"agent_id": ALICE, "request_id": "r" * 129},
        {"agent_id": ALICE, "request_id": "1", "nonce": None},
        {"agent_id": ALICE, "request_id": "1", "nonce": "1", "public_key": "", "cert": "1", "signature": "1"},
        [],
        "text",
        7,
    ],
)
def test_a_sign_in_needs_its_fields(server: ServerThread, stranger: Client, content: object) -> None:
    answer = stranger.post("/sign_in", content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)
    assert server.statistics().http_malformed == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut short"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b'{"a":' + b"[" * 30_000, id="deep"),
        pytest.param(gzip.compress(b"{}"), id="compressed"),
        pytest.param(b"1" * 5000, id="a long number"),
    ],
)
def test_what_is_not_json_is_refused(server: ServerThread, stranger: Client, data: bytes) -> None:
    answer = stranger.http.post(stranger.url + "/sign_in", data=data, headers=JSON_TYPE, timeout=PATIENCE)
    assert answer.status_code == 400
    assert server.statistics().http_malformed == 1


def test_a_compressed_request_is_not_inflated(server: ServerThread, stranger: Client) -> None:
    answer = stranger.http.post(
        stranger.url + "/sign_in",
        data=gzip.compress(json.dumps({"agent_id": ALICE, "request_id": "1"}).encode()),
        headers=JSON_TYPE | {"Content-Encoding": "gzip"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 400


def test_a_request_is_bounded(server: ServerThread, stranger: Client) -> None:
    too_large = b'"' + b"x" * (64 * 1024) + b'"'
    answer = stranger.http.post(stranger.url + "/sign_in", data=too_large, headers=JSON_TYPE, timeout=PATIENCE)
    assert answer.status_code == 413
    answer = stranger.http.post(
        stranger.url + "/sign_in",
        data=iter([too_large[:40_000], too_large[40_000:]]),
        headers=JSON_TYPE,
        timeout=PATIENCE,
    )
    assert answer.status_code == 413
    assert server.statistics().http_malformed == 2


def test_other_paths_and_methods_are_refused(server: ServerThread, stranger: Client) -> None:
    answer = stranger.post("/sign_up", {})
    assert answer.status_code == 404
    assert "/sign_in" in answer.json()["error"]["message"]
    assert stranger.http.get(stranger.url + "/sign_in", timeout=PATIENCE).status_code == 405
    assert server.statistics().http_malformed == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["agent_id", "request_id", "nonce", "public_key", "cert", "signature", "agents"])
BODIES = JSON | st.dictionaries(FIELDS, JSON | st.sampled_from([ALICE, IDENTITY.certificate_pem]), max_size=7)


@PROPERTY
@given(path=st.sampled_from(["/sign_in", "/sign_out", "/query_online_state"]), body=BODIES)
def test_any_json_gets_a_proper_answer(shared: ServerThread, path: str, body: object) -> None:
    with Client(shared) as client:
        before = shared.statistics()
        answer = client.http.post(client.url + path, data=json.dumps(body), headers=JSON_TYPE, timeout=PATIENCE)
        assert answer.status_code in (200, 400, 401, 403)
        assert isinstance(answer.json(), dict)
        after = shared.statistics()
    assert after.calls == before.calls + 1
    told = after.http_malformed + after.refused + after.challenges
    assert told == before.http_malformed + before.refused + before.challenges + 1


@PROPERTY
@given(
    data=st.binary(min_size=1, max_size=200)
    | st.binary(max_size=99).map(lambda tail: b"POST /sign_in HTTP/1.1\r\n" + tail)
)
def test_any_bytes_leave_the_server_alive(shared: ServerThread, data: bytes) -> None:
    host, _, port = shared.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert not answer.startswith(b"HTTP/1.1 5")
    with Client(shared) as client:
        assert client.challenge("request").status_code == 200


def test_what_is_no_http_is_counted(server: ServerThread, stranger: Client) -> None:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(b"\x16\x03\x01 is how TLS begins\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.0 400")
    assert server.statistics().http_malformed == 1


def test_a_client_that_leaves_in_the_middle_is_no_trouble(
    server: ServerThread, stranger: Client, caplog: pytest.LogCaptureFixture
) -> None:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        until(lambda: server.statistics().calls == 1)
    stranger.sign_in()
    assert [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []


def test_a_broken_body_is_malformed(server: ServerThread) -> None:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n")
        assert b" 400 " in connection.recv(4096)
    until(lambda: server.statistics().http_malformed)


@pytest.mark.parametrize("rest", [b"{", b"zz\r\n\r\n"])
def test_a_body_that_does_not_end_is_not_awaited_for_ever(
    server: ServerThread, monkeypatch: pytest.MonkeyPatch, rest: bytes
) -> None:
    monkeypatch.setattr("agentcp_fsm.server.http_requests.READ_TIMEOUT", 0.1)
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        until(lambda: server.statistics().calls == 1)
        connection.sendall(rest)
        # aiohttp's two parsers differ in when they tell of a broken body.
        assert connection.recv(4096).split()[1] in (b"400", b"408")
    until(lambda: server.statistics().http_malformed)
