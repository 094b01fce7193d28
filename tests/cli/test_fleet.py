"""``agentcp-fsm fleet run``: a file of agents, changed while it runs."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Running, refused, run
from tests.cli.conftest import ALICE, Identity, Server
from tests.needs import needs_posix

BOB, CAROL = "bob.agentid.pub", "carol.agentid.pub"


@pytest.fixture
def file(server: Server, identity: Identity, tmp_path: Path) -> Path:
    """A file of one agent, and a folder that has the identities of more."""
    for agent_id in (BOB, CAROL):
        if not (identity.data / "agentcp" / "AIDs" / agent_id).exists():
            run("identity", "new", agent_id, "--data", identity.data, "--password-file", identity.password_file)
    file = tmp_path / "fleet.toml"
    file.write_text(
        f'json = true\n\n[agent]\ndata = "{identity.data}"\npassword_file = "{identity.password_file}"\n'
        f'server = "{server.url}"\n\n[[agents]]\nagent_id = "{ALICE}"\n'
    )
    return file


def until_progress(fleet: Running, **wanted: int) -> dict[str, Any]:
    while True:
        shown = fleet.object("progress")
        if all(shown[name] == count for name, count in wanted.items()):
            return shown


def test_a_file_is_run_and_read_again(file: Path, server: Server, tmp_path: Path) -> None:
    needs_posix("SIGHUP and Unix sockets")
    place = tmp_path / "status"
    with Running("fleet", "run", file, "--status", place) as fleet:
        until_progress(fleet, members=1, reachable=1)
        text = file.read_text()
        file.write_text(f'{text}[[agents]]\nagent_id = "{BOB}"\n[[agents]]\nagent_id = "{CAROL}"\ncodek = "x"\n')
        fleet.process.send_signal(signal.SIGHUP)
        bad = fleet.object("refused")
        assert bad["agent_id"] == CAROL
        assert bad["reason"].startswith(f"{file}:14: there is no setting 'codek' here: did you mean codec")
        changed = fleet.object("changed")
        assert (changed["added"], changed["removed"], changed["changed"]) == ([BOB], [], [])
        until_progress(fleet, members=2, reachable=2)
        fleet.process.send_signal(signal.SIGUSR1)
        assert fleet.object("progress")["reachable"] == 2
        assert run("check", place).stdout.startswith("AGENTCP OK - 2 of 2 agents are reachable")
        file.write_text(text.replace("[[agents]]", "[[agents]"))
        fleet.process.send_signal(signal.SIGHUP)
        assert "the changed file is not used" in fleet.object("error")["reason"]
        file.write_text(text)
        fleet.process.send_signal(signal.SIGHUP)
        assert fleet.object("changed")["removed"] == [BOB]
        until_progress(fleet, members=1, reachable=1)
        status, output, errors = fleet.end()
    assert (status, errors) == (0, "")
    assert json.loads(output.splitlines()[-1])["waiting"] == 1


def test_a_folder_of_identities_and_lines_for_people(file: Path, identity: Identity) -> None:
    text = file.read_text().removeprefix("json = true").partition("[[agents]]")[0]
    file.write_text(f'identities = "{identity.data}"\n{text}[[agents]]\nagent_id = "{ALICE}"\ndata = "/nowhere"\n')
    with Running("fleet", "run", file) as fleet:
        fleet.line_with(f"refused {ALICE}  {file}:10: ")
        fleet.line_with("2 of 3 agents are reachable, 1 refused")
        status, output, errors = fleet.end(signal.SIGTERM)
    assert (status, errors) == (0, "")
    assert "signing out" in output


def test_several_processes_look_like_one(file: Path, identity: Identity, tmp_path: Path) -> None:
    needs_posix("SIGHUP and Unix sockets")
    place, text = tmp_path / "status", file.read_text()
    file.write_text(f'identities = "{identity.data}"\nprocesses = 2\n{text}')
    with Running("fleet", "run", file, "--status", place) as fleet:
        until_progress(fleet, members=3, reachable=3)
        assert run("check", place).stdout.startswith("AGENTCP OK - 3 of 3 agents are reachable")
        file.write_text(f"processes = 2\n{text}")
        fleet.process.send_signal(signal.SIGHUP)
        until_progress(fleet, members=1, reachable=1)
        status, _, errors = fleet.end()
    assert (status, errors) == (0, "")


def test_giving_up_ends_the_command(file: Path, server: Server) -> None:
    server("fault sign_in status status 403")
    file.write_text(
        file.read_text().replace("[agent]\n", "exit_on_failure = true\n[agent]\nsign_in_attempt_limit = 1\n")
    )
    with Running("fleet", "run", file) as fleet:
        _, errors = fleet.process.communicate(timeout=30)
    assert (fleet.process.returncode, errors) == (3, b"")


def test_a_file_that_cannot_be_is_one_line(file: Path, tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(run("fleet", "run", tmp_path / "none.toml"))
    file.write_text("identities = 'none'\n")
    assert f"{file}:1: the folder of identities" in refused(run("fleet", "run", file))
