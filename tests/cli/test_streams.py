"""Every command with each standard stream closed, full or left by its reader: a clean end and the right status."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.identities import make_identity
from tests.cli.command import COMMAND, TIMEOUT
from tests.needs import needs_posix
from tests.waiting import until

needs_posix("there are a shell and /dev/full")

ALICE = "alice.agentid.pub"
QUIET = ("<&-", "2>&-", ">&-", "<&- >&- 2>&-", "2>/dev/full", "2>/dev/full >&-")
"""What takes nothing from a command that it could not do without."""
SHORT = (
    ("chart", 0),
    ("chart --json", 0),
    ("diagram", 0),
    ("diagram --format svg", 0),
    ("--help", 0),
    ("chart --help", 0),
    ("--version", 0),
    ("nonsense", 2),
    ("chart --state NONE", 2),
    ("diagram diff no-such-revision", 2),
    ("diagram --check no-such.svg", 1),
    (f"doctor {ALICE} --data data --server http://127.0.0.1:9", 1),
    (f"identity new {ALICE} --data data", 2),
)
"""Commands that end by themselves, with their statuses; an identity exists already."""


def shell(folder: Path, command: str, redirections: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell does, with what it has to say to the streams that are left."""
    line = f"exec {sys.executable} -m agentcp_fsm {command} {redirections}"
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=folder, timeout=TIMEOUT, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("streams")
    make_identity(made / "data", ALICE)
    make_identity(made / "data" / "agentcp" / "AIDs", ALICE)
    return made


@pytest.mark.parametrize("redirections", QUIET)
@pytest.mark.parametrize(("command", "status"), SHORT)
def test_a_command_does_without_a_stream(folder: Path, command: str, status: int, redirections: str) -> None:
    ends_well(shell(folder, command, redirections), status)


def test_a_demo_does_without_a_stream(folder: Path) -> None:
    with ThreadPoolExecutor() as pool:  # they wait for most of their time
        for result in pool.map(partial(shell, folder, "demo --fast"), QUIET):
            ends_well(result, 0)


def ends_well(result: subprocess.CompletedProcess[str], status: int) -> None:
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    assert "Exception" not in result.stderr


@pytest.mark.parametrize("command", ["chart", "chart --json", "diagram", "--help", "--version", "demo --fast"])
def test_a_full_disk_is_one_line_and_a_status(folder: Path, command: str) -> None:
    result = shell(folder, command, ">/dev/full")
    assert result.returncode == 2
    assert result.stderr == "agentcp-fsm: the output cannot be written: No space left on device\n"
    assert shell(folder, command, ">/dev/full 2>&1").returncode == 2


@pytest.mark.parametrize("lines", [0, 1])
@pytest.mark.parametrize("command", ["chart", "chart --json", "diagram", "--help", "demo --fast"])
def test_a_reader_may_leave(folder: Path, command: str, lines: int) -> None:
    program = f"{sys.executable} -m agentcp_fsm {command}"
    line = f"{{ {program}; echo $? >&2; }} | head -n {lines}"
    result = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=folder, timeout=TIMEOUT, check=True)
    assert result.stderr == "0\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with ServerThread() as running:
        yield running


def connecting(folder: Path, server: ServerThread, redirections: str, *, json: bool = False) -> subprocess.Popen[bytes]:
    json_option = "--json" if json else ""
    line = f"exec {' '.join(COMMAND)} connect {ALICE} --data data --server {server.url} {json_option} {redirections}"
    return subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder)


@pytest.mark.parametrize("redirections", [*QUIET, "2>/dev/full --log-level debug"])
def test_an_agent_does_without_a_stream_and_signs_out(folder: Path, server: ServerThread, redirections: str) -> None:
    before = server.statistics()
    with connecting(folder, server, redirections) as process:
        until(lambda: server.statistics().heartbeats > before.heartbeats, TIMEOUT)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert b"Traceback" not in errors
    assert server.statistics().sign_outs == before.sign_outs + 1


@pytest.mark.parametrize("json", [False, True])
def test_an_agent_ends_when_nobody_reads_it(folder: Path, server: ServerThread, json: bool) -> None:
    before = server.statistics()
    with connecting(folder, server, "", json=json) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        until(lambda: server.statistics().heartbeats > before.heartbeats, TIMEOUT)
        process.stdout.close()
        assert process.wait(TIMEOUT) == 0
        assert process.stderr.read() == b""
    assert server.statistics().sign_outs == before.sign_outs + 1


def test_an_agent_whose_disk_is_full_signs_out_and_says_so(folder: Path, server: ServerThread) -> None:
    with connecting(folder, server, ">/dev/full") as process:
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 2
    assert errors == b"agentcp-fsm: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_an_agent_signs_out_whatever_ends_it(folder: Path, server: ServerThread, number: signal.Signals) -> None:
    before = server.statistics()
    with connecting(folder, server, "") as process:
        until(lambda: server.statistics().heartbeats > before.heartbeats, TIMEOUT)
        process.send_signal(number)
        process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert server.statistics().sign_outs == before.sign_outs + 1


def test_an_agent_that_is_to_outlive_its_terminal_does(folder: Path, server: ServerThread) -> None:
    before = server.statistics()
    line = f"trap '' HUP; exec {' '.join(COMMAND)} connect {ALICE} --data data --server {server.url} --json"
    with subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, cwd=folder) as process:
        until(lambda: server.statistics().heartbeats > before.heartbeats, TIMEOUT)
        process.send_signal(signal.SIGHUP)
        until(lambda: server.statistics().heartbeats > before.heartbeats + 1, TIMEOUT)
        assert process.poll() is None
        assert server.statistics().sign_outs == before.sign_outs
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0


@pytest.mark.parametrize("redirections", QUIET)
def test_a_server_does_without_a_stream(folder: Path, redirections: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    line = f"exec {' '.join(COMMAND)} serve --http-port {port} --udp-port 0 {redirections}"
    with subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder) as process:
        until(listens, TIMEOUT)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert b"Traceback" not in errors
