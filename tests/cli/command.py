"""The command in a process of its own, as a person or a program runs it."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ESCAPE = "\x1b"
TIMEOUT = 30.0
"""Seconds that anything may take; nothing waits that long unless it is broken."""
COMMAND = (sys.executable, "-m", "agentcp_fsm")


def run(*arguments: str | Path, input: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, with pipes for its streams."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=input,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        env=os.environ | environment,
    )


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that says why the command did nothing."""
    assert result.returncode == 2, result
    assert result.stdout == ""
    assert result.stderr.endswith("\n")
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("agentcp-fsm: ")
    return result.stderr


class Running:
    """The command while it runs: its lines are awaited, its input is written, signals are sent."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self.output = ""
        self._pending = b""
        self._selector = selectors.DefaultSelector()
        assert self.process.stdout is not None
        self._selector.register(self.process.stdout, selectors.EVENT_READ)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=TIMEOUT)
        self._selector.close()

    def line(self) -> str:
        """The next line of its output."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + TIMEOUT
        while b"\n" not in self._pending:
            assert self._selector.select(max(deadline - time.monotonic(), 0)), f"no more output after: {self.output}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"it ended: {self.output}"
            self._pending += data
        first, _, self._pending = self._pending.partition(b"\n")
        text = first.decode()
        self.output += text + "\n"
        return text

    def line_with(self, part: str) -> str:
        """The next line of its output that has `part` in it."""
        while part not in (text := self.line()):
            pass
        return text

    def object(self, kind: str) -> dict[str, Any]:
        """The next JSON line of this kind."""
        while True:
            content: dict[str, Any] = json.loads(self.line())
            if content["kind"] == kind:
                return content

    def write(self, line: str) -> None:
        """Give it a line on its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Send a signal and wait for the end: exit status, all output, all errors."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, self.output + (self._pending + output).decode(), errors.decode()
