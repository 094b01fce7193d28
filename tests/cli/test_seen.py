"""What an operator sees of ``agentcp-fsm connect``: metrics, log lines as JSON, traces, and an answer to a signal."""

import json
import signal
from pathlib import Path

from agentcp_fsm.operations.asking import ask
from tests.cli.command import Running, refused, run
from tests.cli.conftest import ALICE, Identity, Server
from tests.needs import needs_posix


def options(server: Server, identity: Identity) -> list[str | Path]:
    return [ALICE, "--data", identity.data, "--password-file", identity.password_file, "--server", server.url]


def test_an_agent_is_measured_logged_and_recorded(server: Server, identity: Identity, tmp_path: Path) -> None:
    needs_posix("Unix sockets and SIGUSR1")
    place, traces = tmp_path / "status", tmp_path / "traces"
    seen = ("--status", place, "--metrics-by-agent", "--traces", traces, "--log-format", "json", "--log-level", "info")
    with Running("connect", *options(server, identity), "--json", *seen) as connect:
        while connect.object("transition")["dest"] != "ONLINE":
            pass
        status, metrics = ask(str(place), "/metrics")
        assert status == 200
        assert f'agentcp_agents{{agent="{ALICE}",state="ONLINE"}} 1.0' in metrics.decode()
        connect.process.send_signal(signal.SIGUSR1)
        health = connect.object("health")
        file = connect.object("trace")["file"]
        _, _, errors = connect.end()
    assert (health["agent_id"], health["health"]["reachable"]) == (ALICE, True)
    lines = [json.loads(line) for line in errors.splitlines()]
    moved = [(each["agent"], each["source"], each["dest"]) for each in lines if "dest" in each]
    assert moved[:2] == [(ALICE, "OFFLINE", "SIGNING_IN"), (ALICE, "SIGNING_IN", "ONLINE")]
    assert run("trace", "replay", file).stdout.endswith(" steps, all the same\n")
    shown = run("trace", "show", file).stdout
    assert f"{ALICE}: " in shown
    assert "SIGNING_IN -> ONLINE" in shown


def test_without_a_folder_the_signal_has_the_last_moments_told(server: Server, identity: Identity) -> None:
    needs_posix("SIGUSR1")
    with Running("connect", *options(server, identity), "--json") as connect:
        while connect.object("transition")["dest"] != "ONLINE":
            pass
        connect.process.send_signal(signal.SIGUSR1)
        assert connect.object("health")["agent_id"] == ALICE
        first = connect.object("story")
        assert first["agent_id"] == ALICE
        assert first["line"].startswith(f"{ALICE}: ")
        while "SIGNING_IN -> ONLINE" not in connect.object("story")["line"]:
            pass
        connect.end()


def test_metrics_need_a_place(server: Server, identity: Identity) -> None:
    said = refused(run("connect", *options(server, identity), "--metrics"))
    assert "metrics are served by the status place: give --status, too" in said


def test_the_live_view_refuses_what_is_no_address() -> None:
    assert "give" in refused(run("top", "nonsense"))
