"""One life after the other of an agent of the SDK, of whatever version, on our heartbeat client.

The agent is a program of its own, whose SDK is the one in a folder; what it meets is the reference server, behind the
environment's proxy, and a message server.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from agentcp_fsm import Invitation
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.credentials import seed_hash
from agentcp_fsm.sign_in.identities import make_identity
from tests.sdk.conftest import ALICE, PASSWORD
from tests.sdk.internet import HOSTS, Internet, MessageServer
from tests.sdk.sdk import SDKProgram
from tests.waiting import until

REPOSITORY = Path(__file__).parents[2]
HEARTBEAT_SERVER = "https://heartbeat.agentid.pub"
STEPS = ("install", "online", "invited", "recovered", "offline", "online again")
"""What each life is judged by, in this order; what comes after a failure is not tried."""

AGENT = """
import inspect, os, sys, threading, json
out, sys.stdout = sys.stdout, sys.stderr  # the SDK prints
def say(**what): print(json.dumps(what), file=out, flush=True)
folder, agent_id, password, ca_file = sys.argv[1:]
before = set(sys.modules)
try:
    import agentcp.agentcp
except Exception:
    pass  # install() will name the cause
own = {name for name in sys.modules if name.startswith("agentcp.")}
from agentcp_fsm import sdk
from tests.sdk.conftest import FAST
from agentcp_fsm.sign_in import http
http.select_proxy = lambda url, proxies: None  # the proxy and the server behind it are both on this machine
try:
    sdk.install(config=FAST, verify=ca_file)
except Exception as error:
    say(error=f"{type(error).__name__}: {error}")
    raise
imported = {name for name in sys.modules if name.startswith("agentcp.")} - own
say(version=agentcp.__version__, imported=sorted(imported), file=agentcp.__file__)
from agentcp import AgentCP
options = {"run_proxy": False} if "run_proxy" in inspect.signature(AgentCP.__init__).parameters else {}
if hasattr(agentcp.agentcp, "run_server"):
    agentcp.agentcp.run_server = lambda *arguments, **options: None  # its proxy for language models is no part of this
agent = AgentCP(folder, seed_password=password, **options).load_aid(agent_id)
for line in sys.stdin:
    match line.split():
        case ["online"]:
            try:
                agent.online()
            except Exception as error:
                say(online=f"{type(error).__name__}: {error}")
                continue
            client = agent.heartbeat_client
            say(online=getattr(agent, "is_online_success", True), ours=isinstance(client, sdk.HeartbeatClient),
                status=agent.get_online_status([agent_id]))
        case ["offline"]:
            try:
                agent.offline()
            except RuntimeError:  # old versions' own, as they close a session: ours has left by then
                agent.session_manager = None
            say(threads=[thread.name for thread in threading.enumerate() if "agentcp-fsm" in thread.name])
"""


def folders() -> dict[str, Path | None]:
    """The SDKs at hand by name: the one that is installed, those in the folder of old ones, and the stand-in."""
    found: dict[str, Path | None] = {path.name: path for path in sorted(old_versions().glob("*")) if path.is_dir()}
    return found | {"0.1.99": None, "newest layout": REPOSITORY / "tests" / "sdk" / "newest"}


def old_versions() -> Path:
    """Where each old version lies in a folder of its name."""
    return Path(os.environ.get("AGENTCP_SDKS", REPOSITORY / ".sdks"))


class Failed(Exception):  # noqa: N818 - an outcome, not an error
    """A step did not hold."""


def live(folder: Path | None) -> dict[str, str]:
    """Carry the steps out; returns what came of each, ``yes`` or the failure."""
    came: dict[str, str] = {}
    with TemporaryDirectory() as place:
        steps = _Life(folder, Path(place))
        try:
            for name in STEPS:
                came[name] = "yes"
                step: Callable[[], None] = getattr(steps, name.replace(" ", "_"))
                step()
        except (Failed, AssertionError, ValueError) as failure:
            came[name] = f"no: {failure}"
        finally:
            steps.end()
    return came


class _Life:
    def __init__(self, folder: Path | None, place: Path) -> None:
        make_identity(place / "agentcp" / "AIDs", ALICE, seed_hash(PASSWORD))
        self.folder = folder
        self._servers = ExitStack()
        self.server = self._servers.enter_context(ServerThread(next_beat=0.05, names=HOSTS))
        self.server.set_faults(heartbeat_server=HEARTBEAT_SERVER)
        self.internet = self._servers.enter_context(Internet(self.server.url, place))
        self.messages = self._servers.enter_context(MessageServer())
        self.invitation = Invitation("bob.agentid.pub", "CODE", 1893456000, "session-1", self.messages.url)
        path = [*([str(folder)] if folder else []), str(REPOSITORY)]
        self.agent = SDKProgram(
            AGENT, str(place), ALICE, PASSWORD, str(self.internet.ca_file), prelude="",
            **self.internet.environment, HEARTBEAT_SERVER=HEARTBEAT_SERVER,
            PYTHONPATH=os.pathsep.join(path), PYTHONWARNINGS="ignore",
        )  # fmt: skip

    def end(self) -> None:
        self.agent.__exit__(Failed, None, None)  # whatever it is at, it is over
        self._servers.close()

    def install(self) -> None:
        said = self.agent.said()
        if "error" in said:
            raise Failed(said["error"])
        _check(said["imported"] == [], f"it imported {said['imported']}")
        if self.folder is not None:
            _check(said["file"].startswith(str(self.folder)), f"it is {said['file']}")

    def online(self) -> None:
        said = self.agent.ask("online")
        _check(said["online"] is True and said["ours"], f"{said}")
        _check(said["status"] == [{"agent_id": ALICE, "online": True}], f"{said}")

    def invited(self) -> None:
        self._join(self.invitation)

    def recovered(self) -> None:
        before = self.server.statistics()
        self.server.restart()
        until(lambda: self.server.statistics().sign_ins > before.sign_ins)
        until(lambda: self.server.statistics().answers > before.answers)
        self._join(replace(self.invitation, session_id="session-2"))

    def offline(self) -> None:
        before = self.server.statistics().sign_outs
        said = self.agent.ask("offline")
        _check(said == {"threads": []}, f"it left {said}")
        _check(self.server.statistics().sign_outs == before + 1, "it did not sign out")

    def online_again(self) -> None:
        self.online()
        self._join(replace(self.invitation, session_id="session-3"))
        self.offline()

    def _join(self, invitation: Invitation) -> None:
        self.server.invite(ALICE, invitation)
        wanted = (invitation.session_id, invitation.inviter_agent_id, invitation.invite_code)
        until(lambda: wanted in self._joins())

    def _joins(self) -> list[tuple[str, str, str]]:
        joins = [message["data"] for message in self.messages.messages if message["cmd"] == "join_session_req"]
        return [(join["session_id"], join["inviter_agent_id"], join["invite_code"]) for join in joins]


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)
