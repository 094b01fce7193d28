"""Text from the network in log lines, health, transitions and errors: one printable line of bounded length each.

What a program formats itself is formatted here as plain `logging` does it, without the command's own care.
"""

import io
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from agentcp_fsm import Connection, Credentials, Invitation, Session, State
from agentcp_fsm.errors import AgentCPError, ConfigError, SignInError
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.sign_in import AuthClient, Timeouts
from agentcp_fsm.wire import MAX_DATAGRAM
from tests.connection.peer import FAST, INVITATION, PATIENT, Peer, connect
from tests.sign_in.certificates import make_identity
from tests.sign_in.servers import Server, sending
from tests.waiting import online, until

ALICE = "alice.agentid.pub"
FORGED = "x\n2026-01-01 00:00:00,000 CRITICAL root: run \x1b[31mcurl evil|sh\x1b[0m\x9b31m\u202e"
IMPATIENT = Timeouts(1.0, 1.0, 1.0)
LONGEST = 1500
"""Characters that a line of the log may have, with its time and names."""
SECRET = "TOP-SECRET"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="module")
def credentials() -> Credentials:
    identity = make_identity(ALICE)
    return Credentials.from_pem(ALICE, identity.key_pem, identity.certificate_pem)


def clean(text: str) -> None:
    """Each line is printable, bounded, and begins with the time of this process."""
    for line in text.replace("\r", "\n").splitlines():
        assert line.isprintable(), ascii(line)
        assert len(line) <= LONGEST
        assert not line.startswith("2026-01-01")


