"""The installation in place of the SDK's own client; test_sdk_agent.py shows how the SDK's agents live on it."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm import Config, ConfigError, Invitation, SDKError, sdk
from agentcp_fsm.sdk.messages import MODULES, as_sdk
from tests.sdk.conftest import ALICE, FAST, PASSWORD
from tests.sdk.sdk import SDKProgram, sdk_module

PLACES = ("agentcp.heartbeat.heartbeat_client", "agentcp.agentcp")
"""The modules of the SDK that have the class, but for leftovers that it does not import itself."""
LEFTOVER = "agentcp.heartbeat_client"


@pytest.fixture
def modules() -> Iterator[dict[str, Any]]:
    """The SDK's modules that have the class, as they are without us."""
    sdk_module("agentcp.agentcp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield {name: sdk_module(name) for name in PLACES}
    sdk.uninstall()


def classes(modules: dict[str, Any]) -> list[type[Any]]:
    return [module.HeartbeatClient for module in modules.values()]


def are_ours(modules: dict[str, Any]) -> bool:
    return all(issubclass(each, sdk.HeartbeatClient) for each in classes(modules))


def test_install_and_uninstall_may_be_repeated(modules: dict[str, Any]) -> None:
    originals = classes(modules)
    sdk.uninstall()
    assert classes(modules) == originals
    for _ in range(2):
        sdk.install()
        assert are_ours(modules)
    for _ in range(2):
        sdk.uninstall()
        assert classes(modules) == originals


def test_a_leftover_that_the_program_imports_is_replaced_too(modules: dict[str, Any]) -> None:
    leftover = {LEFTOVER: sdk_module(LEFTOVER)}
    original = classes(leftover)
    sdk.install()
    assert are_ours(leftover)
    sdk.uninstall()
    assert classes(leftover) == original


def test_the_loggers_of_the_sdk_get_no_second_handler() -> None:
    """A leftover module, imported by install, made every line of the SDK's log twice."""
    with SDKProgram(LOGGING) as program:
        assert program.said() == {"before": 1, "after": 1, "imported": []}


LOGGING = """
import logging
from agentcp import AgentCP
import tempfile
AgentCP(tempfile.mkdtemp(), seed_password="x", run_proxy=False, debug=True)
count = lambda: len(logging.getLogger("agentid").handlers) - extra
extra = len(logging.getLogger("agentid").handlers) - 1  # the prelude's
before, modules = count(), set(sys.modules)
from agentcp_fsm import sdk
sdk.install()
say(before=before, after=count(), imported=sorted(name for name in set(sys.modules) - modules
                                                  if name.startswith("agentcp.")))
"""


def test_the_options_of_the_last_install_hold(modules: dict[str, Any], certificates: str) -> None:
    originals = classes(modules)
    sdk.install(config=Config(interval_min=7.0))
    sdk.install(config=FAST, allow_insecure_http=True)
    client = modules["agentcp.agentcp"].HeartbeatClient(ALICE, "http://heartbeat.example", certificates, PASSWORD)
    assert isinstance(client, sdk.HeartbeatClient)
    assert client.connection.config is FAST
    sdk.uninstall()
    assert classes(modules) == originals


def test_an_option_that_cannot_work_is_refused_before_anything_is_changed(modules: dict[str, Any]) -> None:
    originals = classes(modules)
    with pytest.raises(ConfigError, match="/nowhere"):
        sdk.install(verify="/nowhere")
    with pytest.raises(ConfigError, match="give a Config"):
        sdk.install(config={"interval_max": 60.0})  # type: ignore[arg-type]
    assert classes(modules) == originals


def test_an_sdk_that_lacks_the_class_is_left_as_it_is(modules: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    originals = classes(modules)[:1]
    monkeypatch.delattr(modules["agentcp.agentcp"], "HeartbeatClient")
    with pytest.raises(SDKError, match=r"agentcp 0\.1\.99 .* has no class HeartbeatClient in agentcp\.agentcp"):
        sdk.install()
    assert [modules[PLACES[0]].HeartbeatClient] == originals


def test_without_the_sdk_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agentcp", None)  # what a package that is not installed looks like to an import
    for name in PLACES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SDKError, match="not installed: install it with pip install agentcp"):
        sdk.install()
    sdk.uninstall()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import nothing_of_this_name", r"lacks nothing_of_this_name"),
        ("raise RuntimeError('its own')", r"its import fails with RuntimeError: its own"),
        ("from json import nothing_of_this_name", r"its import fails with ImportError"),
        ("", r"has no class HeartbeatClient in agentcp\.agentcp: install agentcp 0\.1\.40 or later"),
    ],
)
def test_an_sdk_that_cannot_be_imported_is_blamed_for_its_cause(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, says: str
) -> None:
    """Whatever was wrong, the remedy was to install what was installed."""
    package = tmp_path / "agentcp"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "agentcp.py").write_text(body)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "agentcp"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SDKError, match=says):
        sdk.install()
    for name in [name for name in sys.modules if name.partition(".")[0] == "agentcp"]:
        del sys.modules[name]  # monkeypatch brings the others back


@pytest.mark.parametrize("name", ["on_transition", "on_error"])
def test_a_handler_that_cannot_be_called_is_refused(modules: dict[str, Any], name: str) -> None:
    wrong: Any = {name: "print"}
    with pytest.raises(ConfigError, match=f"{name}='print': give something callable"):
        sdk.install(**wrong)
    assert not are_ours(modules)


INVITATION = Invitation("bob.agentid.pub", "CODE", 1893456000, "session-1", "wss://msg.agentid.pub")


def test_a_listener_receives_the_sdks_class_in_a_program_that_uses_the_sdk(modules: dict[str, Any]) -> None:
    theirs = as_sdk(INVITATION)
    assert type(theirs) is sdk_module("agentcp.msg.message_serialize").InviteMessageReq
    assert vars(theirs) | {"header": vars(theirs.header)} == {
        "header": {"MessageMask": 0, "MessageSeq": 0, "MessageType": 259, "PayloadSize": 0},
        "InviterAgentId": "bob.agentid.pub",
        "InviteCode": "CODE",
        "InviteCodeExpire": 1893456000,
        "SessionId": "session-1",
        "MessageServer": "wss://msg.agentid.pub",
    }


def test_without_the_sdk_a_listener_receives_its_equal(
    modules: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = as_sdk(INVITATION)
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    ours = as_sdk(INVITATION)
    assert isinstance(ours, sdk.InviteMessageReq)
    assert {name: getattr(ours, name) for name in vars(theirs) if name != "header"} | {"header": None} == vars(
        theirs
    ) | {"header": None}
    assert all(getattr(ours.header, name) == value for name, value in vars(theirs.header).items())
