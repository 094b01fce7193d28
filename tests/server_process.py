"""The reference server in a process of its own, driven through its console."""

import json
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent
SERVE = ("serve", "--json", "--until-input-ends", "--http-port", "0", "--udp-port", "0")
"""What `agentcp_fsm` is called with to be driven by a program."""
PATIENCE = 30.0
"""Seconds that any answer may take; nothing waits that long unless it is broken."""


class ServerProcess:
    """`agentcp-fsm serve`; a context manager, which ends it.

    `launcher` is what runs it, such as ``("ip", "netns", "exec", name)``.
    """

    def __init__(self, *options: str, next_beat: float = 0.1, launcher: Sequence[str] = ()) -> None:
        self._command = (*launcher, sys.executable, "-m", "agentcp_fsm", *SERVE, "--next-beat", str(next_beat))
        self._start(options)

    def _start(self, options: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [*self._command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, bufsize=0
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input, self._output = self.process.stdin, self.process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)
        started = self._read()
        self.url: str = started["url"]
        self.udp_address: tuple[str, int] = (started["udp_host"], started["udp_port"])
        """Where heartbeats go, until the server moves."""

    def _read(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        line = b""
        while not line.endswith(b"\n"):
            assert self._selector.select(max(deadline - time.monotonic(), 0)), "the server does not answer"
            part = self._output.read(65536)
            assert part, "the server has ended"
            line += part
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __call__(self, command: str) -> str:
        """Give it a command of its console, and return what it says."""
        self._input.write(command.encode() + b"\n")
        answer = self._read()
        assert "answer" in answer, answer
        text: str = answer["answer"]
        return text

    def statistics(self) -> dict[str, int]:
        """What the server has counted so far; see `agentcp_fsm.server.ServerStatistics`."""
        counted: dict[str, int] = json.loads(self("statistics"))
        return counted

    def count(self, what: str) -> int:
        """One of the server's statistics."""
        return self.statistics()[what]

    def agent(self, agent_id: str) -> dict[str, Any]:
        """What the server knows of an agent; see `agentcp_fsm.server.AgentView`."""
        known: dict[str, Any] = json.loads(self(f"agent {agent_id}"))
        return known

    def again(self, *options: str) -> None:
        """Take its place after `kill`: another server, found under the same HTTP port."""
        port = self.url.rpartition(":")[2]
        self._start(("--http-port", port, *options))

    def kill(self) -> None:
        """End it without any warning."""
        self.process.kill()
        self._forget()

    def close(self) -> None:
        """End it; fails unless it ends well.  Does nothing after `kill`."""
        if self._input.closed:
            return
        self._input.close()
        try:
            assert self.process.wait(10) == 0
        finally:
            self.kill()

    def _forget(self) -> None:
        self.process.wait()
        self._selector.close()
        self._input.close()
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
