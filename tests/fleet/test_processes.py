"""A fleet that real processes share: one is killed, one is killed again and again by one agent."""

import os
import shlex
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm.fleet import supervisor
from agentcp_fsm.fleet.configured import read_fleet
from agentcp_fsm.fleet.reports import Progress
from agentcp_fsm.fleet.sharding import shard_of
from agentcp_fsm.fleet.supervisor import TRIES, Supervisor
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.identities import identities_folder, make_identity
from tests.fleet.agents import name
from tests.needs import needs_posix
from tests.waiting import until

WITHIN = 60.0
AGENTS = 6
FLAGS = {"processes": 2}


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_posix("signals that kill")
    monkeypatch.setattr(supervisor, "WAIT_FIRST", 0.01)


@pytest.fixture
def next_beat() -> float:
    return 0.5


@pytest.fixture
def file(server: ServerThread, tmp_path: Path) -> Path:
    for number in range(AGENTS):
        make_identity(identities_folder(tmp_path / "data"), name(number))
    file = tmp_path / "fleet.toml"
    timings = "interval_min = 0.1\nsilence_timeout = 30.0\nsign_in_interval_min = 0\nprobe_limit = 30\n"
    file.write_text(f'[agent]\ndata = "data"\nserver = "{server.url}"\ninsecure_allow_http = true\n{timings}')
    with file.open("a") as opened:
        for number in range(AGENTS):
            opened.write(f'[[agents]]\nagent_id = "{name(number)}"\n')
    return file


Said = list[tuple[str, Mapping[str, Any]]]


@contextmanager
def running(file: Path) -> Iterator[tuple[Supervisor, Said]]:
    said: Said = []
    shared = Supervisor(file, FLAGS, read_fleet(file, FLAGS), lambda kind, content: said.append((kind, content)))
    shared.start()
    try:
        yield shared, said
    finally:
        assert shared.stop(WITHIN)
        assert shared.pids == ()


def until_progress(shared: Supervisor, wanted: Progress) -> None:
    until(lambda: shared.progress() == wanted, WITHIN)


def sign_ins(server: ServerThread) -> dict[str, int]:
    return {view.agent_id: view.sign_ins for view in server.agents()}


def test_a_process_that_dies_is_started_again_and_the_others_go_on(file: Path, server: ServerThread) -> None:
    with running(file) as (shared, said):
        until_progress(shared, Progress(members=AGENTS, reachable=AGENTS))
        before, shards = sign_ins(server), {name(number): shard_of(name(number), 2) for number in range(AGENTS)}
        assert set(shards.values()) == {0, 1}, "each has some"
        assert {each.agent_id: each.health().reachable for each in shared} == dict.fromkeys(shards, True)
        os.kill(shared.pids[0], signal.SIGKILL)
        until(lambda: ("worker", -9) in [(kind, content.get("status")) for kind, content in said], WITHIN)
        until_progress(shared, Progress(members=AGENTS, reachable=AGENTS))
        again = {agent_id: count - before[agent_id] for agent_id, count in sign_ins(server).items()}
        assert again == {agent_id: int(shard == 0) for agent_id, shard in shards.items()}
        text = file.read_text()
        file.write_text(text.replace(f'[[agents]]\nagent_id = "{name(0)}"\n', ""))
        shared.change(read_fleet(file, FLAGS))
        until(
            lambda: [content["removed"] for kind, content in said if kind == "changed" and content["removed"]], WITHIN
        )
        until_progress(shared, Progress(members=AGENTS - 1, reachable=AGENTS - 1))
        assert sign_ins(server) == {agent_id: before[agent_id] + count for agent_id, count in again.items()}
    assert server.statistics().sessions == sum(again.values()), "only the killed process did not sign out"


def test_an_agent_that_ends_its_process_each_time_is_quarantined(file: Path, tmp_path: Path) -> None:
    """Its password comes from a command that kills the process which asks for it."""
    text, spared = file.read_text(), tmp_path / "spared"
    script = f"[ -e {spared} ] || kill -9 $PPID; echo"
    poison = f"password_command = {shlex.join(('sh', '-c', script))!r}\n"
    file.write_text(text.replace(f'agent_id = "{name(3)}"\n', f'agent_id = "{name(3)}"\n{poison}'))
    with running(file) as (shared, said):
        until_progress(shared, Progress(members=AGENTS, reachable=AGENTS - 1, quarantined=1))
        assert [content for kind, content in said if kind == "quarantined"] == [{"agent_id": name(3), "tries": TRIES}]
        assert sum(kind == "worker" for kind, _ in said) == TRIES
        shown = {each.agent_id: each.health() for each in shared}
        assert {agent_id for agent_id, health in shown.items() if not health.reachable} == {name(3)}
        assert shown[name(3)].to_dict()["reason"] == "It is quarantined: its process ended 3 times at it."


def test_the_processes_end_with_their_supervisor(file: Path, server: ServerThread) -> None:
    """When nobody is there to give them commands, they sign out."""
    said: Said = []
    shared = Supervisor(file, FLAGS, read_fleet(file, FLAGS), lambda kind, content: said.append((kind, content)))
    shared.start()
    until_progress(shared, Progress(members=AGENTS, reachable=AGENTS))
    processes = [shard.process for shard in shared._shards]
    shared._stopping.set()
    for process in processes:
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
    until(lambda: shared.pids == (), WITHIN)
    assert server.statistics().sessions == 0
    assert shared.stop(1.0)
    until(lambda: "agentcp-worker" not in {thread.name for thread in threading.enumerate()}, WITHIN)
