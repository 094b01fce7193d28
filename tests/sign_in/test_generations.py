"""What servers and access points of other generations do (protocol, "Variants seen"), over real HTTP."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from agentcp_fsm.errors import ConfigError, FailureKind, SignInError
from agentcp_fsm.server import ConfigShape, ServerThread
from agentcp_fsm.sign_in import (
    AccessPointClient,
    AuthClient,
    Credentials,
    ServerProofPolicy,
    access_point_url,
)
from agentcp_fsm.sign_in.client import secure_url
from tests.sign_in.certificates import make_identity
from tests.sign_in.servers import Server, SignInService, as_json

ALICE = "alice.agentid.pub"
_IDENTITY = make_identity(ALICE)
CREDENTIALS = Credentials.from_pem(ALICE, _IDENTITY.key_pem, _IDENTITY.certificate_pem)
SESSION = {"server_ip": "127.0.0.1", "port": "5000", "sign_cookie": "7", "signature": "the token"}


@pytest.fixture
def service() -> SignInService:
    return SignInService()


@pytest.fixture
def server(service: SignInService) -> Iterator[Server]:
    with Server(service) as running:
        yield running


@pytest.fixture
def access_point() -> Iterator[ServerThread]:
    with ServerThread() as running:
        yield running


def heartbeat_server(access_point: ServerThread, **options: Any) -> str:
    with AccessPointClient(access_point_url(ALICE, access_point.url), **options) as client:
        return client.config(CREDENTIALS).heartbeat_server


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (None, "https://acp3.agentid.pub/api/accesspoint"),
        ("agentcp.io", "https://acp3.agentcp.io/api/accesspoint"),
        ("acp3.aid.pub", "https://acp3.aid.pub/api/accesspoint"),
        ("ap.agentunion.cn", "https://ap.agentunion.cn/api/accesspoint"),
        ("ap.pub", "https://acp3.ap.pub/api/accesspoint"),  # a name whose first label is like a host's
        ("https://ap.agentid.pub", "https://ap.agentid.pub/api/accesspoint"),
        ("https://own.example:8443/api/accesspoint/", "https://own.example:8443/api/accesspoint"),
    ],
)
def test_an_access_point_of_any_generation(given: str | None, url: str) -> None:
    assert access_point_url(ALICE, given) == url


def test_an_access_point_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no access point"):
        access_point_url(ALICE, "ap.agent id.pub")


@pytest.mark.parametrize("url", ["http://heartbeat.example", "HTTP://heartbeat.example:8080/hb"])
def test_a_server_that_is_named_by_plain_http_is_asked_by_https(
    access_point: ServerThread, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    access_point.set_faults(heartbeat_server=url)
    assert heartbeat_server(access_point) == "https" + url[4:]
    assert "https is used instead" in caplog.text
    caplog.clear()
    assert heartbeat_server(access_point, allow_insecure_http=True) == "http" + url[4:]
    assert not caplog.text


@pytest.mark.parametrize("url", ["https://heartbeat.example", "http://127.0.0.1:5000", "http://localhost", "http://["])
def test_what_needs_no_https_or_is_no_url_stays(url: str) -> None:
    assert secure_url(url, False) == url


def test_a_config_without_a_heartbeat_server_means_the_access_point(access_point: ServerThread) -> None:
    access_point.set_faults(config=ConfigShape.EMPTY)
    assert heartbeat_server(access_point) == access_point.url + "/api/accesspoint"


def test_a_session_in_the_answer_to_step_1(server: Server, service: SignInService) -> None:
    service.challenge = dict(SESSION)
    with AuthClient(server.url) as client:
        session = client.sign_in(CREDENTIALS)
    assert (session.host, session.port, session.cookie, session.token) == ("127.0.0.1", 5000, 7, "the token")
    assert len(server.requests) == 1
    assert set(server.requests[0].content) == {"agent_id", "request_id"}


def test_a_session_in_the_answer_to_step_1_is_no_proof(server: Server, service: SignInService) -> None:
    service.challenge = dict(SESSION)
    with (
        AuthClient(server.url, server_proof=ServerProofPolicy.REQUIRE) as client,
        pytest.raises(SignInError) as refused,
    ):
        client.sign_in(CREDENTIALS)
    assert refused.value.kind is FailureKind.UNPROVEN_SERVER


def test_half_a_proof_is_no_session(server: Server, service: SignInService) -> None:
    service.challenge = {"nonce": "", "cert": _IDENTITY.certificate_pem, "signature": "the token"}
    with AuthClient(server.url) as client, pytest.raises(SignInError, match="'nonce'"):
        client.sign_in(CREDENTIALS)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"message": "agent unknown"}, "agent unknown"),
        ({"error": "E7", "message": "agent unknown"}, "E7"),
        ({"error": {"message": "agent unknown"}}, "agent unknown"),
        ({"error": None, "message": "agent unknown"}, "agent unknown"),
        ({"message": "two\nlines"}, "two\\nlines"),
    ],
)
def test_an_errors_words_wherever_they_stand(
    server: Server, content: dict[str, Any], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.respond = lambda *_: as_json(content, "403 Forbidden")
    with AuthClient(server.url) as client, pytest.raises(SignInError) as refused:
        client.sign_in(CREDENTIALS)
    assert f"HTTP status 403 ({says}): " in str(refused.value)


def test_a_request_id_with_dashes_and_client_info_are_served(access_point: ServerThread) -> None:
    import uuid

    import requests

    answer = requests.post(
        f"{access_point.url}/sign_in",
        json={"agent_id": ALICE, "request_id": str(uuid.uuid4()), "client_info": {"name": "Node", "version": "1"}},
        timeout=10,
    )
    assert set(answer.json()) == {"nonce"}
