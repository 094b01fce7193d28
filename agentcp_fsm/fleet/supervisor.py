"""A fleet that several processes share: each has a shard, and is started again when it ends.

An agent is suspected when a process ends that was at it: reading its files, or calling its handler.  A suspect is
started apart from others; if the process ends with it again and again, the agent is quarantined, and the others go on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from agentcp_fsm.fleet.configured import Configured
from agentcp_fsm.fleet.reports import Absent, Progress
from agentcp_fsm.fleet.sharding import shard_of
from agentcp_fsm.support import threads
from agentcp_fsm.support.names import folded

TRIES = 3
"""How often a process may end at an agent, before that is quarantined."""
SHORT_LIFE = 30.0
"""Seconds: a process that ends sooner is started again after a wait, which doubles each time."""
WAIT_FIRST, WAIT_MAX = 1.0, 30.0
"""Seconds of that wait, at first and at most."""
ANSWER_WITHIN = 5.0
"""Seconds that a process may take to say how its agents are."""
STOP_MARGIN = 10.0
"""Seconds beyond the stop's own bound after which a process that does not end is killed."""

Say = Callable[[str, Mapping[str, Any]], None]
"""Takes the kind of a report and its content: of ``refused``, ``error``, ``changed``, ``gave_up``, ``worker``,
``quarantined``."""


class Remote:
    """An agent of another process, where agents are shown; and how it is."""

    loop = None

    def __init__(self, content: dict[str, object]) -> None:
        self._content = content
        self.agent_id = str(content.get("agent_id", ""))

    def health(self) -> Remote:
        """See `agentcp_fsm.operations.shown.Report`."""
        return self

    @property
    def reachable(self) -> bool:
        """Whether invitations can be expected to arrive."""
        return bool(self._content.get("reachable"))

    @property
    def state(self) -> str:
        """The state of its connection."""
        return str(self._content.get("state", ""))

    def to_dict(self) -> dict[str, object]:
        """All that `Health.to_dict` has."""
        return self._content


@dataclass(slots=True, eq=False)
class _Shard:
    """One process, over all its lives."""

    number: int
    process: subprocess.Popen[str] | None = None
    progress: Progress = field(default_factory=Progress)
    at: set[str] = field(default_factory=set)
    """The agents that it is at, folded."""
    suspects: set[str] = field(default_factory=set)
    begun: float = 0.0
    short_lives: int = 0
    agents: dict[int, list[dict[str, object]]] = field(default_factory=dict)
    """Answers to questions, by number."""


