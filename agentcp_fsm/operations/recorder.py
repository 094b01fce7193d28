"""Writes a trace around each loss of a connection into a folder, bounded in size and in age.

    LossTraces(folder).watch(connection)

A trace is written when the connection is lost.  When it is ONLINE again, or stopped, one of the whole outage takes its
place; of an outage with more steps than are remembered, both are kept.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from weakref import WeakKeyDictionary

from agentcp_fsm.connection import AsyncConnection, Connection
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.support import clock
from agentcp_fsm.support.files import make_private_folder
from agentcp_fsm.support.log import logger_of
from agentcp_fsm.traces import Recorder, read_trace, write_trace

logger = logger_of(__name__)

SUFFIX = ".trace"
SIZE_MAX = 64 * 1024 * 1024
"""Bytes that the traces of a folder take together; the oldest are removed."""
AGE_MAX = 30 * 86_400.0
"""Seconds for which a trace is kept."""


class LossTraces:
    """The traces of one folder, which is made if it is not there; several programs may share it.

    Raises OSError if the folder cannot be made.
    """

    def __init__(self, folder: Path, *, size_max: int = SIZE_MAX, age_max: float = AGE_MAX) -> None:
        make_private_folder(folder)
        self.folder = folder
        self._size_max = size_max
        self._age_max = age_max
        self._lock = Lock()
        self._recorders = WeakKeyDictionary[Connection | AsyncConnection, Recorder]()  # a fleet lets go of connections

    def watch(self, connection: Connection | AsyncConnection) -> None:
        """Record the connection from now on, and write a trace around each loss."""
        recorder = self._recorders[connection] = Recorder(connection.agent_id)
        connection.observe(recorder)
        connection.on_transition(_writer(self, recorder))

    def dump(self) -> list[Path]:
        """Write what is remembered of every connection now, and return the files.  Raises OSError."""
        return [self.write(each, "asked") for each in list(self._recorders.values()) if each.has_machine]

    def write(self, recorder: Recorder, why: str, at: datetime | None = None) -> Path:
        """Write what a recorder remembers, and return the file; raises OSError."""
        moment = f"{at or datetime.now(UTC):%Y%m%dT%H%M%S.%f}Z"
        name = re.sub(r"[^\w.-]", "_", recorder.agent_id)[:100]
        file = self.folder / f"{name}-{moment}-{why}{SUFFIX}"
        write_trace(file, recorder.trace(time.time() - clock.now()))
        self._tidy(file)
        return file

    def _tidy(self, newest: Path) -> None:
        """Remove the oldest traces, until those that are left are young and small enough; never the newest."""
        with self._lock:
            found = []
            for file in self.folder.glob(f"*{SUFFIX}"):
                with suppress(FileNotFoundError):  # another program has removed it
                    status = file.stat()
                    found.append((status.st_mtime, status.st_size, file))
            kept = 0
            for modified, size, file in sorted(found, reverse=True, key=lambda each: (each[2] == newest, each[0])):
                kept += size
                if file != newest and (kept > self._size_max or time.time() - modified > self._age_max):
                    file.unlink(missing_ok=True)


def _writer(traces: LossTraces, recorder: Recorder) -> Callable[[ReportTransition], None]:
    """The handler of one connection's transitions; handlers run in order, away from the heartbeats."""
    lost_at: datetime | None = None
    written: Path | None = None

    def write(transition: ReportTransition) -> None:
        nonlocal lost_at, written
        over = lost_at is not None and transition.dest in (State.ONLINE, State.OFFLINE)
        if not (transition.lost or over):
            return
        if transition.lost:
            lost_at, written = datetime.now(UTC), None
        try:
            if transition.lost:
                written = traces.write(recorder, "lost", lost_at)
            else:
                whole = traces.write(recorder, "outage", lost_at)
                if written is not None and _has_a_loss(whole):  # else the outage was too long, and both are needed
                    written.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("%s: the trace of a loss cannot be written: %s", recorder.agent_id, error)
        if over and not transition.lost:
            lost_at = written = None

    return write


def _has_a_loss(file: Path) -> bool:
    steps = read_trace(file).steps
    return any(isinstance(effect, ReportTransition) and effect.lost for step in steps for effect in step.effects)
