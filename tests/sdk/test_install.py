"""The drop-in in the place of the SDK's own; how the SDK's agents live on it is shown in test_sdk_agent.py."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from agentcp_fsm import Config, ConfigError, Invitation, SDKError, sdk
from agentcp_fsm.sdk.messages import as_sdk
from tests.sdk.conftest import ALICE, FAST, PASSWORD
from tests.sdk.sdk import sdk_module

PLACES = ("agentcp.heartbeat.heartbeat_client", "agentcp.heartbeat_client", "agentcp.agentcp")


@pytest.fixture
def modules() -> Iterator[dict[str, Any]]:
    """The SDK's modules that have the class, as they are without us."""
    yield {name: sdk_module(name) for name in PLACES}
    sdk.uninstall()


def classes(modules: dict[str, Any]) -> list[type[Any]]:
    return [module.HeartbeatClient for module in modules.values()]


def test_install_and_uninstall_may_be_repeated(modules: dict[str, Any]) -> None:
    originals = classes(modules)
    sdk.uninstall()
    assert classes(modules) == originals
    for _ in range(2):
        sdk.install()
        assert classes(modules) == [sdk.HeartbeatClient] * 3
    for _ in range(2):
        sdk.uninstall()
        assert classes(modules) == originals


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
    originals = classes(modules)[:2]
    monkeypatch.delattr(modules["agentcp.agentcp"], "HeartbeatClient")
    with pytest.raises(SDKError, match=r"agentcp\.agentcp has no class HeartbeatClient"):
        sdk.install()
    assert [modules[name].HeartbeatClient for name in PLACES[:2]] == originals


def test_without_the_sdk_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agentcp", None)  # what a package that is not installed looks like to an import
    for name in PLACES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SDKError, match="pip install agentcp"):
        sdk.install()
    sdk.uninstall()


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
    monkeypatch.delitem(sys.modules, "agentcp.msg.message_serialize")
    ours = as_sdk(INVITATION)
    assert isinstance(ours, sdk.InviteMessageReq)
    assert {name: getattr(ours, name) for name in vars(theirs) if name != "header"} | {"header": None} == vars(
        theirs
    ) | {"header": None}
    assert all(getattr(ours.header, name) == value for name, value in vars(theirs.header).items())
