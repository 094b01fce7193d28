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
from urllib.parse import urlsplit

from agentcp_fsm import Config, Connection, Credentials, Invitation, ReportTransition, State
from agentcp_fsm.connection.hub import new_event_loop
from agentcp_fsm.sign_in.http import is_loopback
from tests.server_process import PATIENCE
from tests.waiting import pause, until

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


NOTHING = Resources(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Reading:
    """How an application is at one moment.  All clocks are those of `time.monotonic`, which processes share."""

    at: float
    processor: float
    """Seconds of processor time so far."""
    memory: int
    """Bytes of it that are in memory."""
    memory_peak: int
    """The most that ever were."""
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


def _memory_peak() -> int:
    """Of this program: what `resource` says would include the process that it was forked from."""
    status = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


class Record:
    """Keeps a record of a connection's life, in the loop: handlers may be in no state to be called."""

    def __init__(self, connection: Connection) -> None:
        self._listener = connection._attachment.driver.listener
        self.life: list[ReportTransition] = []
        connection._attachment.driver.listener = self

    def transitioned(self, transition: ReportTransition) -> None:
        self.life.append(transition)
        self._listener.transitioned(transition)

    def invited(self, invitation: Invitation) -> None:
        self._listener.invited(invitation)

    def failed(self, reason: str) -> None:
        self._listener.failed(reason)


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
        self.record = Record(self.connection)
        self.connection.on_transition(self._note)
        self.connection.on_error(self.errors.append)
        self.connection.on_invite(self.invitations.append)
        new_event_loop().close()  # the process's first uvloop opens a pipe that is kept for all later ones
        self.before = Resources.held()
        """What the process holds while no connection is started."""

    def connect(self) -> Connection:
        """A connection, not started, without handlers."""
        return Connection(
            self.agent_id,
            self.url,
            credentials=self.credentials,
            config=self.config,
            allow_insecure_http=not is_loopback(urlsplit(self.url).hostname),
        )

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
            pause()  # while ONLINE nothing but an answer changes, and that tells nobody

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
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while not condition():
                assert time.monotonic() < deadline, self.connection.health()
                self.changed.wait(0.1)  # handlers may be in no state to tell

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
            memory_peak=_memory_peak(),
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

    def life(self) -> list[ReportTransition]:
        """All transitions so far."""
        return list(self.record.life)

    def entered_after(self, at: float, state: State) -> float:
        """Wait until `state` is entered after `at`; returns when that was."""

        def found() -> float | None:
            return next((one.at for one in self.transitions if one.at > at and one.dest == state), None)

        self._until_transition(lambda: found() is not None)
        entered = found()
        assert entered is not None
        return entered

    def left(self, expected: Resources = NOTHING) -> Resources:
        """What is held beyond what was held before the start, once it is what is expected, or after 5 s."""
        deadline = time.monotonic() + 5.0
        while (left := Resources.held() - self.before) != expected and time.monotonic() < deadline:
            pause()
        return left

    def working_threads(self) -> list[int]:
        """The system's numbers of the threads that a recovery depends on, which take turns: the loop and the pool's."""
        names = ("agentcp-loop", "agentcp-http")
        return [thread.native_id for thread in threading.enumerate() if thread.name in names and thread.native_id]
