"""``agentcp-fsm fleet run``."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from agentcp_fsm.cli import streams
from agentcp_fsm.cli.connect import GAVE_UP, INTERRUPTED, metrics_of
from agentcp_fsm.cli.output import Output
from agentcp_fsm.errors import AgentCPError, ConfigError
from agentcp_fsm.fleet import Progress
from agentcp_fsm.fleet.configured import Configured, read_fleet
from agentcp_fsm.fleet.descriptors import check_descriptors
from agentcp_fsm.fleet.running import fleet_of
from agentcp_fsm.fleet.supervisor import Supervisor
from agentcp_fsm.operations.logs import LogFormat
from agentcp_fsm.operations.options import LogLevel
from agentcp_fsm.operations.service import Service
from agentcp_fsm.operations.settings_file import BadEntry
from agentcp_fsm.operations.status import Metrics
from agentcp_fsm.operations.status_thread import StatusThread
from agentcp_fsm.support import ending

LOOK = 0.2
"""Seconds between two looks at the signals and the watchdog."""
SHOW = 1.0
"""Seconds between two looks at the progress: it is shown when it has changed."""
RELOAD = getattr(signal, "SIGHUP", None)
ASKED = getattr(signal, "SIGUSR1", None)
"""The signal that asks how the agents are, where there is one."""


class Here:
    """A fleet in this process."""

    def __init__(self, configured: Configured, output: Output, gave_up: Callable[[], None]) -> None:
        self._metrics = metrics_of(configured.settings.command)
        self._output = output
        self.shown = fleet_of(
            configured,
            configured.members,
            refused=partial(say_refused, output),
            failed=partial(say_error, output),
            gave_up=gave_up,
            metrics=self._metrics,
        )
        self.served = self.shown
        self.stop, self.progress = self.shown.stop, self.shown.progress

    @property
    def exposition(self) -> Metrics | None:
        """The body of ``/metrics``."""
        return None if self._metrics is None else self._metrics.exposition

    def start(self) -> None:
        """Begin to start the agents."""
        check_descriptors(len(self.shown), widen=True)
        self.shown.start()

    def change(self, configured: Configured) -> None:
        """Run what the file says now; agents whose entries cannot be stay as they are."""
        check_descriptors(len(configured.members) + len(configured.bad), widen=True)
        kept = [each.agent_id for each in configured.bad]
        say_changed(self._output, asdict(self.shown.apply(configured.members, keep=kept)))


class Shared:
    """A fleet that several processes share."""

    exposition = None
    served = ()
    """The agents whose loops a watchdog asks for: none is in this process."""

    def __init__(
        self,
        file: Path,
        flags: Mapping[str, object],
        configured: Configured,
        output: Output,
        gave_up: Callable[[], None],
    ) -> None:
        command = configured.settings.command
        if command.metrics or command.metrics_by_agent:
            raise ConfigError("metrics are those of one process: leave them out, or give --processes 1")
        self._output = output
        self._gave_up = gave_up
        self.shown = Supervisor(file, flags, configured, self._say)
        self.start, self.stop = self.shown.start, self.shown.stop
        self.change, self.progress = self.shown.change, self.shown.progress

    def _say(self, kind: str, content: Mapping[str, Any]) -> None:
        match kind:
            case "refused":
                say_refused(self._output, content["agent_id"], content["reason"])
            case "error":
                say_error(self._output, content["agent_id"], content["reason"])
            case "changed":
                say_changed(self._output, content)
            case "gave_up":
                self._gave_up()
            case "worker":
                says = (
                    "process {shard} of {agents} agents ended with status {status}; it is started again in {wait:g} s"
                )
                self._output.say("worker", ("error", "bold red"), f" {says.format(**content)}", **content)
            case "quarantined":
                says = "its process ended {tries} times at it: it runs no more until the file is read again (SIGHUP)"
                agent_id = content["agent_id"]
                self._output.say(
                    "quarantined", ("quarantined", "bold red"), f" {agent_id}  {says.format(**content)}", **content
                )


def run(file: Path, flags: Mapping[str, object], log: Callable[[LogLevel, LogFormat], None]) -> int:
    """Run the fleet of a file until a signal, and return the exit status; raises for settings that cannot work.

    ``log`` is called with the level and the form of the log, before anything is logged.
    """
    configured = read_fleet(file, flags)
    handlers = configured.handlers
    command, fleet = configured.settings.command, configured.settings.fleet
    log(command.log_level or LogLevel.ERROR, command.log_format)
    logging.getLogger("agentcp_fsm.connection.attachment").setLevel(logging.CRITICAL)  # errors are shown
    logging.getLogger("agentcp_fsm.fleet.asynchronous").setLevel(logging.CRITICAL)
    leave, interrupted, reload, asked, given_up = (threading.Event() for _ in range(5))
    output = Output(command.json, on_lost=leave.set)

    def gave_up() -> None:
        if not leave.is_set():
            given_up.set()
            leave.set()

    with ExitStack() as stack:
        stack.callback(handlers.close)
        here = (
            Here(configured, output, gave_up)
            if fleet.processes == 1
            else Shared(file, flags, configured, output, gave_up)
        )
        if command.status is not None:
            place = StatusThread(
                command.status,
                here.shown,
                metrics=here.exposition,
                insecure_allow_any_address=command.insecure_allow_any_status_address,
            )
            stack.enter_context(place)
        _show_bad(output, configured.bad)
        _handle_signals(leave, interrupted, reload, asked)
        service = stack.enter_context(Service(here.served))
        here.start()
        service.ready()
        shown = _Shown(output, service)
        while not leave.wait(LOOK):
            service.tick()
            shown.look(here.progress())
            if asked.is_set():
                asked.clear()
                shown.show(here.progress())
            if reload.is_set():
                reload.clear()
                _reload(here, output, lambda: read_fleet(file, flags, handlers))
            if streams.reader_is_gone():
                break
        leave.set()
        service.stopping()
        if not command.json:
            output.say("leaving", "signing out; Ctrl-C again leaves at once")
        well: list[bool] = []
        stopping = threading.Thread(target=lambda: well.append(here.stop(fleet.stop_timeout)), daemon=True)
        stopping.start()
        while stopping.is_alive():
            if interrupted.is_set():
                return INTERRUPTED
            service.tick()
            interrupted.wait(0.05)
        shown.end(here.progress())
    output.check()
    if given_up.is_set():
        return GAVE_UP
    return 0 if well == [True] else 1


def say_refused(output: Output, agent_id: str, why: str) -> None:
    """Say that an agent cannot be started."""
    output.say("refused", ("refused", "bold red"), f" {agent_id}  {why}", agent_id=agent_id, reason=why)


def say_error(output: Output, agent_id: str, reason: str) -> None:
    """Say what needs a person; the id is empty if it concerns all agents."""
    output.say(
        "error",
        (agent_id, "bold"),
        "  " * bool(agent_id),
        ("error", "bold red"),
        f" {reason}",
        agent_id=agent_id,
        reason=reason,
    )


def say_changed(output: Output, changes: Mapping[str, Sequence[str]]) -> None:
    """Say what the changed file came to."""
    line = ", ".join(f"{kind} {len(agents)}" for kind, agents in changes.items())
    output.say("changed", ("file read again", "bold"), f": {line}", **changes)


class _Shown:
    """Shows the progress when it has changed, once a second at most."""

    def __init__(self, output: Output, service: Service) -> None:
        self._output = output
        self._service = service
        self._last = Progress()
        self._looks = 0

    def look(self, progress: Progress) -> None:
        """Show the progress, if it is time."""
        self._looks += 1
        if self._looks % round(SHOW / LOOK) == 1:
            self.end(progress)

    def end(self, progress: Progress) -> None:
        """Show the progress, if it has changed."""
        known = asdict(progress) | {"held": progress.held > 0}
        if known != asdict(self._last) | {"held": self._last.held > 0}:
            self._last = progress
            self._service.status(described(progress))
            self.show(progress)

    def show(self, progress: Progress) -> None:
        """Show the progress, changed or not."""
        self._output.say("progress", described(progress), **asdict(progress))


def described(progress: Progress) -> str:
    """The progress in one line."""
    parts = [f"{progress.reachable:,} of {progress.members:,} agents are reachable"]
    for name, says in (
        ("starting", "coming online"),
        ("waiting", "wait to be started"),
        ("lost", "lost"),
        ("refused", "refused"),
        ("quarantined", "quarantined"),
    ):
        if count := getattr(progress, name):
            parts.append(f"{count:,} {says}")
    if progress.held > 0:
        parts.append(f"no further start for {progress.held:.0f} s, because a server asks for it or does not answer")
    return ", ".join(parts)


def _reload(here: Here | Shared, output: Output, read: Callable[[], Configured]) -> None:
    """Run what the file says now; a file that cannot be read as a whole changes nothing."""
    try:
        configured = read()
        _show_bad(output, configured.bad)
        here.change(configured)
    except (AgentCPError, OSError) as error:
        say_error(output, "", f"the changed file is not used: {error}")


def _show_bad(output: Output, bad: Iterable[BadEntry]) -> None:
    for entry in bad:
        say_refused(output, entry.agent_id, str(entry.error))


def _handle_signals(
    leave: threading.Event, interrupted: threading.Event, reload: threading.Event, asked: threading.Event
) -> None:
    def on_signal(number: int, frame: FrameType | None) -> None:
        (interrupted if leave.is_set() else leave).set()

    for number in ending.SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)
    if RELOAD is not None:
        signal.signal(RELOAD, lambda number, frame: reload.set())
    if ASKED is not None:
        signal.signal(ASKED, lambda number, frame: asked.set())
