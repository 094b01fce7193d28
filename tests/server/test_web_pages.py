"""What a web page in a browser of the server's machine can have it do: nothing."""

import json
from collections.abc import Iterator

import pytest
import requests

from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.server import ServerThread
from tests.server.client import ALICE, JSON_TYPE, PATIENCE, Client
from tests.sign_in.certificates import make_identity

CHALLENGE = json.dumps({"agent_id": ALICE, "request_id": "1"})
PATHS = ("/sign_in", "/sign_out", "/query_online_state", "/api/accesspoint/sign_in", "/api/accesspoint/sign_cert")
GUEST = "/api/accesspoint/sign_guest_cert"


@pytest.fixture
def server() -> Iterator[ServerThread]:
    with ServerThread(names=["Heartbeat.example"]) as running:
        yield running


def post(server: ServerThread, path: str, headers: dict[str, str]) -> requests.Response:
    return requests.post(server.url + path, data=CHALLENGE, headers=headers, timeout=PATIENCE)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", ""]
)
def test_a_name_that_a_page_chose_is_not_the_servers(server: ServerThread, path: str, host: str) -> None:
    """DNS rebinding: the page's own name leads to this machine, so the browser takes the server for the page's own."""
    answer = post(server, path, JSON_TYPE | {"Host": host})
    assert answer.status_code in ((421,) if host else (400, 421))
    assert server.statistics().challenges == 0
    assert server.statistics().nonces == 0


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8765", "localhost", "LOCALHOST:80", "[::1]:8765", "heartbeat.example", "sub.localhost"],
)
def test_an_address_and_a_name_of_the_server_are(server: ServerThread, host: str) -> None:
    assert post(server, "/sign_in", JSON_TYPE | {"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", ""]
)
def test_what_a_page_sends_without_asking_first_is_no_request(server: ServerThread, kind: str) -> None:
    assert post(server, "/sign_in", {"Content-Type": kind}).status_code == 415
    assert server.statistics().nonces == 0


def test_the_content_type_may_have_a_parameter(server: ServerThread) -> None:
    assert post(server, "/sign_in", {"Content-Type": "application/JSON; charset=utf-8"}).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_browser_that_says_where_it_is_from_is_refused(server: ServerThread, headers: dict[str, str]) -> None:
    assert post(server, "/sign_in", JSON_TYPE | headers).status_code == 403
    assert requests.get(server.url + GUEST, headers=headers, timeout=PATIENCE).status_code == 403


EVIL = ("mallory\nfaults: none\nagents: 0", "mallory\x1b]0;PWNED\x07", "mal\u202elory", "mallory\x9b31m", "a\u2028b")


@pytest.mark.parametrize("agent_id", EVIL)
def test_an_id_that_cannot_be_shown_is_refused(server: ServerThread, agent_id: str) -> None:
    with Client(server, agent_id, make_identity(agent_id)) as client:
        assert client.challenge("r").status_code == 400
    assert server.statistics().nonces == 0


@pytest.mark.parametrize("request_id", EVIL)
def test_a_request_id_that_cannot_be_shown_is_refused(server: ServerThread, request_id: str) -> None:
    with Client(server) as client:
        assert client.challenge(request_id).status_code == 400


@pytest.mark.parametrize("command", ["invite", "agent"])
@pytest.mark.parametrize("text", EVIL)
def test_the_console_forges_no_lines(server: ServerThread, command: str, text: str) -> None:
    with pytest.raises(AgentCPError) as caught:
        server.command(f"{command} {json.dumps(text, ensure_ascii=False)}")
    assert str(caught.value).isprintable()