class Supervisor:
    """Runs the members of a file in ``processes`` processes; usable from any thread."""

    def __init__(self, file: Path, flags: Mapping[str, object], configured: Configured, say: Say) -> None:
        self._file = file
        self._flags = {
            name: value if isinstance(value, bool | int | float) else str(value) for name, value in flags.items()
        }
        self._configured = configured
        self._say = say
        self._changed = threading.Condition()
        self._shards = [_Shard(number) for number in range(configured.settings.fleet.processes)]
        self._strikes: dict[str, int] = {}
        self._stopping = threading.Event()
        self._questions = count()

    # What there is ----------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Remote | Absent]:
        """All agents, as their processes say now; what a process does not say in time is not known."""
        number = next(self._questions)
        with self._changed:
            asked = [shard for shard in self._shards if self._send(shard, {"do": "status", "asked": number})]
            self._changed.wait_for(lambda: all(number in shard.agents for shard in asked), ANSWER_WITHIN)
            found = [content for shard in asked for content in shard.agents.get(number, ())]
            for shard in self._shards:  # what came too late for an earlier question is forgotten
                shard.agents = {asked: agents for asked, agents in shard.agents.items() if asked > number}
        known = {folded(str(content.get("agent_id"))) for content in found}
        yield from map(Remote, found)
        quarantined = self._quarantined()
        for member in self._configured.members:
            if (key := folded(member.agent_id)) not in known:
                why = f"It is quarantined: its process ended {TRIES} times at it." if key in quarantined else ""
                yield Absent(member.agent_id, why or "Its process does not run, or does not answer.", why or None)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that run now."""
        return tuple(shard.process.pid for shard in self._shards if shard.process is not None)

    def progress(self) -> Progress:
        """How many agents are where."""
        total = sum((shard.progress for shard in self._shards), Progress())
        quarantined = len(self._quarantined())
        return total + Progress(members=quarantined, quarantined=quarantined)

    # Starting, changing, stopping -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all processes; raises OSError if one cannot be started."""
        for shard in self._shards:
            self._begin(shard)

    def change(self, configured: Configured) -> None:
        """Have all processes read the file again; agents in quarantine are tried once more."""
        self._configured = configured
        with self._changed:
            self._strikes.clear()
            for shard in self._shards:
                self._send(shard, {"do": "apply", "without": []})

    def stop(self, timeout: float) -> bool:
        """Have all processes sign their agents out and end, in bounded time; True if all did well."""
        self._stopping.set()
        deadline = time.monotonic() + timeout + STOP_MARGIN
        with self._changed:
            running = [shard.process for shard in self._shards if shard.process is not None]
            for shard in self._shards:
                self._send(shard, {"do": "stop"})
        well = True
        for process in running:
            try:
                well = process.wait(max(deadline - time.monotonic(), 0.0)) == 0 and well
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                well = False
        with self._changed:
            self._changed.wait_for(lambda: all(shard.process is None for shard in self._shards), STOP_MARGIN)
        return well

    # One process ------------------------------------------------------------------------------------------------------

    def _begin(self, shard: _Shard) -> None:
        with self._changed:
            if self._stopping.is_set():
                return
            shard.process = subprocess.Popen(
                [sys.executable, "-m", "agentcp_fsm.fleet.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is this process's alone
            )
            shard.begun = time.monotonic()
            begin = {"file": str(self._file), "flags": self._flags, "shard": shard.number, "shards": len(self._shards)}
            quarantined = sorted(self._quarantined())
            self._send(shard, begin | {"suspects": sorted(shard.suspects), "without": quarantined})
            threads.start(threads.daemon("agentcp-worker", self._listen, shard, shard.process))

    def _send(self, shard: _Shard, command: Mapping[str, object]) -> bool:
        if shard.process is None or shard.process.stdin is None:
            return False
        try:
            shard.process.stdin.write(json.dumps(command) + "\n")
            shard.process.stdin.flush()
        except OSError:  # it has ended, as its listener will see
            return False
        return True

    def _listen(self, shard: _Shard, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                report = json.loads(line)
            except ValueError:  # its last one, torn
                continue
            self._take(shard, report.pop("kind"), report)
        status = process.wait()
        process.stdout.close()
        self._ended(shard, status)

    def _take(self, shard: _Shard, kind: str, content: dict[str, Any]) -> None:
        match kind:
            case "at":
                shard.at.add(folded(content["agent_id"]))
            case "done":
                shard.at.discard(folded(content["agent_id"]))
            case "progress":
                shard.progress = Progress(**content)
            case "status":
                with self._changed:
                    shard.agents[content["asked"]] = content["agents"]
                    self._changed.notify_all()
            case _:
                self._say(kind, content)

    def _ended(self, shard: _Shard, status: int) -> None:
        with self._changed:
            process, shard.process = shard.process, None
            if process is not None and process.stdin is not None:
                with suppress(OSError):  # what was not read is lost with it
                    process.stdin.close()
            at, shard.at = shard.at, set()
            shard.progress = Progress()
            self._changed.notify_all()
        if self._stopping.is_set():
            return
        self._suspect(shard, at)
        shard.short_lives = shard.short_lives + 1 if time.monotonic() - shard.begun < SHORT_LIFE else 0
        wait = min(WAIT_FIRST * 2 ** (shard.short_lives - 1), WAIT_MAX) if shard.short_lives else 0.0
        members = sum(shard_of(each.agent_id, len(self._shards)) == shard.number for each in self._configured.members)
        self._say("worker", {"shard": shard.number, "status": status, "agents": members, "wait": wait})
        if not self._stopping.wait(wait):
            self._begin(shard)

    def _suspect(self, shard: _Shard, at: set[str]) -> None:
        """Count against the agents that the process was at: only earlier suspects, if there are some among them."""
        for key in at & shard.suspects or at:
            self._strikes[key] = self._strikes.get(key, 0) + 1
            shard.suspects.add(key)
            if self._strikes[key] == TRIES:
                self._say("quarantined", {"agent_id": key, "tries": TRIES})

    def _quarantined(self) -> set[str]:
        return {key for key, strikes in list(self._strikes.items()) if strikes >= TRIES}
