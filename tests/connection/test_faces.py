"""What both faces promise a reader: their methods, their arguments, how they show themselves."""

import copy
import pickle
import pydoc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm import AsyncConnection, ConfigError, Connection, Credentials, State
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.identities import make_identity
from tests.connection.peer import FAST, Peer, connect
from tests.waiting import online

ALICE = "alice.agentid.pub"
METHODS = {
    *("start", "stop", "reconnect", "retry_now", "wait_for", "query_online_state"),
    *("on_invite", "on_transition", "on_error", "observe", "unobserve"),
    *("agent_id", "state", "config", "health", "fileno", "session", "local_address", "loop"),
}


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return make_identity(tmp_path_factory.mktemp("agents"), ALICE)


@pytest.mark.parametrize("face", [Connection, AsyncConnection])
def test_help_shows_the_methods_of_a_user_and_no_others(face: type) -> None:
    """It showed what the driver calls, too."""
    assert {name for name in dir(face) if not name.startswith("_")} == METHODS
    text = pydoc.plain(pydoc.render_doc(face))
    assert all(name in text for name in METHODS)
    assert not [name for name in ("transitioned", "invited", "failed") if f"{name}(" in text]
    for name in METHODS - {"agent_id"}:
        assert getattr(face, name).__doc__, name


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("face", [Connection, AsyncConnection])
def test_a_connection_cannot_be_copied(face: type[Connection], again: Callable[[object], object]) -> None:
    """A copy shared the socket with the original, and each stopped the other."""
    with Peer() as peer:
        connection = face(ALICE, authenticator=peer, config=FAST)
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            again(connection)


def test_a_connection_shows_its_agent_its_state_and_its_server() -> None:
    with Peer() as peer:
        connection = connect(peer)
        assert repr(connection) == f"<Connection {ALICE}: OFFLINE, no server>"
        with connection:
            online(connection)
            server = f"127.0.0.1:{peer.socket.getsockname()[1]}"
            assert repr(connection) == f"<Connection {ALICE}: ONLINE, server {server}>"
        assert repr(AsyncConnection(ALICE, authenticator=peer)) == f"<AsyncConnection {ALICE}: OFFLINE, no server>"


def test_a_connection_s_representation_shows_no_control_characters() -> None:
    with Peer() as peer:
        assert "\x1b" not in repr(connect(peer, "alice\x1b[2J.agentid.pub"))


def test_one_constructor_serves_a_server_that_is_given_and_one_that_is_found(
    server: ServerThread, credentials: Credentials
) -> None:
    for options in ({"server_url": server.url}, {"access_point": server.url}):
        with Connection(ALICE, credentials=credentials, config=FAST, **options) as connection:  # type: ignore[arg-type]
            online(connection)
    assert server.statistics().sign_ins == 2
    assert server.statistics().configs == 1


@pytest.mark.parametrize("face", [Connection, AsyncConnection])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"server_url": "https://a.example", "access_point": "agentid.pub"}, "exclude each other"),
        ({"server_url": "http://a.example"}, "plain http"),
        ({"server_url": "https://a.example", "credentials": None}, "no credentials"),
        ({"server_url": "https://a.example", "verify": False}, "verify cannot be turned off"),
        ({"access_point": "agentid.pub", "verify": False}, "verify cannot be turned off"),
        ({"server_url": "https://a.example", "authenticator": object()}, "leave out server_url"),
        ({"authenticator": object(), "verify": True}, "leave out credentials"),
        ({"authenticator": object(), "credentials": None, "verify": True}, "leave out verify"),
    ],
)
def test_arguments_that_cannot_work_together_are_refused(
    face: type[Connection | AsyncConnection], credentials: Credentials, arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        face(ALICE, **{"credentials": credentials, **arguments})


@pytest.mark.parametrize("arguments", [{"server_url": "https://a.example"}, {}, {"authenticator": object()}])
@pytest.mark.parametrize("name", ["verfiy", "client", "timeouts", "transport"])
def test_an_option_that_there_is_not_is_refused_by_name(
    credentials: Credentials, name: str, arguments: dict[str, Any]
) -> None:
    if "authenticator" not in arguments:
        arguments = {**arguments, "credentials": credentials}
    with pytest.raises(TypeError, match=name):
        Connection(ALICE, **{**arguments, name: 1})


def test_private_authorities_and_plain_http_are_options_of_the_constructor(
    tmp_path: Path, credentials: Credentials
) -> None:
    connection = Connection(ALICE, "http://192.0.2.1", credentials=credentials, allow_insecure_http=True)
    assert connection.state is State.OFFLINE
    with pytest.raises(ConfigError, match="no certificate can be read"):
        Connection(ALICE, "https://192.0.2.1", credentials=credentials, verify=tmp_path / "missing.pem")
