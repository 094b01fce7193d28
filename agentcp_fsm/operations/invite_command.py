"""Runs a command for each invitation: bounded in number and time, and apart from the agent."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from time import monotonic

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.support.quoting import quoted

logger = logging.getLogger(__name__)

WAITING_MAX = 1000
"""Invitations that wait for a command to end; further ones are dropped, and logged."""
KILL_AFTER = 2.0
"""Seconds between the request to end and the end by force."""
ON_POSIX = os.name == "posix"
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class InviteCommand:
    """Runs a command for each invitation, at most ``limit`` at once, each for at most ``timeout`` seconds.

    The command is split into words as a shell does it, and no shell runs it.  It reads the invitation, as one JSON
    object with ``agent_id`` (the invited agent) and the fields of `Invitation`, from its standard input; what it writes
    goes to standard error.  A command that fails, cannot be started or takes too long is logged, and changes nothing
    else.

    Raises ConfigError for a command that is empty or not there.
    """

    def __init__(self, command: str, *, timeout: float, limit: int) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise ConfigError(f"on_invite={command!r} cannot be split into words: {error}") from None
        if not self._words:
            raise ConfigError(f"on_invite={command!r} is empty: give a command")
        if shutil.which(self._words[0]) is None:
            raise ConfigError(f"on_invite={command!r}: there is no program {self._words[0]!r} that can be run")
        self._timeout = timeout
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._threads: set[threading.Thread] = set()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def run(self, agent_id: str, invitation: Invitation) -> None:
        """Run the command for an invitation, now or later; returns at once."""
        content = json.dumps({"agent_id": agent_id, **asdict(invitation)}).encode() + b"\n"
        with self._lock:
            if self._closed:
                return
            if len(self._waiting) >= WAITING_MAX:
                logger.error(
                    "%s: an invitation by %s was dropped: %d wait for the command",
                    agent_id,
                    quoted(invitation.inviter_agent_id),
                    WAITING_MAX,
                )
                return
            self._waiting.append(content)
            if len(self._threads) < self._limit:
                thread = threading.Thread(target=self._work, name="agentcp-on-invite", daemon=True)
                self._threads.add(thread)
                thread.start()

    def close(self) -> None:
        """End what runs, and run nothing more; returns when all has ended."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            running, threads = list(self._running), list(self._threads)
        for process in running:
            _signal(process, signal.SIGTERM)
        deadline = monotonic() + KILL_AFTER
        for thread in threads:
            thread.join(max(deadline - monotonic(), 0.0))
        for process in running:
            if process.poll() is None:
                _signal(process, KILL)
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads.discard(threading.current_thread())
                    return
                content = self._waiting.popleft()
            try:
                self._run(content)
            except OSError as error:
                logger.error("the command for an invitation could not be run: %s", error)

    def _run(self, content: bytes) -> None:
        with self._lock:
            if self._closed:
                return
            # A session of its own: what it starts is ended with it, and Ctrl-C is the agent's alone.
            process = subprocess.Popen(  # noqa: S603 - the operator's own command
                self._words, stdin=subprocess.PIPE, stdout=2, start_new_session=ON_POSIX
            )
            self._running.add(process)
        try:
            deadline = monotonic() + self._timeout
            try:
                process.communicate(content, timeout=self._timeout)
            except subprocess.TimeoutExpired:
                logger.error("the command for an invitation was ended: it took longer than %g s", self._timeout)
                self._end(process)
                return
            if process.returncode and not self._closed:
                took = self._timeout - (deadline - monotonic())
                logger.error(
                    "the command for an invitation failed with status %d after %.1f s", process.returncode, took
                )
        finally:
            with self._lock:
                self._running.discard(process)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_AFTER)
        _signal(process, KILL)
        process.wait()
        if process.stdin is not None:
            with suppress(OSError):  # it never read its input
                process.stdin.close()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a command and all that it started."""
    with suppress(OSError):  # it has ended
        if ON_POSIX:
            os.killpg(process.pid, number)
        else:
            process.terminate()
