"""What an agent's key signs for a server, and a server's for an agent: nothing that means something elsewhere."""

import base64
import json
import re
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import FailureKind
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in import AuthClient, Credentials
from agentcp_fsm.sign_in.nonce import MAX_NONCE, fault_of_nonce, may_prove
from tests.server.client import Client
from tests.sign_in.calls import AGENT, CREDENTIALS, failure_of
from tests.sign_in.certificates import make_identity
from tests.sign_in.servers import Server, SignInService

BOB = "bob.agentid.pub"
REQUEST = uuid.UUID("0123456789abcdef0123456789abcdef")


def in_base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


TOKEN = f"{in_base64(json.dumps({'alg': 'ES256', 'typ': 'JWT'}))}.{in_base64(json.dumps({'sub': AGENT, 'exp': 2**40}))}"
USUAL = [
    REQUEST.hex,
    str(REQUEST),
    REQUEST.hex * 2,
    base64.b64encode(bytes(range(48))).decode(),
    base64.urlsafe_b64encode(bytes(range(48))).decode(),
    "1700000000.5",
    f"1700000000.{REQUEST.hex}",
    "n",
    "~" * MAX_NONCE,
]
MEANINGFUL = {
    "a proof to Bob": (BOB + REQUEST.hex).lower(),
    "a proof to Bob, with dashes": BOB + str(REQUEST),
    "a proof to Bob, in capitals": (BOB + REQUEST.hex).upper(),
    "a proof to the agent itself": AGENT + REQUEST.hex,
    "a proof to an agent of two labels": "b.c" + REQUEST.hex,
    "a JSON web token": TOKEN,
    "a token whose header has spaces": f"{in_base64('  {' + json.dumps('alg') + ': 1} ')}.{in_base64('{}')}",
    "a token without payload": in_base64("{}") + ".",
    "a token with a payload that is not encoded": in_base64('{"b64":false,"crit":["b64"]}') + ".pay-me",
    "nothing": "",
    "a space": "a nonce",
    "what TLS 1.3 signs": " " * 64 + "TLS 1.3, client CertificateVerify\0" + "x" * 32,
    "lines": "GET /\r\nhost: x",
    "no ASCII": "ünïcode",
    "half a character": "\ud800",
    "too much": "x" * (MAX_NONCE + 1),
}


@pytest.mark.parametrize("nonce", USUAL)
def test_a_usual_nonce_may_be_signed(nonce: str) -> None:
    assert fault_of_nonce(nonce) == ""


@pytest.mark.parametrize("nonce", MEANINGFUL.values(), ids=MEANINGFUL)
def test_what_means_something_is_not_signed(nonce: str, server: Server, service: SignInService) -> None:
    service.challenge = {"nonce": nonce}
    with AuthClient(server.url) as client:
        failure = failure_of(lambda: client.sign_in(CREDENTIALS))
    kinds = {FailureKind.INVALID_FIELD} if nonce else {FailureKind.INVALID_FIELD, FailureKind.MISSING_FIELD}
    assert failure.kind in kinds
    assert failure.field == "nonce"
    assert len(server.requests) == 1  # nothing that was signed has left
    assert nonce == "" or nonce not in str(failure)


@given(
    st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,20}){1,4}", fullmatch=True), st.uuids(), st.booleans(), st.booleans()
)
def test_no_text_is_for_both(agent_id: str, request_id: uuid.UUID, dashed: bool, capital: bool) -> None:
    """A server proves itself to every agent, and with none of that text could it be the agent."""
    text = agent_id + (str(request_id) if dashed else request_id.hex)
    text = text.upper() if capital else text
    assert fault_of_nonce(text) != ""
    assert may_prove(text)


@pytest.mark.parametrize("name", ["ezra", "eyra", "ew", "eyj0"])
def test_an_agent_whose_name_looks_like_a_header_is_none(name: str) -> None:
    """In base64url it begins with a brace, but it is no JSON."""
    assert may_prove(f"{name}.agentid.pub{REQUEST.hex}")


@given(st.text() | st.text("abcdef0123456789.-{}=_ey", max_size=80))
def test_what_may_prove_is_no_nonce(text: str) -> None:
    assert not may_prove(text) or fault_of_nonce(text)


@given(st.dictionaries(st.text(), st.text() | st.integers()), st.binary())
def test_no_token_is_signed(header: dict[str, object], payload: bytes) -> None:
    text = f"{in_base64(json.dumps(header))}.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}"
    assert fault_of_nonce(text) != ""
    assert not may_prove(text + REQUEST.hex)


class TestReferenceServer:
    """A stranger must not have the server's key sign what the stranger likes."""

    @pytest.fixture
    def proving(self) -> Iterator[Client]:
        identity = make_identity("server.example")
        credentials = Credentials.from_pem("server.example", identity.key_pem, identity.certificate_pem)
        with ServerThread(credentials=credentials) as server, Client(server) as client:
            yield client

    def ask(self, client: Client, agent_id: str, request_id: str) -> int:
        answer = client.post("/sign_in", {"agent_id": agent_id, "request_id": request_id})
        assert ("signature" in answer.json()) == (answer.status_code == 200)
        return answer.status_code

    @pytest.mark.parametrize("request_id", [REQUEST.hex, str(REQUEST), REQUEST.hex.upper()])
    def test_it_proves_itself(self, proving: Client, request_id: str) -> None:
        assert self.ask(proving, AGENT, request_id) == 200

    @pytest.mark.parametrize(
        ("agent_id", "request_id"),
        [
            (AGENT, "1"),
            (AGENT, "0123456789abcdef"),
            (AGENT, "." + REQUEST.hex),
            (AGENT, REQUEST.hex + "."),
            ("deadbeef", REQUEST.hex),  # together a nonce of another server
            (" " * 64 + "tls 1.3", REQUEST.hex),
            (f"{in_base64('{}')}.x", REQUEST.hex),
            (AGENT, TOKEN),
        ],
    )
    def test_it_signs_nothing_else(self, proving: Client, agent_id: str, request_id: str) -> None:
        assert self.ask(proving, agent_id, request_id) == 400

    def test_its_own_nonces_may_be_signed(self, proving: Client) -> None:
        nonce = proving.challenge(REQUEST.hex).json()["nonce"]
        assert re.fullmatch("[0-9a-f]{64}", nonce)
        assert fault_of_nonce(nonce) == ""
        assert not may_prove(nonce)
