"""``agentcp-fsm demo``: a server and an agent in one process, and everything that goes wrong between them."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from agentcp_fsm.auth.identity import make_identity
from agentcp_fsm.chart import State
from agentcp_fsm.cli.output import Output, markup, state_text, transition_text
from agentcp_fsm.config import Config
from agentcp_fsm.effects import ReportTransition
from agentcp_fsm.runtime import Connection
from agentcp_fsm.server import ServerThread, SignInFault

AGENT_ID = "alice.agentid.pub"
SHOWN_TRANSITIONS = 12
"""Lines of history on a terminal."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the demo goes: its timings, in seconds, and how many steady heartbeats it waits for."""

    config: Config
    next_beat: float
    steady: int
    patience: float
    """How long any one thing may take before the demo gives up on it."""


FIELD = Pace(Config(), next_beat=5.0, steady=2, patience=90.0)
"""The timings of the field: the specification's defaults."""
FAST = Pace(
    Config(
        interval_min=0.2,
        probe_interval=0.1,
        sign_in_interval_min=0.3,
        backoff_initial=0.1,
        backoff_max=1.0,
        unauthorized_spread=0.1,
        send_retry_initial=0.1,
    ),
    next_beat=0.2,
    steady=5,
    patience=10.0,
)


@dataclass(slots=True)
class Scene:
    """One thing that goes wrong, and what came of it; durations in seconds."""

    title: str
    noticed: float | None = None
    """From the fault to leaving ONLINE."""
    recovered: float | None = None
    """From the fault's end to ONLINE."""
    sign_ins: int = 0
    reason: str = ""


class DemoFailedError(Exception):
    """Something did not happen in time."""


