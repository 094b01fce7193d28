"""The clients that `tests.faults.side_by_side` compares, each used as its own code uses it.

A `Candidate` is the subject of a process of its own (`tests.faults.process`).  All have their default timings, because
those of the SDK cannot be configured.
"""

import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from tests.faults.application import ALICE, NOTHING, Resources

SETTLING = 5.0
"""Seconds after stop in which what is held may still shrink."""


class Candidate(ABC):
    """A client of the heartbeat server, and how its process is measured."""

    name: str

    def __init__(self, url: str, folder: Path) -> None:
        os.dup2(2, 1)  # the SDK prints
        self.url = url
        self.folder = folder
        self.handling = 0.0
        """Seconds that the handler of invitations blocks."""
        self.returned = False
        self.prepare()
        self.before = Resources.held()

    @abstractmethod
    def prepare(self) -> None:
        """Do what a process does once, and keeps."""

    @abstractmethod
    def go_online(self) -> None:
        """Become reachable."""

    @abstractmethod
    def go_offline(self) -> None:
        """Leave."""

    # What the bench calls: by these names, for a function is sent to a process by its name.

    def start(self) -> None:
        """Become reachable."""
        self.go_online()

    def stop(self) -> None:
        """Leave."""
        self.go_offline()

    def block_handler(self, seconds: float) -> None:
        """Have the handler of invitations block from now on."""
        self.handling = seconds

    def handle(self, invitation: object) -> None:
        """Take an invitation, as an application does."""
        time.sleep(self.handling)
        self.returned = True

    def handled(self) -> bool:
        """Whether the handler has returned."""
        return self.returned

    def processor(self) -> float:
        """Seconds of processor time that the process has used so far."""
        return time.process_time()

    def left(self) -> Resources:
        """What is held beyond what was held before the start, once that has had time to shrink."""
        deadline = time.monotonic() + SETTLING
        while (left := Resources.held() - self.before) != NOTHING and time.monotonic() < deadline:
            time.sleep(0.01)
        return left


class Ours(Candidate):
    """`agentcp_fsm.Connection`."""

    name = "agentcp-fsm"

    def prepare(self) -> None:
        from agentcp_fsm import Connection, Credentials
        from agentcp_fsm.connection.hub import new_event_loop

        new_event_loop().close()  # the process's first uvloop opens a pipe that is kept for all later ones
        self.connection = Connection(ALICE, self.url, credentials=Credentials.load(self.folder, ALICE, PASSWORD))
        self.connection.on_invite(self.handle)

    def go_online(self) -> None:
        self.connection.start()

    def go_offline(self) -> None:
        self.connection.stop()


class SDK(Candidate):
    """The installed SDK's `HeartbeatClient`, as `agentcp.agentcp.AgentID` uses it: online, and offline."""

    name = "agentcp 0.1.99"

    def prepare(self) -> None:
        from agentcp.base.log import set_log_enabled
        from agentcp.heartbeat.heartbeat_client import HeartbeatClient

        set_log_enabled(False, logging.INFO)  # as `agentcp.AgentCP` does; without it, the SDK cannot even report
        self.client_class: Any = HeartbeatClient
        self.certificates = str(self.folder / ALICE / "private" / "certs")

    def go_online(self) -> None:
        self.client = self.client_class(ALICE, self.url, self.certificates, PASSWORD)
        self.client.initialize()
        threading.Thread(target=self.client.online).start()
        self.client.set_on_recv_invite(self.handle)

    def go_offline(self) -> None:
        self.client.offline()
        self.client.sign_out()


class Repaired(Candidate):
    """The SDK's client after its repair by hand (`tests.faults.repaired`)."""

    name = "agentcp, repaired"

    def prepare(self) -> None:
        from agentcp.base.log import set_log_enabled

        from tests.faults.repaired import RepairedClient

        os.nice(10)  # it spins: the others' figures are to be their own
        set_log_enabled(False, logging.INFO)
        self.client = RepairedClient(ALICE, self.url, str(self.folder / ALICE / "private" / "certs"), PASSWORD)
        self.client.handler = self.handle

    def go_online(self) -> None:
        threading.Thread(target=self.client.online, daemon=True).start()

    def go_offline(self) -> None:
        self.client.offline()


PASSWORD = "seed password"
"""Of the key of each; the SDK takes none without."""
CANDIDATES: tuple[type[Candidate], ...] = (Ours, SDK, Repaired)
