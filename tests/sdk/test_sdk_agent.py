"""The real SDK's agents, by their real path, against the reference server: with our heartbeat client, and with its own.

`AgentCP.load_aid`, `AgentID.online` and `offline` are the SDK's, unchanged, and so are its URLs.  Only the
environment's proxy is set: behind it the reference server is found at ``https://acp3.agentid.pub``, as access point and
heartbeat server.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm import Invitation
from agentcp_fsm.server import ConfigShape, ServerThread
from agentcp_fsm.sign_in.identities import make_identity
from tests.cli.command import Running
from tests.sdk.conftest import ALICE, PASSWORD
from tests.sdk.internet import HOSTS, Internet, MessageServer
from tests.sdk.sdk import BOUND, SDKProgram
from tests.waiting import until

HEARTBEAT_SERVER = "https://heartbeat.agentid.pub"
BOB = "bob.agentid.pub"

AGENT = """
folder, agent_id, password, ca_file = sys.argv[1:]
if ca_file:
    from agentcp_fsm import sdk
    from tests.sdk.conftest import FAST
    from agentcp_fsm.sign_in import http
    http.select_proxy = lambda url, proxies: None  # the proxy and the server behind it are both on this machine
    sdk.install(config=FAST, verify=ca_file)
from agentcp import AgentCP
agent = AgentCP(folder, seed_password=password, run_proxy=False).load_aid(agent_id)
for line in sys.stdin:
    match line.split():
        case ["online"]:
            agent.online()
            say(online=agent.is_online_success,
                client=[each.__module__ for each in type(agent.heartbeat_client).__mro__][-2])
        case ["status"]:
            say(status=agent.get_online_status([agent_id, "bob.agentid.pub"]))
        case ["offline"]:
            agent.offline()
            say(threads=[thread.name for thread in threading.enumerate() if "agentcp" in thread.name])
"""


@pytest.fixture
def messages() -> Iterator[MessageServer]:
    with MessageServer() as server:
        yield server


@pytest.fixture
def internet(server: ServerThread, tmp_path: Path) -> Iterator[Internet]:
    server.set_faults(heartbeat_server=HEARTBEAT_SERVER)
    with Internet(server.url, tmp_path) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The SDK's data folder; the SDK encrypts keys with a hash of the seed password."""
    make_identity(tmp_path / "agentcp" / "AIDs", ALICE, hashlib.sha256(PASSWORD.encode()).hexdigest())
    return tmp_path


@pytest.fixture
def invitation(messages: MessageServer) -> Invitation:
    return Invitation("bob.agentid.pub", "CODE", 1893456000, "session-1", messages.url)


def joined(messages: MessageServer, invitation: Invitation, times: int) -> None:
    """The SDK's own handler got the invitation, and joined the session."""

    def joins() -> list[Any]:
        return [message["data"] for message in messages.messages if message["cmd"] == "join_session_req"]

    until(lambda: len(joins()) >= times)
    assert len(joins()) == times
    join = joins()[-1]
    assert (join["session_id"], join["inviter_agent_id"], join["invite_code"]) == (
        invitation.session_id,
        invitation.inviter_agent_id,
        invitation.invite_code,
    )


def test_with_our_client_in_its_place(
    server: ServerThread, internet: Internet, folder: Path, messages: MessageServer, invitation: Invitation
) -> None:
    """An agent goes online, is invited, loses its session, is invited again, and leaves; twice."""
    arguments = (str(folder), ALICE, PASSWORD, str(internet.ca_file))
    with SDKProgram(AGENT, *arguments, **internet.environment) as agent:
        for life, shape in enumerate([ConfigShape.OBJECT, ConfigShape.TEXT]):
            server.set_faults(config=shape)
            assert agent.ask("online") == {"online": True, "client": "agentcp_fsm.sdk.client"}
            assert server.statistics().access_point_sign_ins == life + 1
            assert server.statistics().configs == life + 1
            assert agent.ask("status")["status"] == [
                {"agent_id": ALICE, "online": True},
                {"agent_id": "bob.agentid.pub", "online": False},
            ]
            response = server.invite(ALICE, invitation)
            assert response.session_id == invitation.session_id
            joined(messages, invitation, 2 * life + 1)
            server.restart()
            until(lambda: server.statistics().sign_ins == 2 * life + 2)  # noqa: B023 - it is called here
            answers = server.statistics().answers
            until(lambda: server.statistics().answers > answers)  # noqa: B023
            server.invite(ALICE, replace(invitation, invite_code="ANOTHER"))
            joined(messages, replace(invitation, invite_code="ANOTHER"), 2 * life + 2)
            assert agent.ask("offline") == {"threads": []}
            assert server.statistics().sign_outs == life + 1
    assert set(internet.asked_for) == {"acp3.agentid.pub:443", "heartbeat.agentid.pub:443"}
    assert agent.process.returncode == 0