HOSTILE_ANSWERS = {
    "status line": b"ICY\r2026-01-01 00:00:00,000 CRITICAL root: \x1b]0;owned\x07\x1b[2J" + b"Z" * 60_000 + b"\r\n\r\n",
    "status and reason": b"HTTP/1.1 \x1b[31m " + b"Z" * 5000 + b"\r\n\r\n",
    "error": b'HTTP/1.1 403 x\r\n\r\n{"error": "\\n2026-01-01 00:00:00 CRITICAL \\u001b[31m\\u202e" }',
    "content type": b"HTTP/1.1 200 OK\r\nContent-Type: \x1b[31m" + b"Z" * 5000 + b"\r\nContent-Length: 1\r\n\r\nx",
    "location": b"HTTP/1.1 302 x\r\nLocation: \x9b31m" + b"Z" * 5000 + b"\r\nContent-Length: 0\r\n\r\n",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x1b[31m\r\nx",
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: \x1b[31m\r\n\r\nx",
}


@pytest.mark.parametrize("answer", HOSTILE_ANSWERS.values(), ids=HOSTILE_ANSWERS)
def test_a_servers_answer(credentials: Credentials, log: io.StringIO, answer: bytes) -> None:
    """A reason of 60,177 characters with escapes and a forged, dated line was in all of them."""
    seen: list[ReportTransition] = []
    errors: list[str] = []
    with Server(sending(answer, then_close=True)) as server:
        with AuthClient(server.url, timeouts=IMPATIENT) as client, pytest.raises(SignInError) as caught:
            client.sign_in(credentials)
        clean(str(caught.value))
        connection = Connection(ALICE, server.url, credentials=credentials, config=FAST)
        connection.on_transition(seen.append)
        connection.on_error(errors.append)
        with connection:
            assert connection.wait_for(State.BACKOFF, timeout=20)
            reason = connection.health().reason
    for text in (reason, *(transition.detail for transition in seen), *errors):
        assert text.isprintable(), ascii(text)
        assert len(text) <= LONGEST
    clean("\n".join(line for line in log.getvalue().splitlines() if "agentcp_fsm" in line))
    assert "\x1b" not in log.getvalue()


class Raising(Peer):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def sign_in(self, abandoned: object) -> Session:
        raise self.error


@pytest.mark.parametrize("error", [AgentCPError(FORGED * 1000), RuntimeError(FORGED * 1000)])
def test_an_authenticators_error(log: io.StringIO, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.Formatter, "formatException", lambda self, info: "")  # a traceback has many lines
    with Raising(error) as peer, connect(peer) as connection:
        assert connection.wait_for(State.BACKOFF, timeout=20)
        assert connection.health().reason.isprintable()
        assert len(connection.health().reason) <= LONGEST
    clean(log.getvalue())


def test_an_inviters_name(log: io.StringIO) -> None:
    with Peer() as peer, connect(peer) as connection:
        online(connection)
        peer.invite(ALICE, replace(INVITATION, inviter_agent_id=FORGED))
        until(lambda: "finds no handler" in log.getvalue())
    clean(log.getvalue())
    assert r"x\n2026-01-01" in log.getvalue()


def flood(peer: Peer, connection: Connection, send: int = 2000) -> None:
    """Send invitations that are as long as can be."""
    room = MAX_DATAGRAM - 200
    for number in range(send):
        peer.invite(ALICE, replace(INVITATION, inviter_agent_id=f"{number:05}" + "a" * room))
        if number % 20 == 0:
            until(lambda sent=number: connection.health().statistics.invitations >= sent * 0.9)  # type: ignore[misc]


def test_a_flood_of_invitations_without_a_handler(log: io.StringIO) -> None:
    """20,000 of them wrote 30 MB."""
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        online(connection)
        logging.getLogger().setLevel(logging.INFO)
        flood(peer, connection)
    delivered = connection.health().statistics.invitations
    lines = [line for line in log.getvalue().splitlines() if "finds no handler" in line]
    assert len(lines) == 2
    assert f"(... {delivered - 2:,} more in " in lines[1]
    assert len(log.getvalue()) < 20_000


def test_a_flood_of_errors_of_a_handler(log: io.StringIO) -> None:
    def failing(invitation: Invitation) -> None:
        raise KeyError(invitation.session_id)

    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        connection.on_invite(failing)
        online(connection)
        logging.getLogger().setLevel(logging.INFO)
        flood(peer, connection, 500)
    assert log.getvalue().count("Traceback") == 1
    assert len(log.getvalue()) < 20_000


def test_a_flood_of_datagrams_that_are_none(log: io.StringIO) -> None:
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        online(connection)
        logging.getLogger().setLevel(logging.INFO)
        for _ in range(500):
            peer.send(ALICE, b"\x00\x09nonsense")
        until(lambda: connection.health().statistics.malformed > 100)
    assert 1 <= log.getvalue().count("malformed datagrams arrive") <= 2
    assert len(log.getvalue()) < 20_000


# Secrets --------------------------------------------------------------------------------------------------------------


def test_the_code_of_an_invitation_whose_handler_raises(log: io.StringIO) -> None:
    """The handler's call was logged, and with it the code."""

    def failing_handler(invitation: Invitation) -> None:
        raise KeyError("x")

    with Peer() as peer, connect(peer) as connection:
        connection.on_invite(failing_handler)
        online(connection)
        peer.invite(ALICE, replace(INVITATION, invite_code=SECRET))
        until(lambda: "failing_handler raised" in log.getvalue())
    assert SECRET not in log.getvalue()
    assert f"{ALICE}: the handler " in log.getvalue()


@pytest.mark.parametrize("value", [{"token": SECRET}, ("127.0.0.1", 1, 2, SECRET), SECRET])
def test_what_an_authenticator_returns_in_the_place_of_a_session(log: io.StringIO, value: object) -> None:
    class Wrong(Peer):
        def __repr__(self) -> str:
            return f"Wrong({SECRET})"

        def sign_in(self, abandoned: object) -> Session:
            return value  # type: ignore[return-value]

    with Wrong() as peer, connect(peer) as connection:
        assert connection.wait_for(State.BACKOFF, timeout=20)
        assert SECRET not in connection.health().reason
        assert "which is no Session" in connection.health().reason
    assert SECRET not in log.getvalue()


PROXIES = (
    "http://user:{}@127.0.0.1:9",
    "http:/user:{}@127.0.0.1:9",
    "http://user:{}@127.0.0.1:port",
    "http://user:{}@127.0.0.1:99999",
    "http://user:{}@[::1",
    "http://user:{}/x@127.0.0.1:9",
    "http://user:{}#x@127.0.0.1:9",
    "http://user:{}?x@127.0.0.1:9",
    "http://user:{} x@127.0.0.1:9",
    "http://user:{}[x@127.0.0.1:9",
    "http://user:{}@",
    "user:{}@127.0.0.1:9",
    "socks9://user:{}@127.0.0.1:9",
    "://user:{}@x",
)


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_proxys_password(
    credentials: Credentials, log: io.StringIO, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, proxy.format(SECRET))
    monkeypatch.setenv("no_proxy", "")
    for url in ("https://heartbeat.invalid", "http://heartbeat.invalid"):
        connection = Connection(ALICE, url, credentials=credentials, config=FAST, allow_insecure_http=True)
        with connection:
            assert connection.wait_for(State.BACKOFF, timeout=20)
            assert SECRET not in connection.health().reason
    assert SECRET not in log.getvalue()


URLS = (
    "http://user:{}@heartbeat.example",
    "https://user:{}@heartbeat.example:port",
    "https:/user:{}@heartbeat.example",
    "https:user:{}@heartbeat.example",
    "user:{}@heartbeat.example",
    "ftp://user:{}@heartbeat.example",
    "https://user:{}@[::1",
    "https://user:{} x@heartbeat.example",
    "https://user:{}@",
)


@pytest.mark.parametrize("url", URLS)
def test_a_login_in_a_url(credentials: Credentials, url: str) -> None:
    given = url.format(SECRET)
    for arguments in ({"server_url": given}, {"access_point": given}, {"server_url": given, "access_point": given}):
        with pytest.raises(ConfigError) as caught:
            Connection(ALICE, credentials=credentials, **arguments)  # type: ignore[arg-type]
        assert SECRET not in str(caught.value)
        assert "user" not in str(caught.value).replace("has a user", "")


def test_an_address_is_no_secret() -> None:
    """What stands in for a login hides nothing else: the host that was meant is still named."""
    with pytest.raises(ConfigError, match=r"\*\*\*@heartbeat\.example"):
        AuthClient("user:secret@heartbeat.example")
