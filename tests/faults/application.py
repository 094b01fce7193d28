"""The program under a fault: it uses a `Connection`, and can measure itself.  It runs in a process of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentcp_fsm import Config, Connection, Credentials, Invitation, ReportTransition, State
from agentcp_fsm.runtime.hub import new_event_loop
from tests.server_process import PATIENCE
from tests.waiting import until

ALICE = "alice.agentid.pub"
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process holds of the system."""

    threads: int
    descriptors: int
    sockets: int
    """Those among the descriptors that are sockets."""

    @classmethod
    def held(cls) -> Resources:
        """Those of this process."""
        links = []
        for name in os.listdir("/proc/self/fd"):
            try:
                links.append(os.readlink(f"/proc/self/fd/{name}"))
            except FileNotFoundError:
                continue  # it was that of the list itself
        return cls(len(os.listdir("/proc/self/task")), len(links), sum(link.startswith("socket:") for link in links))

    def __sub__(self, other: Resources) -> Resources:
        return Resources(
            self.threads - other.threads, self.descriptors - other.descriptors, self.sockets - other.sockets
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """How an application is at one moment.  All clocks are those of `time.monotonic`, which processes share."""

    at: float
    processor: float
    """Seconds of processor time so far."""
    memory: int
    """Bytes of it that are in memory."""
    held: Resources
    state: State
    reason: str
    attempts: int
    failed_attempts: int
    losses: int
    heartbeats: int
    answers: int
    send_failures: int
    receive_failures: int
    malformed: int
    invitations: int


class Application:
    """A program with one connection.  It counts what its handlers are told, and logs into a file."""

    def __init__(self, url: str, folder: Path, config: Config, log: Path, agent_id: str = ALICE) -> None:
        logging.basicConfig(
            filename=log, level=logging.INFO, format="%(relativeCreated)9.1f %(threadName)s %(message)s"
        )
        self.credentials = Credentials.load(folder, agent_id)
        self.url = url
        self.config = config
        self.agent_id = agent_id
        self.transitions: list[ReportTransition] = []
        self.errors: list[str] = []
        self.invitations: list[Invitation] = []
        self.kept: dict[str, Any] = {}
        """For the use of deeds: what one leaves for the next."""
        self.changed = threading.Condition()
        """Notified of each transition."""
        self.connection = self.connect()
        new_event_loop().close()  # the process's first uvloop opens a pipe that is kept for all later ones
        self.before = Resources.held()
        """What the process holds while no connection is started."""

    def connect(self) -> Connection:
        """Another connection like the first, not started."""
        connection = Connection(self.agent_id, self.url, credentials=self.credentials, config=self.config)
        connection.on_transition(self._note)
        connection.on_error(self.errors.append)
        connection.on_invite(self.invitations.append)
        return connection

    def start(self) -> None:
        """Start the connection."""
        self.connection.start()

    def wait_for(self, *states: State, timeout: float = PATIENCE) -> None:
        """Wait until one of the states is entered; fails if it is not."""
        assert self.connection.wait_for(*states, timeout=timeout), self.connection.health()

    def recovered(self, since: float, timeout: float = PATIENCE) -> float:
        """Wait until the connection is ONLINE by a heartbeat that was answered after `since`; returns when that was."""
        deadline = time.monotonic() + timeout
        while True:
            self.wait_for(State.ONLINE, timeout=deadline - time.monotonic())
            health = self.connection.health()
            if health.last_answer is not None and (answered := time.monotonic() - health.last_answer) >= since:
                return answered
            assert time.monotonic() < deadline, health
            time.sleep(0.01)  # while ONLINE nothing but an answer changes, and that tells nobody

    def answered(self, number: int) -> None:
        """Wait until as many heartbeats were answered, since the process began."""
        until(lambda: self.connection.health().statistics.answers >= number, PATIENCE)

    def failed_attempts(self, number: int) -> None:
        """Wait until as many attempts have failed, since the process began, and the wait for the next has begun."""
        self._until_transition(lambda: self.connection.health().statistics.failed_attempts >= number)

    def lost(self, number: int) -> None:
        """Wait until the connection was lost as many times, since the process began."""
        self._until_transition(lambda: self.connection.health().statistics.losses >= number)

    def _until_transition(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), self.connection.health()

    def _note(self, transition: ReportTransition) -> None:
        with self.changed:
            self.transitions.append(transition)
            self.changed.notify_all()

    def stop(self, timeout: float | None = None) -> float:
        """Stop the connection, which must come to rest; returns the seconds that it took."""
        began = time.monotonic()
        assert self.connection.stop(timeout), self.connection.health()
        return time.monotonic() - began

    def reading(self) -> Reading:
        """Measure this process."""
        health = self.connection.health()
        counted = health.statistics
        return Reading(
            at=time.monotonic(),
            processor=time.process_time(),
            memory=int(Path("/proc/self/statm").read_text().split()[1]) * PAGE,
            held=Resources.held(),
            state=health.state,
            reason=health.reason,
            attempts=counted.attempts,
            failed_attempts=counted.failed_attempts,
            losses=counted.losses,
            heartbeats=counted.heartbeats,
            answers=counted.answers,
            send_failures=counted.send_failures,
            receive_failures=counted.receive_failures,
            malformed=counted.malformed,
            invitations=len(self.invitations),
        )

    def left(self) -> Resources:
        """What is held beyond what was held before the start, once that no longer shrinks."""
        until_nothing_left = time.monotonic() + 5.0
        while (left := Resources.held() - self.before) != Resources(0, 0, 0) and time.monotonic() < until_nothing_left:
            time.sleep(0.005)
        return left

    def told(self) -> list[str]:
        """The transitions that the handler was told, each as "source → dest: detail"."""
        return [f"{one.source} → {one.dest}: {one.detail}" for one in self.transitions]

    def threads(self) -> list[str]:
        """The names of this process's Python threads."""
        return sorted(thread.name for thread in threading.enumerate())
