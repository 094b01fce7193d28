"""What a user of the SDK hooks into: its error context, its attributes, handlers of every agent and life, its log."""

import logging
import queue
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm import Config, Invitation, ReportTransition, State, sdk
from agentcp_fsm.sdk import HeartbeatClient
from agentcp_fsm.sdk.services import reconnect_message_clients
from agentcp_fsm.server import ServerThread, SignInFault
from tests.connection.peer import nothing_left
from tests.sdk.conftest import ALICE, BOUND, FAST, PASSWORD
from tests.sdk.sdk import SDKProgram, sdk_module
from tests.waiting import until

NOBODY = "http://127.0.0.1:9"
"""A port that refuses connections."""
BOB = "bob.agentid.pub"

Make = Callable[..., HeartbeatClient]


@pytest.fixture
def make(server: ServerThread, certificates: str) -> Iterator[Make]:
    """Makes what the SDK makes, after `install` with the options given."""
    made: list[HeartbeatClient] = []

    def make(agent_id: str = ALICE, url: str = server.url, **options: Any) -> HeartbeatClient:
        if options:
            sdk.install(**{"config": FAST} | options)
        made.append(sdk_module("agentcp.agentcp").HeartbeatClient(agent_id, url, certificates, PASSWORD))
        return made[-1]

    sdk_module("agentcp.agentcp")
    sdk.install(config=FAST)
    yield make
    for client in made:
        client.offline()
    sdk.uninstall()


# The error context ---------------------------------------------------------------------------------------------------


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> "queue.Queue[tuple[int, str]]":
    """What the SDK's `ErrorContext` is told: the code and the text of each error."""
    context = sdk_module("agentcp.context")
    told: queue.Queue[tuple[int, str]] = queue.Queue()
    monkeypatch.setattr(context.ErrorContext, "publish", lambda error: told.put((error.code, str(error))))
    return told


def test_the_error_context_hears_of_a_401(server: ServerThread, make: Make, errors: Any) -> None:
    client = make()
    assert client.sign_in()
    assert errors.empty()
    server.restart()
    code, text = errors.get(timeout=BOUND)
    assert code == 0
    assert text.startswith("401")


def test_the_error_context_hears_of_a_failed_sign_in_and_of_a_loss(
    server: ServerThread, make: Make, errors: Any
) -> None:
    server.set_faults(sign_in=SignInFault.STATUS, status=503)
    client = make(config=replace(FAST, silence_limit=3))
    assert not client.sign_in()
    code, text = errors.get(timeout=BOUND)
    assert code == 1000
    assert "503" in text
    assert ALICE in text
    server.clear_faults()
    assert client.connection.wait_for(State.ONLINE, timeout=BOUND)
    while not errors.empty():
        errors.get()
    server.set_faults(silent=True)
    assert "silent" in errors.get(timeout=BOUND)[1]


def test_an_error_context_that_raises_harms_nothing(
    server: ServerThread, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "agentcp_fsm.sdk")

    def publish(_: object) -> None:
        raise RuntimeError("the SDK's own")

    monkeypatch.setattr(sdk_module("agentcp.context").ErrorContext, "publish", publish)
    client = make()
    assert client.sign_in()
    server.restart()
    until(lambda: server.statistics().sign_ins == 2)
    until(lambda: "the SDK's own" in caplog.text)
    assert client.sign_in()


