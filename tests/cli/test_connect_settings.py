"""``agentcp-fsm connect`` with its settings: several agents, commands for invitations, giving up, systemd."""

import json
import socket
from pathlib import Path

import pytest

from tests.cli.command import TIMEOUT, Running, refused, run
from tests.cli.conftest import ALICE, Identity, Server
from tests.needs import needs_posix
from tests.waiting import until

BOB = "bob.agentid.pub"


@pytest.fixture
def file(server: Server, identity: Identity, tmp_path: Path) -> Path:
    """A configuration of two agents."""
    if not (identity.data / "agentcp" / "AIDs" / BOB).exists():
        run("identity", "new", BOB, "--data", identity.data, "--password-file", identity.password_file)
    file = tmp_path / "agents.toml"
    file.write_text(
        f'json = true\n\n[agent]\ndata = "{identity.data}"\npassword_file = "{identity.password_file}"\n'
        f'server = "{server.url}"\n\n[[agents]]\nagent_id = "{ALICE}"\n\n[[agents]]\nagent_id = "{BOB}"\n'
    )
    return file


def until_online(connect: Running, *agents: str) -> None:
    left = set(agents)
    while left:
        moved = connect.object("transition")
        if moved["dest"] == "ONLINE":
            left.discard(moved["agent_id"])


def test_several_agents_of_one_file(file: Path, server: Server, tmp_path: Path) -> None:
    needs_posix("Unix sockets")
    place = tmp_path / "status"
    with Running("connect", "--config", file, "--status", place) as connect:
        until_online(connect, ALICE, BOB)
        assert run("check", place, "--probe", "readyz").stdout == f"AGENTCP OK - {ALICE} ONLINE, {BOB} ONLINE\n"
        assert run("check", place).stdout.startswith("AGENTCP OK - 2 of 2 agents are reachable | ")
        assert server(f"invite {BOB} carol.agentid.pub") == f"{BOB} answered"
        invited = connect.object("invitation")
        assert (invited["agent_id"], invited["inviter_agent_id"]) == (BOB, "carol.agentid.pub")
        assert invited["invite_code"], "without it, a program cannot join"
        status, output, errors = connect.end()
    assert (status, errors) == (0, "")
    summaries = [json.loads(line) for line in output.splitlines() if '"summary"' in line]
    assert [(each["agent_id"], each["invitations"]) for each in summaries] == [(ALICE, 0), (BOB, 1)]
    with Running("connect", BOB, "--config", file) as one:
        until_online(one, BOB)
        assert ALICE not in one.end()[1]


def test_lines_for_people_name_the_agent_if_there_are_several(file: Path) -> None:
    file.write_text(file.read_text().removeprefix("json = true"))
    with Running("connect", "--config", file) as connect:
        for _ in range(2):
            connect.line_with("→ ONLINE")
        _, output, _ = connect.end()
    for agent_id in (ALICE, BOB):
        assert f"{agent_id}  OFFLINE → SIGNING_IN" in output
        assert f"{agent_id}  heartbeats" in output


def test_a_command_runs_for_each_invitation(file: Path, server: Server, tmp_path: Path) -> None:
    needs_posix("a shell")
    read = tmp_path / "read"
    command = f"sh -c 'cat >> {read}; echo noise; exit 3'"
    with Running("connect", ALICE, "--config", file, "--on-invite", command) as connect:
        until_online(connect, ALICE)
        assert server(f"invite {ALICE} carol.agentid.pub") == f"{ALICE} answered"
        until(lambda: read.exists() and read.read_text().endswith("\n"), 30)
        assert connect.object("invitation")["agent_id"] == ALICE
        status, output, errors = connect.end()
    content = json.loads(read.read_text())
    assert (content["agent_id"], content["inviter_agent_id"]) == (ALICE, "carol.agentid.pub")
    assert status == 0, "the command's failure is not the agent's"
    assert "noise" not in output
    assert "noise" in errors


def test_giving_up_ends_the_command(file: Path, server: Server) -> None:
    server("fault sign_in status status 403")
    options = ("--exit-on-failure", "--sign-in-attempt-limit", "1")
    with Running("connect", ALICE, "--config", file, *options) as connect:
        while connect.object("transition")["dest"] != "OFFLINE":
            pass
        assert connect.object("summary")["sign_ins"] == 1
        assert connect.process.wait(TIMEOUT) == 3
        assert connect.process.stderr is not None
        assert connect.process.stderr.read() == b""


def test_a_service_manager_is_notified(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_posix("Unix sockets")
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)

        def heard(beginning: str) -> str:
            while not (message := manager.recv(65536).decode()).startswith(beginning):
                pass
            return message

        with Running("connect", ALICE, "--config", file) as connect:
            heard("READY=1")
            while "1 of 1 agents are reachable; ONLINE" not in heard("STATUS="):
                pass
            heard("WATCHDOG=1")
            heard("WATCHDOG=1")
            connect.process.terminate()
            heard("STOPPING=1")
            assert connect.process.wait(30) == 0


def test_a_file_may_be_named_by_a_variable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTCP_FSM_CONFIG", str(file))
    monkeypatch.setenv("AGENTCP_FSM_INTERVAL_MAX", "20")
    shown = run("config", "show", ALICE, "--changed", "--json", "--backoff-max", "12")
    rows = {row["setting"]: row for row in map(json.loads, shown.stdout.splitlines())}
    assert rows["interval_max"] | {"kind": ""} == {
        "kind": "", "agent": ALICE, "setting": "interval_max", "value": 20.0, "origin": "AGENTCP_FSM_INTERVAL_MAX",
    }  # fmt: skip
    assert (rows["backoff_max"]["value"], rows["backoff_max"]["origin"]) == (12.0, "--backoff-max")
    assert rows["agent_id"]["origin"] == "argument"
    assert rows["server"]["origin"] == f"{file}:6"
    assert "codec" not in rows
    everything = run("config", "show", ALICE)
    assert (everything.returncode, everything.stderr) == (0, "")
    assert "codec" in everything.stdout


def test_settings_are_explained_and_described() -> None:
    assert "rule 6" in run("config", "explain", "backoff-max").stdout
    assert "interval_max" in run("config", "explain").stdout
    assert json.loads(run("config", "schema").stdout)["additionalProperties"] is False
    assert "did you mean backoff_max" in refused(run("config", "explain", "backof_max"))


def test_a_mistake_is_one_line(file: Path) -> None:
    file.write_text("[agent]\ninterval_max = 'x'\n")
    for command in ("connect", "doctor"):
        assert f"{file}:2: interval_max='x'" in refused(run(command, ALICE, "--config", file, "--data", "/"))


def test_the_doctor_reads_the_same_file(file: Path) -> None:
    examined = run("doctor", ALICE, "--config", file, "--sign-in", "--json")
    assert examined.returncode == 0, examined
    assert "several agents" in refused(run("doctor", "--config", file))