@dataclass(slots=True)
class Stage:
    """The agent and its server, and what was seen of them."""

    connection: Connection
    server: ServerThread
    pace: Pace
    output: Output
    live: Live | None
    title: str = ""
    scenes: list[Scene] = field(default_factory=list)
    transitions: deque[ReportTransition] = field(default_factory=lambda: deque(maxlen=SHOWN_TRANSITIONS))
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def see(self, transition: ReportTransition) -> None:
        """A handler of the connection's transitions."""
        with self._changed:
            self.transitions.append(transition)
            self._changed.notify_all()
        if self.live is None:
            self.output.say(
                "transition",
                transition_text(transition.source, transition.dest, transition.reason, transition.detail),
                source=transition.source,
                dest=transition.dest,
                trigger=transition.trigger,
                reason=transition.reason,
                detail=transition.detail,
            )

    def begin(self, title: str) -> None:
        """A new scene."""
        self.title = title
        if self.live is None:
            self.output.say("scene", f"[bold]— {escape(title)}[/bold]", title=title)

    def until(self, what: str, condition: Callable[[], bool]) -> float:
        """Wait until `condition` holds, and return how long that took; raises DemoFailedError if it does not."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > self.pace.patience:
                raise DemoFailedError(f"{self.title}: {what} did not happen within {self.pace.patience:g} s")
            with self._changed:
                self._changed.wait(0.01)  # transitions wake it; counters are looked at
        return time.monotonic() - began

    @property
    def losses(self) -> int:
        """How often the connection was lost so far."""
        return self.connection.health().statistics.losses

    @contextmanager
    def fault(self, title: str, mend: Callable[[], None] = lambda: None) -> Iterator[Scene]:
        """A scene: its body brings the fault about and waits for what it wants to see; `mend` ends the fault."""
        scene = Scene(title)
        self.scenes.append(scene)
        self.begin(title)
        sign_ins, losses = self.connection.health().statistics.attempts, self.losses
        began = time.monotonic()
        noticing = threading.Event()

        def left(transition: ReportTransition) -> None:
            if transition.source == State.ONLINE and scene.noticed is None and not noticing.is_set():
                scene.noticed = transition.at - began
                noticing.set()

        self.connection.on_transition(left)
        try:
            yield scene
            self.until("the loss", lambda: self.losses > losses)
            last_loss = self.connection.health().statistics.last_loss
            scene.reason = "" if last_loss is None else last_loss.reason
            mend()
            mended = time.monotonic()
            self.until("the recovery", lambda: self.connection.state is State.ONLINE)
            scene.recovered = time.monotonic() - mended
        finally:
            noticing.set()
            scene.sign_ins = self.connection.health().statistics.attempts - sign_ins
        if self.live is None:
            self.output.say(
                "recovered",
                f"[green]recovered[/green] in {scene.recovered:.2f} s",
                title=title,
                noticed=scene.noticed,
                recovered=scene.recovered,
                sign_ins=scene.sign_ins,
            )
        self.beat()

    def beat(self) -> None:
        """Wait for a few answered heartbeats."""
        answers = self.connection.health().statistics.answers
        self.until("steady heartbeats", lambda: self.connection.health().statistics.answers >= answers + 2)

    def __rich__(self) -> Group:
        health = self.connection.health()
        counted = health.statistics
        head = Table.grid(padding=(0, 3))
        head.add_row(
            markup(f"[bold]{AGENT_ID}[/bold]"),
            markup(state_text(health.state)),
            f"heartbeats {counted.heartbeats}",
            f"answers {counted.answers}",
            f"sign-ins {counted.attempts}",
            f"losses {counted.losses}",
            "" if health.next_action is None else f"next in {health.next_action:.1f} s",
        )
        history = Table(box=None, show_header=False, pad_edge=False)
        history.add_column("at", style="dim", justify="right")
        history.add_column("what", overflow="fold")
        now = time.monotonic()
        for seen in tuple(self.transitions):
            history.add_row(
                f"{now - seen.at:.1f} s ago",
                markup(transition_text(seen.source, seen.dest, seen.reason, seen.detail)),
            )
        return Group(head, Text(), Text(self.title, style="bold"), Text(), history)


def run_demo(fast: bool, json_lines: bool) -> int:
    """Walk through the faults; returns the exit status: 0 if every recovery happened."""
    pace = FAST if fast else FIELD
    output = Output(json_lines)
    with tempfile.TemporaryDirectory() as folder:
        credentials = make_identity(folder, AGENT_ID)
        with ServerThread(next_beat=pace.next_beat, credentials=credentials) as server:
            connection = Connection(AGENT_ID, server.url, credentials=credentials, config=pace.config)
            stage = Stage(connection, server, pace, output, None)
            if output.console.is_terminal and not json_lines:
                stage.live = Live(stage, console=output.console, refresh_per_second=10, transient=True)
            connection.on_transition(stage.see)
            failure = ""
            try:
                if stage.live is not None:
                    stage.live.start()
                _play(stage)
            except DemoFailedError as error:
                failure = str(error)
            finally:
                if stage.live is not None:
                    stage.live.stop()
                stopped = connection.stop()
    _summarize(stage, output)
    if not stopped:
        failure = failure or "the connection did not stop in time"
    if failure:
        output.say("failed", f"[bold red]{escape(failure)}[/bold red]", reason=failure)
        return 1
    output.say("passed", f"[bold green]all {len(stage.scenes)} recoveries happened[/bold green]")
    return 0


def _play(stage: Stage) -> None:
    server, connection = stage.server, stage.connection

    stage.begin("going online")
    connection.start()
    stage.until("ONLINE", lambda: connection.state is State.ONLINE)

    stage.begin("steady heartbeats")
    stage.until("steady heartbeats", lambda: connection.health().statistics.answers >= stage.pace.steady)

    with stage.fault("an outage: every datagram is lost", mend=server.clear_faults):
        server.set_faults(drop=1.0)
        stage.until("a failed attempt", lambda: connection.health().statistics.failed_attempts >= 1)

    with stage.fault("the server restarts, answers 401 and moves to another port", mend=server.move):
        server.restart()

    with stage.fault("the socket breaks: its descriptor is closed"):
        descriptor = connection.fileno()
        assert descriptor is not None
        os.close(descriptor)

    failures = connection.health().statistics.failed_attempts
    with stage.fault("the sign-in fails, and the server forgets the session", mend=server.clear_faults):
        server.set_faults(sign_in=SignInFault.STATUS, status=503)
        server.restart()
        stage.until("two failed sign-ins", lambda: connection.health().statistics.failed_attempts >= failures + 2)

    stage.begin("stopping")


def _summarize(stage: Stage, output: Output) -> None:
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title="What went wrong, and how it was mended", title_justify="left"
    )
    for heading in ("fault", "noticed after", "lost because", "sign-ins", "back after its end"):
        table.add_column(heading, justify="right" if heading not in ("fault", "lost because") else "left")
    rows: list[dict[str, Any]] = []
    for scene in stage.scenes:
        table.add_row(
            scene.title,
            "" if scene.noticed is None else f"{scene.noticed:.2f} s",
            scene.reason,
            str(scene.sign_ins),
            markup(
                "[bold red]never[/bold red]" if scene.recovered is None else f"[green]{scene.recovered:.2f} s[/green]"
            ),
        )
        rows.append(
            {
                "fault": scene.title,
                "noticed": scene.noticed,
                "reason": scene.reason,
                "sign_ins": scene.sign_ins,
                "recovered": scene.recovered,
            }
        )
    output.table("recovery", table, rows)
