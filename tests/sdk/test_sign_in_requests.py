"""The SDK's `AuthClient` beside ours, before the same server: the same requests, except for tested differences.

The server is the tests' own: it keeps the requests and checks the signature of step 2.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in import AuthClient, Credentials
from tests.sdk.sdk import sdk_module
from tests.sign_in.certificates import Identity, key_pem, make_identity
from tests.sign_in.servers import Request, Server, SignInService

ALICE = "alice.agentid.pub"
PASSWORD = "seed password"
CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(SignInService()) as running:
        yield running


def stored(folder: Path, identity: Identity, agent_id: str = ALICE, password: str = PASSWORD) -> Path:
    (folder / f"{agent_id}.key").write_text(key_pem(identity.key, password))
    (folder / f"{agent_id}.key").chmod(0o600)
    (folder / f"{agent_id}.crt").write_text(identity.certificate_pem)
    return folder


def theirs(server: Server, folder: Path, agent_id: str = ALICE) -> tuple[Any, list[Request]]:
    """What the SDK's sign-in returns, and what it asked."""
    sdk_module("agentcp.base.log").set_log_enabled(False, 40)
    client = sdk_module("agentcp.base.auth_client").AuthClient(agent_id, server.url, str(folder), PASSWORD)
    client.is_retry = True  # as after a first failure: else a failure is tried again after 6 s, and its result dropped
    server.requests.clear()
    result = client.sign_in()
    if result is not None:
        client.sign_out()
    return result, list(server.requests)


def ours(server: Server, folder: Path, agent_id: str = ALICE) -> tuple[Session, list[Request]]:
    credentials = Credentials.load(folder, agent_id, PASSWORD)
    server.requests.clear()
    with AuthClient(server.url) as client:
        session = client.sign_in(credentials)
        client.sign_out(agent_id, session)
    return session, list(server.requests)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_the_same_three_requests(server: Server, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    """Fields and headers; the signatures are random, and were verified by the server."""
    folder = stored(tmp_path, make_identity(ALICE, curve=curve))
    result, of_theirs = theirs(server, folder)
    session, of_ours = ours(server, folder)
    assert (result["server_ip"], result["port"], result["sign_cookie"], result["signature"]) == (
        session.host,
        session.port,
        session.cookie,
        session.token,
    )
    assert [request.line for request in of_theirs] == [request.line for request in of_ours]
    assert [request.path for request in of_ours] == ["/sign_in", "/sign_in", "/sign_out"]
    for their, our in zip(of_theirs, of_ours, strict=True):
        assert list(their.content) == list(our.content)
        for name in ("agent_id", "nonce", "public_key", "cert"):
            assert their.content.get(name) == our.content.get(name)
        assert their.headers["content-type"] == our.headers["content-type"] == "application/json"
        product = r"AgentCP/[\d.]+ \(AuthClient; alice\.agentid\.pub\)"
        assert re.fullmatch(product, their.headers["user-agent"])
        assert re.fullmatch(product, our.headers["user-agent"])
    assert of_theirs[2].content == of_ours[2].content == {"agent_id": ALICE, "signature": session.token}
    for requests in (of_theirs, of_ours):
        first, second = (request.content["request_id"] for request in requests[:2])
        assert first == second
        assert re.fullmatch("[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", first), "a uuid4 in hex"
        assert re.fullmatch("[0-9a-f]+", requests[1].content["signature"])
    assert of_theirs[0].content["request_id"] != of_ours[0].content["request_id"]


def test_a_question_for_the_online_state_is_the_same(server: Server, certificates: str) -> None:
    agents = ["bob.agentid.pub", "carol.agentid.pub"]
    sdk_module("agentcp.base.log").set_log_enabled(False, 40)
    heartbeat_client = sdk_module("agentcp.heartbeat.heartbeat_client").HeartbeatClient(
        ALICE, server.url, certificates, PASSWORD
    )
    heartbeat_client.auth_client.signature = "the token"
    answered = heartbeat_client.get_online_status(agents)
    with AuthClient(server.url) as client:
        assert client.query_online_state(ALICE, Session("127.0.0.1", 1, 7, "the token"), agents) == answered
    their, our = server.requests
    assert (their.line, their.content) == (our.line, our.content)


# Differences, none of which the protocol names ------------------------------------------------------------------------


def test_the_sdk_sends_the_certificates_file_as_it_is(server: Server, tmp_path: Path) -> None:
    """With whatever follows the certificate, and with Windows' line endings; ours is the agent's own alone."""
    root = make_identity("Root CA", authority=True)
    identity = make_identity(ALICE, root)
    folder = stored(tmp_path, identity)
    chain = (identity.certificate_pem + root.certificate_pem).replace("\n", "\r\n")
    (folder / f"{ALICE}.crt").write_bytes(chain.encode())
    _, of_theirs = theirs(server, folder)
    _, of_ours = ours(server, folder)
    assert of_theirs[1].content["cert"] == chain
    assert of_ours[1].content["cert"] == identity.certificate_pem


def test_a_key_without_a_password_is_none_to_the_sdk(server: Server, tmp_path: Path) -> None:
    """Its sign-in then asks for 11 nonces, 6 s apart, and returns nothing: too long to watch, so only its key is read.

    Ours reads the key, and warns that the password was not needed.
    """
    folder = stored(tmp_path, make_identity(ALICE), password="")
    client = sdk_module("agentcp.base.auth_client").AuthClient(ALICE, server.url, str(folder), PASSWORD)
    assert client._AuthClient__load_private_key(folder / f"{ALICE}.key") is None
    assert len(ours(server, folder)[1]) == 3


def test_an_agent_id_in_another_script_cannot_sign_in_by_the_sdk(server: Server, tmp_path: Path) -> None:
    """The User-Agent holds the agent id, and a header cannot hold every character: ours is percent-encoded."""
    agent_id = "智能体.agentid.pub"
    folder = stored(tmp_path, make_identity(agent_id), agent_id)
    result, of_theirs = theirs(server, folder, agent_id)
    assert (result, of_theirs) == (None, [])
    _, of_ours = ours(server, folder, agent_id)
    assert of_ours[0].content["agent_id"] == agent_id
    assert of_ours[0].headers["user-agent"].endswith("(AuthClient; %E6%99%BA%E8%83%BD%E4%BD%93.agentid.pub)")


def test_ours_says_what_it_accepts_and_asks_for_no_compression(server: Server, tmp_path: Path) -> None:
    folder = stored(tmp_path, make_identity(ALICE))
    their, our = theirs(server, folder)[1][0].headers, ours(server, folder)[1][0].headers
    assert (their["accept"], our["accept"]) == ("*/*", "application/json")
    assert "gzip" in their["accept-encoding"]
    assert our.get("accept-encoding", "identity") == "identity", "an answer's size is what is received"


def test_numbers_that_came_as_text_are_numbers_to_ours(server: Server, tmp_path: Path) -> None:
    """Protocol, "Sign-in"; for what the SDK makes of the cookie see test_datagrams.py."""
    server.respond = SignInService(
        session={"server_ip": "127.0.0.1", "port": "5000", "sign_cookie": str(2**64 - 1), "signature": "the token"}
    )
    folder = stored(tmp_path, make_identity(ALICE))
    assert theirs(server, folder)[0]["sign_cookie"] == str(2**64 - 1)
    assert ours(server, folder)[0] == Session("127.0.0.1", 5000, 2**64 - 1, "the token")
