"""The drop-in in the place of the SDK's own, in the real SDK."""

import importlib
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm import Config, Invitation, SDKError, compat
from agentcp_fsm.server import ServerThread
from tests.compat.conftest import ALICE, FAST, PASSWORD, wait_until

PLACES = ("agentcp.heartbeat.heartbeat_client", "agentcp.heartbeat_client", "agentcp.agentcp")


@pytest.fixture
def sdk() -> Iterator[dict[str, Any]]:
    """The SDK's modules that have the class, as they are without us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's own affair
        pytest.importorskip("agentcp", reason="the SDK is not installed: pip install agentcp==0.1.99")
        modules = {name: importlib.import_module(name) for name in PLACES}
    yield modules
    compat.uninstall()


def classes(sdk: dict[str, Any]) -> list[type[Any]]:
    return [module.HeartbeatClient for module in sdk.values()]


def test_install_and_uninstall_may_be_repeated(sdk: dict[str, Any]) -> None:
    originals = classes(sdk)
    compat.uninstall()
    assert classes(sdk) == originals
    for _ in range(2):
        compat.install()
        assert classes(sdk) == [compat.HeartbeatClient] * 3
    for _ in range(2):
        compat.uninstall()
        assert classes(sdk) == originals


def test_the_options_of_the_last_install_hold(sdk: dict[str, Any], certificates: str) -> None:
    originals = classes(sdk)
    compat.install(config=Config(interval_min=7.0))
    compat.install(config=FAST, allow_insecure_http=True)
    client = sdk["agentcp.agentcp"].HeartbeatClient(ALICE, "http://heartbeat.example", certificates, PASSWORD)
    assert isinstance(client, compat.HeartbeatClient)
    assert client.connection.config is FAST
    compat.uninstall()
    assert classes(sdk) == originals


def test_an_sdk_that_lacks_the_class_is_left_as_it_is(sdk: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    originals = classes(sdk)[:2]
    monkeypatch.delattr(sdk["agentcp.agentcp"], "HeartbeatClient")
    with pytest.raises(SDKError, match=r"agentcp\.agentcp has no class HeartbeatClient"):
        compat.install()
    assert [sdk[name].HeartbeatClient for name in PLACES[:2]] == originals


def test_without_the_sdk_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agentcp", None)  # what a package that is not installed looks like to an import
    for name in PLACES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SDKError, match="pip install agentcp"):
        compat.install()
    compat.uninstall()


INVITATION = Invitation("bob.agentid.pub", "CODE", 1893456000, "session-1", "wss://msg.agentid.pub")


def test_a_listener_receives_the_sdks_class_in_a_program_that_uses_the_sdk(sdk: dict[str, Any]) -> None:
    theirs = compat._as_sdk(INVITATION)
    assert type(theirs) is importlib.import_module("agentcp.msg.message_serialize").InviteMessageReq
    assert vars(theirs) | {"header": vars(theirs.header)} == {
        "header": {"MessageMask": 0, "MessageSeq": 0, "MessageType": 259, "PayloadSize": 0},
        "InviterAgentId": "bob.agentid.pub",
        "InviteCode": "CODE",
        "InviteCodeExpire": 1893456000,
        "SessionId": "session-1",
        "MessageServer": "wss://msg.agentid.pub",
    }


def test_without_the_sdk_a_listener_receives_its_equal(sdk: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = compat._as_sdk(INVITATION)
    monkeypatch.delitem(sys.modules, "agentcp.msg.message_serialize")
    ours = compat._as_sdk(INVITATION)
    assert isinstance(ours, compat.InviteMessageReq)
    assert {name: getattr(ours, name) for name in vars(theirs) if name != "header"} | {"header": None} == vars(
        theirs
    ) | {"header": None}
    assert all(getattr(ours.header, name) == value for name, value in vars(theirs.header).items())


AGENT = """
import json, sys, threading
from agentcp_fsm import compat
from tests.compat.conftest import ALICE, FAST, PASSWORD
url, app, agents = sys.argv[1:]
compat.install(config=FAST)
from agentcp import AgentID
from agentcp.ap.ap_client import ApClient
from agentcp.base.log import set_log_enabled
from agentcp.ca.ca_client import CAClient
set_log_enabled(True, 40)
def say(**what): print(json.dumps(what), flush=True)
def threads(): return [thread.name for thread in threading.enumerate() if "agentcp" in thread.name]
authority = CAClient("http://127.0.0.1:1", agents, PASSWORD)
agent = AgentID(ALICE, app, PASSWORD, authority, "http://127.0.0.1:1")
for line in sys.stdin:
    if line == "online\\n":
        # An access point that was asked already: it named the heartbeat server.
        agent.ap_client = ApClient(ALICE, "http://127.0.0.1:1", authority.get_aid_certs_path(ALICE), PASSWORD)
        agent.ap_client.heartbeat_server = url
        agent.online()
        # Joining the session is the SDK's affair, and has a server of its own.
        agent.session_manager.join_session = lambda invitation: say(
            joined=invitation.SessionId, message=type(invitation).__module__)
        say(online=agent.is_online_success, client=type(agent.heartbeat_client).__mro__[1].__module__,
            status=agent.get_online_status([ALICE]))
    elif line == "offline\\n":
        agent.offline()
        say(threads=threads())
"""


def test_an_agent_of_the_sdk_stays_reachable(
    sdk: dict[str, Any], server: ServerThread, data: Path, tmp_path: Path
) -> None:
    """The SDK's `AgentID` goes online, is invited, loses its session, is invited again, and leaves; twice."""
    program = subprocess.Popen(
        [sys.executable, "-c", AGENT, server.url, str(tmp_path), str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def said() -> Any:
        assert program.stdout is not None
        return json.loads(program.stdout.readline())

    def tell(word: str) -> None:
        assert program.stdin is not None
        program.stdin.write(word + "\n")
        program.stdin.flush()

    joined = {"joined": "session-1", "message": "agentcp.msg.message_serialize"}
    try:
        for _ in range(2):
            sign_ins = server.statistics().sign_ins
            tell("online")
            status = [{"agent_id": ALICE, "online": True}]
            assert said() == {"online": True, "client": "agentcp_fsm.compat", "status": status}
            server.invite(ALICE, INVITATION)
            assert said() == joined
            server.restart()
            wait_until(lambda: server.statistics().sign_ins == sign_ins + 2)  # noqa: B023 - it is called here
            answers = server.statistics().answers
            wait_until(lambda: server.statistics().answers > answers)  # noqa: B023
            server.invite(ALICE, replace(INVITATION, invite_code="ANOTHER"))
            assert said() == joined
            tell("offline")
            assert said() == {"threads": []}
            assert server.statistics().sign_outs == server.statistics().sign_ins / 2
    finally:
        program.communicate(timeout=20)
    assert program.returncode == 0
