"""One process of a fleet that several share: ``python -m agentcp_fsm.fleet.worker``, started by `Supervisor`.

It reads commands from its standard input and writes reports to its standard output, one JSON object a line.  It reads
the agents' files itself: no secret goes through the pipes.  When its input ends, it signs its agents out and ends.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agentcp_fsm.connection import AsyncConnection
from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.fleet.configured import Configured, read_fleet
from agentcp_fsm.fleet.descriptors import check_descriptors
from agentcp_fsm.fleet.member import Handle, Member
from agentcp_fsm.fleet.reports import Progress
from agentcp_fsm.fleet.running import fleet_of
from agentcp_fsm.fleet.sharding import shard_of
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.operations.logs import Folding, formatter
from agentcp_fsm.operations.options import LogLevel
from agentcp_fsm.operations.status import status_of
from agentcp_fsm.support import threads
from agentcp_fsm.support.names import folded

LOOK = 0.5
"""Seconds between two looks at the progress."""
Command = Mapping[str, Any]
"""``do`` and what it needs."""


class Reports:
    """Writes reports, each at once: what was reported before a crash arrives."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def __call__(self, kind: str, **content: object) -> None:
        """Report."""
        data = (json.dumps({"kind": kind, **content}) + "\n").encode()
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]


class Worker:
    """A shard of a fleet."""

    def __init__(self, begin: Command, report: Reports) -> None:
        self._file = Path(begin["file"])
        self._flags: dict[str, object] = begin["flags"]
        self._shard, self._shards = int(begin["shard"]), int(begin["shards"])
        self._suspects = {folded(agent_id) for agent_id in begin["suspects"]}
        self._alone = threading.Lock()
        self._handled: dict[tuple[str, Handle], Handle] = {}
        """The marked handlers: the same for the same, so that they count as unchanged."""
        self._report = report
        self._configured = read_fleet(self._file, self._flags)
        self._log()
        self._fleet = fleet_of(
            self._configured,
            self._members(self._configured, begin["without"]),
            refused=lambda agent_id, reason: report("refused", agent_id=agent_id, reason=reason),
            failed=lambda agent_id, reason: report("error", agent_id=agent_id, reason=reason),
            gave_up=lambda: report("gave_up"),
        )

    def run(self, commands: queue.SimpleQueue[Command | None]) -> int:
        """Run the agents until a command to stop, or until there are no more; returns the exit status."""
        check_descriptors(len(self._fleet), widen=True)
        self._fleet.start()
        shown: Progress | None = None
        while True:
            if (progress := self._fleet.progress()) != shown:
                shown = progress
                self._report("progress", **asdict(progress))
            try:
                command = commands.get(timeout=LOOK)
            except queue.Empty:
                continue
            if command is None or command["do"] == "stop":
                break
            if command["do"] == "apply":
                self._apply(command)
            elif command["do"] == "status":
                self._report("status", asked=command["asked"], agents=status_of(self._fleet)["agents"])
        well = self._fleet.stop(self._configured.settings.fleet.stop_timeout)
        self._configured.handlers.close()
        self._report("progress", **asdict(self._fleet.progress()))
        return 0 if well else 1

    def _apply(self, command: Command) -> None:
        try:
            configured = read_fleet(self._file, self._flags, self._configured.handlers)
            check_descriptors(len(configured.members) // self._shards, widen=True)
            members = self._members(configured, command["without"])
            changes = self._fleet.apply(members, keep=[entry.agent_id for entry in configured.bad])
        except AgentCPError as error:
            self._report("error", agent_id="", reason=f"the changed file is not used: {error}")
            return
        self._configured = configured
        self._report("changed", **asdict(changes))

    def _members(self, configured: Configured, without: list[str]) -> list[Member]:
        """The members of this shard, each of which is marked while this process is at it."""
        left_out = set(map(folded, without))
        own = [each for each in configured.members if shard_of(each.agent_id, self._shards) == self._shard]
        return [self._marked(member) for member in own if folded(member.agent_id) not in left_out]

    def _marked(self, member: Member) -> Member:
        """The same member; this process reports when it is at it: should it end then, that is why, perhaps."""
        is_suspect = folded(member.agent_id) in self._suspects
        make, handle = member.make, member.handle

        def made() -> AsyncConnection:
            if not is_suspect:
                with self._at(member):
                    return make()
            with self._alone, self._at(member):  # one after the other, so that no other one is suspected with it
                return make()

        def handled(agent_id: str, invitation: Invitation) -> Any:
            with self._at(member):
                return None if handle is None else handle(agent_id, invitation)

        known = None if handle is None else self._handled.setdefault((member.agent_id, handle), handled)
        return replace(member, make=made, handle=known)

    @contextmanager
    def _at(self, member: Member) -> Iterator[None]:
        self._report("at", agent_id=member.agent_id)
        try:
            yield
        finally:
            self._report("done", agent_id=member.agent_id)

    def _log(self) -> None:
        command = self._configured.settings.command
        handler = logging.StreamHandler()
        handler.setFormatter(formatter(command.log_format))
        handler.addFilter(Folding())
        logging.basicConfig(level=(command.log_level or LogLevel.ERROR).upper(), handlers=[handler])
        logging.getLogger("agentcp_fsm.connection.attachment").setLevel(logging.CRITICAL)  # errors are reported
        logging.getLogger("agentcp_fsm.fleet.asynchronous").setLevel(logging.CRITICAL)


def main() -> None:
    """Be a worker."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # which the terminal or the service manager sends to all processes
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)
    report = Reports(os.dup(1))
    os.dup2(2, 1)  # whatever a handler prints is no report
    begin = json.loads(sys.stdin.readline())
    commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            commands.put(json.loads(line))
        commands.put(None)

    threads.start(threads.daemon("agentcp-commands", read))
    try:
        status = Worker(begin, report).run(commands)
    except AgentCPError as error:
        report("error", agent_id="", reason=str(error))
        status = 2
    sys.exit(status)


if __name__ == "__main__":
    main()
