"""``agentcp-fsm check`` of running agents, beside ``agentcp-fsm connect --status``."""

import json
import socket
from pathlib import Path

import pytest

from tests.cli.command import Running, refused, run
from tests.cli.conftest import ALICE, Identity, Server
from tests.needs import needs_posix


def connecting(server: Server, identity: Identity, status: Path) -> Running:
    options = ("--server", server.url, "--data", identity.data, "--password-file", identity.password_file)
    return Running("connect", ALICE, *options, "--status", status, "--json")


def test_one_agent_through_one_outage(server: Server, identity: Identity, tmp_path: Path) -> None:
    needs_posix("Unix sockets")
    place = tmp_path / "status"
    with connecting(server, identity, place) as connect:
        while connect.object("transition")["dest"] != "ONLINE":
            pass
        well = run("check", place, "--answer-age-critical", "1000")
        assert (well.returncode, well.stderr) == (0, "")
        assert well.stdout.startswith(f"AGENTCP OK - {ALICE} ONLINE for ")
        assert ";;1000;0" in well.stdout
        assert run("check", place, "--probe", "readyz").stdout == f"AGENTCP OK - {ALICE} ONLINE\n"
        assert run("check", place, "--probe", "livez").stdout == "AGENTCP OK - live\n"

        old = json.loads(run("check", place, "--answer-age-critical", "0", "--json").stdout)
        assert (old["level"], "last_answer is" in old["says"]) == ("CRITICAL", True)

        server("fault sign_in status status 403")
        server("restart")
        while connect.object("transition")["dest"] != "BACKOFF":
            pass
        lost = run("check", place)
        assert lost.returncode == 2
        assert lost.stdout.startswith(f"AGENTCP CRITICAL - {ALICE} ")
        assert run("check", place, "--probe", "readyz").returncode == 2
        other = run("check", place, "--agent", "bob.agentid.pub")
        assert (other.returncode, other.stdout.startswith("AGENTCP UNKNOWN - there is no agent bob")) == (3, True)
        assert connect.end()[0] == 0
    assert not place.exists()
    gone = run("check", place)
    assert (gone.returncode, gone.stdout.startswith("AGENTCP CRITICAL - no status place answers")) == (2, True)


def test_what_is_no_status_place_is_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        assert run("check", address, "--timeout", "0.1").returncode == 2
    assert run("check", "nonsense").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("127.0.0.1:1", "--from", "x:Y"), "exclude each other"),
        (("--probe", "healthz"), "livez or readyz"),
        (("--loss-rate-warning", "0.5", "--loss-rate-critical", "0.1"), "above its critical"),
    ],
)
def test_arguments_that_cannot_work(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused(run("check", *arguments))


def test_a_status_place_for_other_machines_is_refused(identity: Identity) -> None:
    options = ("--server", "http://127.0.0.1:1", "--data", identity.data, "--password-file", identity.password_file)
    assert "--insecure-allow-any-status-address" in refused(run("connect", ALICE, *options, "--status", "0.0.0.0:0"))