# Loud failure --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "says"),
    [("heartbeat.agentid.pub", "give one such as https"), ("https://user@heartbeat.example", "has a user")],
)
def test_what_cannot_be_made_is_an_error_of_our_log(
    make: Make, caplog: pytest.LogCaptureFixture, url: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        make(url=url)
    [record] = caplog.records
    assert (record.levelname, record.name.partition(".")[0]) == ("ERROR", "agentcp_fsm")
    assert f"{ALICE} cannot go online: " in record.message
    assert says in record.message


def test_a_key_that_is_not_there_is_an_error_of_our_log(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(sdk_errors()):
        make(agent_id=BOB)
    assert "looked in" in caplog.text
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def sdk_errors() -> type[Exception]:
    from agentcp_fsm import CredentialsError

    return CredentialsError


SILENT = """
from agentcp_fsm import sdk
sdk.install()
import agentcp.agentcp as theirs
class Client:
    def __init__(self, *_): pass
    def initialize(self): pass
    def get_heartbeat_server(self): return "heartbeat.agentid.pub"
theirs.ApClient = Client  # the access point's part
agent = theirs.AgentCP(sys.argv[1], seed_password="", run_proxy=False).load_aid(sys.argv[2])
import contextlib, io
said = io.StringIO()
with contextlib.redirect_stderr(said):
    agent.online()
say(online=agent.is_online_success, said=said.getvalue())
"""


def test_a_user_who_set_nothing_up_sees_why_the_agent_stays_offline(tmp_path: Path) -> None:
    """With the SDK's defaults nothing was printed: it swallows what a constructor raises."""
    from agentcp_fsm.sign_in.credentials import seed_hash
    from agentcp_fsm.sign_in.identities import make_identity

    make_identity(tmp_path / "agentcp" / "AIDs", ALICE, seed_hash(""))
    with SDKProgram(SILENT, str(tmp_path), ALICE, PYTHONWARNINGS="ignore") as program:
        said = program.said()
    assert said["online"] is False
    assert f"{ALICE} cannot go online: " in said["said"]
    assert "https" in said["said"]


@pytest.mark.parametrize("scheme", ["http", "HTTP"])
def test_a_server_that_the_access_point_names_by_plain_http_is_asked_by_https(
    make: Make, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    client = make(url=f"{scheme}://heartbeat.example")
    assert client.server_url == "https://heartbeat.example"
    assert "https is used instead" in caplog.text
    assert make(url="http://heartbeat.example", allow_insecure_http=True).server_url == "http://heartbeat.example"


# Going online --------------------------------------------------------------------------------------------------------


def test_going_online_ends_with_the_first_attempt(server: ServerThread, make: Make, certificates: str) -> None:
    """It blocked for 38 s; the defaults are what is measured here."""
    begun = time.monotonic()
    client = HeartbeatClient(ALICE, NOBODY, certificates, PASSWORD)
    assert client.sign_in() is False
    assert time.monotonic() - begun < Config().attempt_bound / 4
    assert client.is_running
    assert client.connection.state is State.BACKOFF
    client.offline()


def test_recovery_goes_on_behind_it(server: ServerThread, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    server.set_faults(sign_in=SignInFault.STATUS, status=503)
    client = make()
    assert client.sign_in() is False
    assert "the last failure: The sign-in failed; it is tried again. " in caplog.text
    server.clear_faults()
    assert client.connection.wait_for(State.ONLINE, timeout=BOUND)
    assert client.sign_in()


@pytest.mark.parametrize("limit", [1, 3])
def test_giving_up_is_the_end_of_running_and_said_so(
    make: Make, certificates: str, caplog: pytest.LogCaptureFixture, limit: int
) -> None:
    with nothing_left():
        client = HeartbeatClient(
            ALICE, NOBODY, certificates, PASSWORD, config=replace(FAST, sign_in_attempt_limit=limit)
        )
        for _ in range(2):  # it may be tried again
            caplog.clear()
            client.sign_in()
            until(lambda: not client.is_running)
            assert client.connection.state is State.OFFLINE
            assert client.connection.health().statistics.attempts % limit == 0
            assert "gave up after" in caplog.text
            if limit == 1:
                assert f"{ALICE} gave up after 1 attempt: {NOBODY}/sign_in: " in caplog.text
                assert "call online() to try again" in caplog.text
        client.offline()


def test_is_running_after_a_restart_of_its_own(server: ServerThread, make: Make) -> None:
    client = make()
    for _ in range(5):
        assert client.sign_in()
        assert client.is_running
        client.offline()
        assert not client.is_running


# Attributes ----------------------------------------------------------------------------------------------------------


def test_the_attributes_of_the_sdks_client(server: ServerThread, make: Make) -> None:
    client = make()

    def attributes() -> dict[str, Any]:
        names = ("server_ip", "port", "sign_cookie", "local_ip", "local_port", "heartbeat_interval")
        return {name: getattr(client, name) for name in names} | {"signature": client.auth_client.signature}

    nothing = {"server_ip": "127.0.0.1", "port": 0, "sign_cookie": 0, "local_ip": "0.0.0.0", "local_port": 0,
               "heartbeat_interval": 50, "signature": None}  # fmt: skip
    assert attributes() == nothing
    assert client.sign_in()
    session = client.connection.session
    assert session is not None
    view = next(view for view in server.agents() if view.agent_id == ALICE)
    assert attributes() == nothing | {
        "port": server.udp_address[1],
        "sign_cookie": session.cookie,
        "signature": session.token,
        "local_ip": view.address and view.address[0],
        "local_port": view.address and view.address[1],
    }
    assert (client.auth_client.agent_id, client.auth_client.server_url) == (ALICE, server.url)
    assert session.token not in repr(vars(client))
    assert str(session.cookie) not in repr(vars(client))
    client.offline()
    assert attributes() == nothing


# Handlers ------------------------------------------------------------------------------------------------------------


def test_handlers_of_install_see_every_agent_and_life(server: ServerThread, make: Make) -> None:
    transitions: queue.Queue[tuple[str, ReportTransition]] = queue.Queue()
    errors: queue.Queue[tuple[str, str]] = queue.Queue()
    hooks = {
        "on_transition": lambda agent_id, transition: transitions.put((agent_id, transition)),
        "on_error": lambda agent_id, text: errors.put((agent_id, text)),
    }
    for _ in range(2):
        client = make(**hooks)
        assert client.sign_in()
        client.offline()
        seen = [transitions.get(timeout=BOUND) for _ in range(4)]
        assert {agent_id for agent_id, _ in seen} == {ALICE}
        assert [transition.dest for _, transition in seen] == ["SIGNING_IN", "ONLINE", "STOPPING", "OFFLINE"]
    server.set_faults(sign_in=SignInFault.STATUS, status=403)
    client = make(**hooks)
    assert not client.sign_in()
    agent_id, text = errors.get(timeout=BOUND)
    assert agent_id == ALICE
    assert "403" in text


def test_a_handler_added_to_a_connection_survives_the_next_online(server: ServerThread, make: Make) -> None:
    """It was lost, for the SDK makes a new client each time."""
    seen: queue.Queue[str] = queue.Queue()
    of_install: queue.Queue[str] = queue.Queue()
    client = make(on_transition=lambda agent_id, transition: of_install.put(transition.dest))
    client.connection.on_transition(lambda transition: seen.put(transition.dest))
    for _ in range(3):
        assert client.sign_in()
        client.offline()
        client.sign_out()
        life = ["SIGNING_IN", "ONLINE", "STOPPING", "OFFLINE"]
        assert [seen.get(timeout=BOUND) for _ in range(4)] == life
        assert [of_install.get(timeout=BOUND) for _ in range(4)] == life
        client = make()
    assert seen.empty()
    assert of_install.empty()


# Invitations and messages --------------------------------------------------------------------------------------------


class Messages:
    """A message client of the newest layout."""

    def __init__(self, healthy: bool) -> None:
        self.healthy, self.starts = healthy, 0

    def is_healthy(self) -> bool:
        return self.healthy

    def start_websocket_client(self) -> bool:
        self.starts += 1
        self.healthy = True
        return True


class Agent:
    """As much of the SDK's agent as a listener needs."""

    def __init__(self, *clients: object) -> None:
        self.session_manager = type("Sessions", (), {})()
        self.session_manager.message_client_map = dict(enumerate(clients))
        self.invited: queue.Queue[Any] = queue.Queue()

    def listen(self, message: Any) -> None:
        self.invited.put(message)


def test_a_recovered_connection_has_the_message_clients_connect_again(server: ServerThread, make: Make) -> None:
    lost, well, old = Messages(False), Messages(True), object()
    agent = Agent(lost, well, old)
    client = make()
    client.set_on_recv_invite(agent.listen)
    assert client.sign_in()
    assert (lost.starts, well.starts) == (0, 0)  # a first life has lost nothing
    server.restart()
    until(lambda: lost.starts == 1)
    assert well.starts == 0


@pytest.mark.parametrize("listener", [None, print, Agent().listen, lambda message: None])
def test_without_message_clients_there_is_nothing_to_connect(listener: object) -> None:
    reconnect_message_clients(ALICE, listener)


def test_a_message_client_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Messages):
        def start_websocket_client(self) -> bool:
            raise OSError("no route")

    healthy = Messages(False)
    reconnect_message_clients(ALICE, Agent(Broken(False), healthy).listen)
    assert "does not connect again: OSError('no route')" in caplog.text
    assert healthy.starts == 1


def test_no_module_of_the_sdk_is_needed_to_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "agentcp.context", raising=False)
    from agentcp_fsm.sdk.services import publish

    publish("nobody hears it")


def test_an_invitation_is_heard_by_the_agents_listener(server: ServerThread, make: Make) -> None:
    agent = Agent()
    client = make()
    client.set_on_recv_invite(agent.listen)
    assert client.sign_in()
    server.invite(ALICE, Invitation(BOB, "CODE", 1, "session", "wss://msg.agentid.pub"))
    assert agent.invited.get(timeout=BOUND).SessionId == "session"