TALKERS = """
folder, password, ca_file = sys.argv[1:]
if ca_file:
    from agentcp_fsm import sdk
    from tests.sdk.conftest import FAST
    from agentcp_fsm.sign_in import http
    http.select_proxy = lambda url, proxies: None  # the proxy and the server behind it are both on this machine
    sdk.install(config=FAST, verify=ca_file)
from agentcp import AgentCP
acp = AgentCP(folder, seed_password=password, run_proxy=False)
weather, asker = acp.load_aid("alice.agentid.pub"), acp.load_aid("bob.agentid.pub")

@weather.message_handler()
async def reply(message):
    if weather.id in weather.get_receiver_from_message(message):
        weather.send_message_content(
            weather.get_session_id_from_message(message), [weather.get_sender_from_message(message)],
            weather.get_content_from_message(message) + ": 39 degrees, sunny")
    return True

async def answered(message):
    say(answer=asker.get_content_from_message(message))

for line in sys.stdin:
    match line.split():
        case ["online"]:
            weather.online()
            asker.online()
            say(online=[weather.is_online_success, asker.is_online_success])
        case ["ask", city]:
            asker.quick_send_message_content(weather.id, city, answered)
        case ["offline"]:
            weather.offline()
            asker.offline()
            say(offline=True)
"""
"""An agent in the shape of the SDK's samples, which answers each message, and one that asks it."""


@pytest.mark.parametrize("client", ["ours", "its own"])
def test_two_agents_talk_before_and_after_a_restart(folder: Path, tmp_path: Path, client: str) -> None:
    """The same program with each client: what the messages need, of either, is an invitation that arrives."""
    make_identity(folder / "agentcp" / "AIDs", BOB, hashlib.sha256(PASSWORD.encode()).hexdigest())
    interval = {"ours": 0.1, "its own": 5.0}[client]
    with (
        ServerThread(next_beat=interval, names=HOSTS) as server,
        MessageServer(server.invite) as messages,
        Internet(server.url, tmp_path) as internet,
    ):
        server.set_faults(heartbeat_server=HEARTBEAT_SERVER, message_server=messages.url)
        ca_file = {"ours": str(internet.ca_file), "its own": ""}[client]
        with SDKProgram(TALKERS, str(folder), PASSWORD, ca_file, **internet.environment) as agents:
            assert agents.ask("online") == {"online": [True, True]}
            until(lambda: server.statistics().heartbeats >= 2, BOUND)
            assert agents.ask("ask Beijing") == {"answer": "Beijing: 39 degrees, sunny"}
            server.restart()
            until(lambda: server.statistics().sign_ins == 4, BOUND)
            for each in (ALICE, BOB):
                until(lambda: (seen := server.agent(each)) is not None and seen.online, BOUND)  # noqa: B023
            assert agents.ask("ask Chengdu") == {"answer": "Chengdu: 39 degrees, sunny"}
            assert agents.ask("offline") == {"offline": True}


def test_with_its_own_client(folder: Path, messages: MessageServer, tmp_path: Path, invitation: Invitation) -> None:
    """The reference server is all that the SDK asks of one; a 401 has it sign in again, after 6 s."""
    with ServerThread(next_beat=5.0, names=HOSTS) as server, Internet(server.url, tmp_path) as internet:
        server.set_faults(heartbeat_server=HEARTBEAT_SERVER)
        with SDKProgram(AGENT, str(folder), ALICE, PASSWORD, "", **internet.environment) as agent:
            assert agent.ask("online") == {"online": True, "client": "agentcp.heartbeat.heartbeat_client"}
            assert server.statistics().configs == 1
            until(lambda: server.statistics().heartbeats == 1)
            assert agent.ask("status")["status"][0] == {"agent_id": ALICE, "online": True}
            response = server.invite(ALICE, invitation)
            assert response.session_id == ""
            joined(messages, invitation, 1)
            server.restart()
            until(lambda: server.statistics().sign_ins == 2)
            until(lambda: bool(agent.ask("status")["status"]))  # it has its new token
            agent.ask("offline")
            assert server.statistics().sign_outs == 1
            assert server.statistics().unauthorized == 1
        assert server.statistics().malformed == server.statistics().http_malformed == 0
    assert agent.process.returncode == 0


def test_the_command_finds_the_same_server_by_the_agent_id_alone(
    server: ServerThread, internet: Internet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS is verified all the way; an access point or a server that names this machine is not believed."""
    for name, value in internet.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SEED", hashlib.sha256(PASSWORD.encode()).hexdigest())
    arguments = ("connect", ALICE, "--data", folder / "agentcp" / "AIDs", "--password-env", "SEED", "--json")
    with Running(*arguments) as connect:
        assert "failed step: TLS handshake" in backed_off(connect)
    server.set_faults(heartbeat_server=server.url)
    with Running(*arguments, "--ca-file", internet.ca_file) as connect:
        assert "failed step: content of the access point's config" in backed_off(connect)
    server.set_faults(heartbeat_server=HEARTBEAT_SERVER)
    with Running(*arguments, "--ca-file", internet.ca_file) as connect:
        assert "'server_ip' is a loopback address" in backed_off(connect), "it was found, and is not on this machine"


def backed_off(connect: Running) -> str:
    """Why the first attempt failed."""
    while (transition := connect.object("transition"))["dest"] != "BACKOFF":
        pass
    return str(transition["detail"])
