"""A command for each invitation: real processes, which a test lets go on by closing a pipe or making a file."""

import json
import logging
import os
import shlex
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from agentcp_fsm import ConfigError
from agentcp_fsm.operations import invite_command
from agentcp_fsm.operations.invite_command import InviteCommand
from tests.connection.peer import INVITATION
from tests.needs import needs_posix
from tests.waiting import until

ALICE = "alice.agentid.pub"
LONG = 60.0


@pytest.fixture(autouse=True)
def posix() -> None:
    needs_posix("the commands of these tests are of a POSIX shell")


def shell(script: str) -> str:
    return shlex.join(("sh", "-c", script))


def said(log: pytest.LogCaptureFixture, text: str) -> bool:
    return text in log.text


def test_it_reads_the_invitation_and_its_secrets_are_no_arguments(tmp_path: Path) -> None:
    file = tmp_path / "read"
    command = InviteCommand(shell(f"cat > {file}.part; mv {file}.part {file}"), timeout=LONG, limit=1)
    command.run(ALICE, INVITATION)
    until(file.exists, LONG)
    command.close()
    assert json.loads(file.read_text()) == {"agent_id": ALICE, **asdict(INVITATION)}


def test_no_shell_sees_the_command(tmp_path: Path) -> None:
    file = tmp_path / "a b; $HOME"
    command = InviteCommand(f"touch '{file}'", timeout=LONG, limit=1)
    command.run(ALICE, INVITATION)
    until(file.exists, LONG)
    command.close()


def test_no_more_run_at_once_than_the_limit_and_all_run(tmp_path: Path) -> None:
    running, counts, go = tmp_path / "running", tmp_path / "counts", tmp_path / "go"
    running.mkdir()
    counts.touch()
    count = f"mkdir {running}/$$; ls {running} | wc -l >> {counts}"
    script = f"{count}; while [ ! -e {go} ]; do sleep 0.01; done; rmdir {running}/$$"
    command = InviteCommand(shell(script), timeout=LONG, limit=2)
    for _ in range(5):
        command.run(ALICE, INVITATION)
    until(lambda: len(os.listdir(running)) == 2, LONG)
    go.touch()
    until(lambda: len(counts.read_text().splitlines()) == 5, LONG)
    assert max(map(int, counts.read_text().split())) == 2
    command.close()


@pytest.mark.parametrize(
    ("script", "says"), [("exit 7", "failed with status 7"), ("kill -9 $$", "failed with status -9")]
)
def test_a_failure_is_logged_and_the_next_one_runs(
    script: str, says: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "again"
    command = InviteCommand(shell(f"[ -e {file} ] && touch {file}2; touch {file}; {script}"), timeout=LONG, limit=1)
    command.run(ALICE, INVITATION)
    command.run(ALICE, INVITATION)
    until(lambda: caplog.text.count(says) == 2, LONG)
    assert (tmp_path / "again2").exists()
    command.close()


def test_one_that_takes_too_long_is_ended_with_all_that_it_started(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invite_command, "KILL_AFTER", 0.1)
    child = tmp_path / "child"
    hanging = f"trap '' TERM; sleep 1000 & echo $! > {child}.part; mv {child}.part {child}; wait; sleep 1000"
    for seconds in (0.5, 5.0, 50.0):  # a busy machine may not come to begin it
        command = InviteCommand(shell(hanging), timeout=seconds, limit=1)
        command.run(ALICE, INVITATION)
        until(partial(said, caplog, f"took longer than {seconds:g} s"), LONG + seconds)
        command.close()
        if child.exists():
            break
    until(lambda: not os.path.exists(f"/proc/{int(child.read_text())}/exe"), LONG, "its child is left")


def test_closing_ends_what_runs_and_runs_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invite_command, "KILL_AFTER", 0.1)
    started = tmp_path / "started"
    command = InviteCommand(shell(f"trap '' TERM; touch {started}; sleep 1000; sleep 1000"), timeout=1000.0, limit=1)
    command.run(ALICE, INVITATION)
    command.run(ALICE, INVITATION)
    until(started.exists, LONG)
    started.unlink()
    command.close()
    command.run(ALICE, INVITATION)
    assert not started.exists()


def test_a_burst_is_bounded(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invite_command, "WAITING_MAX", 3)
    caplog.set_level(logging.ERROR)
    started = tmp_path / "started"
    command = InviteCommand(shell(f"touch {started}; sleep 1000"), timeout=1000.0, limit=1)
    command.run(ALICE, INVITATION)
    until(started.exists, LONG)
    for _ in range(4):
        command.run(ALICE, INVITATION)
    assert caplog.text.count("was dropped") == 1
    command.close()


@pytest.mark.parametrize(
    ("text", "says"), [("", "is empty"), ("'", "cannot be split"), ("/no/such program", "no program '/no/such'")]
)
def test_a_command_that_cannot_be_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        InviteCommand(text, timeout=1.0, limit=1)


def test_a_program_that_goes_away_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\n")
    program.chmod(0o700)
    command = InviteCommand(str(program), timeout=LONG, limit=1)
    program.unlink()
    command.run(ALICE, INVITATION)
    until(lambda: "could not be run" in caplog.text, LONG)
    command.close()
