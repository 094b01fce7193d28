"""A webhook for invitations, on a real HTTP server, whose answers each test decides."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agentcp_fsm import ConfigError
from agentcp_fsm.operations import webhook
from agentcp_fsm.operations.invitations import Handlers, load_handler
from agentcp_fsm.operations.options import HandlerOptions
from agentcp_fsm.operations.webhook import Webhook
from tests.connection.peer import INVITATION
from tests.waiting import until

ALICE = "alice.agentid.pub"
WITHIN = 60.0
pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")


class Receiver(ThreadingHTTPServer):
    """Records what is posted; answers with `statuses`, one after the other, and then with 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.statuses: list[int] = []
        self.posted: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/invitations"


class Answering(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Content-Length", "0")
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(webhook, "WAIT_FIRST", 0.01)
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def to(receiver: Receiver, *, secret: str | None = None, tries: int = 3) -> Webhook:
    return Webhook(receiver.url, secret=secret, timeout=30.0, tries=tries, limit=2)


@pytest.mark.parametrize(
    ("secret", "key"), [("sesame", b"sesame"), ("whsec_" + base64.b64encode(b"raw").decode(), b"raw")]
)
def test_what_is_posted_is_signed(receiver: Receiver, secret: str, key: bytes) -> None:
    hook = to(receiver, secret=secret)
    hook.run(ALICE, INVITATION)
    until(lambda: receiver.posted, WITHIN)
    hook.close()
    headers, body = receiver.posted[0]
    assert json.loads(body) == {"agent_id": ALICE, **asdict(INVITATION)}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


def test_it_is_tried_again_with_the_same_id(receiver: Receiver) -> None:
    receiver.statuses = [503, 429]
    hook = to(receiver)
    hook.run(ALICE, INVITATION)
    until(lambda: len(receiver.posted) == 3, WITHIN)
    hook.close()
    assert len({headers["webhook-id"] for headers, _ in receiver.posted}) == 1
    assert len({body for _, body in receiver.posted}) == 1


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (302, 1), (500, 3)])
def test_what_comes_to_nothing_is_logged_and_the_next_is_posted(
    receiver: Receiver, status: int, tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.statuses = [status] * tries
    hook = to(receiver)
    hook.run(ALICE, INVITATION)
    until(lambda: f"did not take an invitation: status {status} (try {tries})" in caplog.text, WITHIN)
    assert len(receiver.posted) == tries
    hook.run(ALICE, INVITATION)
    until(lambda: len(receiver.posted) == tries + 1, WITHIN)
    hook.close()
    assert INVITATION.invite_code not in caplog.text


def test_a_flood_is_bounded(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webhook, "WAITING_MAX", 0)
    hook = to(receiver)
    hook.run(ALICE, INVITATION)
    hook.close()
    assert "was dropped: 0 wait for the webhook" in caplog.text


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example/x", "in clear over the network: give an https URL"),
        ("ftp://hooks.example", "is no URL of a webhook"),
        ("https://", "is no URL of a webhook"),
        ("https://[::1", "is no URL of a webhook"),
    ],
)
def test_a_url_that_cannot_be(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Webhook(url, secret=None, timeout=1.0, tries=1, limit=1)
    with pytest.raises(ConfigError, match="no base64 follows"):
        Webhook("https://hooks.example", secret="whsec_!", timeout=1.0, tries=1, limit=1)


called: list[tuple[str, str]] = []


async def coroutine(agent_id: str, invitation: object) -> None:
    called.append((agent_id, "coroutine"))


def test_handlers_of_a_program(receiver: Receiver) -> None:
    handlers = Handlers(limit=1)
    both = HandlerOptions(handler=f"{__name__}:coroutine", webhook=receiver.url)
    handle = handlers.of(both)
    assert handle is handlers.of(both), "the same settings have the same"
    assert handlers.of(HandlerOptions()) is None
    assert handle is not None
    handle(ALICE, INVITATION)
    until(lambda: receiver.posted, WITHIN)
    handlers.close()
    assert called == [(ALICE, "coroutine")]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nothing", "names no function: write module:name"),
        ("no.such.module:f", "cannot be imported: ModuleNotFoundError"),
        (f"{__name__}:missing", "cannot be imported: AttributeError"),
        (f"{__name__}:ALICE", "cannot be called"),
    ],
)
def test_a_handler_that_is_none(target: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_handler(target)
