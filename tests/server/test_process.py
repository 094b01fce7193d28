"""The server in a process of its own, driven by a program."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
import requests

from tests.server.client import A_HEARTBEAT, PATIENCE, POST
from tests.server_process import SERVE
from tests.starvation import starved
from tests.waiting import until

# In a process ---------------------------------------------------------------------------------------------------------


KEEP_RUNNING = [option for option in SERVE if option != "--until-input-ends"]


class Process:
    """`agentcp-fsm serve`, driven by a program, and its first words."""

    def __init__(self, *options: str, serve: Sequence[str] = SERVE, stdin: int | IO[Any] = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "agentcp_fsm", *serve, *options],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ready = self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line

    def command(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def end(self) -> None:
        """It ends by itself, promptly, cleanly, without a word."""
        begun, waited = time.monotonic(), starved(self.process.pid)
        if self.process.stdin is not None:
            self.process.stdin.close()
            self.process.stdin = None
        if self.process.returncode is None:
            until(lambda: os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG))
            waited = starved(self.process.pid) - waited  # known until its end is taken note of
        took = time.monotonic() - begun
        _, complaints = self.process.communicate(timeout=PATIENCE)
        assert (self.process.returncode, complaints) == (0, "")
        assert took < 3.0 + max(waited, 0.0), f"of {took} s it waited {waited} s for a processor"


@pytest.fixture
def started() -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def start(*options: str, **more: Any) -> Process:
        processes.append(Process(*options, **more))
        return processes[-1]

    yield start
    for one in processes:
        one.process.kill()
        one.process.communicate()


def test_a_process_says_where_it_is_and_obeys(started: Callable[..., Process]) -> None:
    process = started("--host", "127.0.0.1", "--next-beat", "2.5", "--encoding", "varint")
    assert process.ready.keys() == {"kind", "at", "url", "udp_host", "udp_port", "access_point"}
    assert requests.get(process.ready["url"], timeout=PATIENCE).status_code == 404
    assert json.loads(process.command("statistics")["answer"])["calls"] == 1
    assert "explode" in process.command("explode")["error"]
    assert process.command("restart")["answer"] == "every session is forgotten"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(PATIENCE)
        udp.connect((process.ready["udp_host"], process.ready["udp_port"]))
        udp.send(A_HEARTBEAT)
        assert udp.recv(100).hex() == "0001010200029103"
    process.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_on_a_signal(started: Callable[..., Process], number: signal.Signals) -> None:
    process = started()
    host, _, port = process.ready["url"].removeprefix("http://").rpartition(":")
    assert "hang" in process.command("fault sign_in hang")["answer"]
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(POST + b"Content-Length: 2\r\n\r\n{}")
        until(lambda: json.loads(process.command("statistics")["answer"])["calls"] == 1)
        process.process.send_signal(number)
        process.process.wait(PATIENCE)  # while its input is still open
        process.end()


def test_a_process_ends_with_its_input_unless_told_otherwise(started: Callable[..., Process]) -> None:
    started().end()  # which closes the input
    process = started(serve=KEEP_RUNNING)
    assert process.process.stdin is not None
    process.process.stdin.close()
    process.process.stdin = None
    assert requests.get(process.ready["url"], timeout=PATIENCE).status_code == 404
    process.process.send_signal(signal.SIGTERM)
    process.end()


def test_a_process_without_descriptors_accepts_again_when_it_has_some(started: Callable[..., Process]) -> None:
    process = started()
    watched = psutil.Process(process.process.pid)
    limits = watched.rlimit(psutil.RLIMIT_NOFILE)
    watched.rlimit(psutil.RLIMIT_NOFILE, (watched.num_fds(), limits[1]))
    host, _, port = process.ready["url"].removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert process.process.stderr is not None
        assert "cannot accept connections" in process.process.stderr.readline()
        begun = time.monotonic()
        assert "cannot accept connections" in process.process.stderr.readline()
        assert time.monotonic() - begun > 0.9, "it does not try again and again"
        watched.rlimit(psutil.RLIMIT_NOFILE, limits)
        assert connection.recv(100).startswith(b"HTTP/1.1 404")
    process.end()


def test_aiohttps_slower_parser_will_do_too(started: Callable[..., Process], monkeypatch: pytest.MonkeyPatch) -> None:
    """The one in pure Python, which tells of a broken body at once and in another way."""
    monkeypatch.setenv("AIOHTTP_NO_EXTENSIONS", "1")
    process = started()
    host, _, port = process.ready["url"].removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        until(lambda: json.loads(process.command("statistics")["answer"])["calls"] == 1)
        connection.sendall(b"zz\r\n\r\n")
        assert connection.recv(4096).split()[1] == b"400"
    process.end()


def test_commands_may_come_from_a_file(started: Callable[..., Process], tmp_path: Path) -> None:
    commands = tmp_path / "commands"
    commands.write_text("restart\n\nnonsense\n")
    with commands.open() as file:
        process = started(stdin=file)
        assert "answer" in process.read()
        assert "error" in process.read()
        process.end()


def test_there_may_be_no_input(started: Callable[..., Process]) -> None:
    process = started(serve=KEEP_RUNNING, stdin=subprocess.DEVNULL)
    assert requests.get(process.ready["url"], timeout=PATIENCE).status_code == 404
    os.kill(process.process.pid, signal.SIGTERM)
    process.end()


@pytest.mark.parametrize("options", [["--udp-port", "70000"], ["--next-beat", "-1"], ["--host", "192.0.2.1"]])
def test_a_wrong_option_is_told(options: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentcp_fsm", *SERVE, *options], capture_output=True, text=True, timeout=PATIENCE * 2
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert options[1] in done.stderr.splitlines()[-1]
