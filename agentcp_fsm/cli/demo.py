"""``agentcp-fsm demo``: a server and an agent in one process, and the faults between them."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from rich import box
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agentcp_fsm.cli.output import Output, Part, plain, state_text, transition_text
from agentcp_fsm.connection import Connection
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.statistics import Statistics
from agentcp_fsm.server import ServerThread, SignInFault
from agentcp_fsm.sign_in.identities import make_identity

AGENT_ID = "alice.agentid.pub"
SHOWN_TRANSITIONS = 10
"""Lines of history on a terminal."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the demo goes; times in seconds."""

    config: Config
    next_beat: float
    patience: float
    """How long any one thing may take before the demo gives up on it."""


NORMAL = Pace(Config(interval_min=2.0, stable_after=5.0), next_beat=2.0, patience=60.0)
"""The default timings, but for two: heartbeats every 2 s, and ONLINE counts as lasting after 5 s."""
FAST = Pace(
    Config(
        interval_min=0.2,
        probe_interval=0.1,
        stable_after=0.5,
        sign_in_interval_min=0.3,
        backoff_initial=0.1,
        backoff_max=1.0,
        unauthorized_spread=0.1,
        send_retry_initial=0.1,
    ),
    next_beat=0.2,
    patience=10.0,
)
STEADY_ANSWERS = 3
"""Answered heartbeats that the demo waits for between two faults."""


@dataclass(slots=True)
class Scene:
    """One fault and its recovery; times in seconds."""

    fault: str
    noticed: float | None = None
    """From the fault to leaving ONLINE."""
    recovered: float | None = None
    """From the fault's end to ONLINE; a fault that does not end by itself counts from the loss of the connection."""
    sign_ins: int = 0
    reason: str = ""
    """Why the connection was lost."""


class DemoFailedError(Exception):
    """Something did not happen, or not in time."""


@dataclass(slots=True)
class Stage:
    """The agent and its server, and what was seen of them."""

    connection: Connection
    server: ServerThread
    pace: Pace
    output: Output
    live: Live | None = None
    title: str = ""
    scenes: list[Scene] = field(default_factory=list)
    seen: list[ReportTransition] = field(default_factory=list)
    """Every transition, in order."""
    _beats: tuple[int, int] = (0, 0)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def see(self, transition: ReportTransition) -> None:
        """A handler of the connection's transitions."""
        if self.live is None:
            self.output.say_transition(transition)
        with self._changed:
            self.seen.append(transition)
            self._changed.notify_all()

    def begin(self, title: str) -> None:
        """A new scene."""
        self.title = title
        self._say("scene", (f"— {title}", "bold"), title=title)

    def _say(self, kind: str, *parts: Part, **fields: Any) -> None:
        if self.live is None:
            self.output.say(kind, *parts, **fields)

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; raises DemoFailedError if it does not in time."""
        deadline = time.monotonic() + self.pace.patience
        while not condition():
            self.output.check()
            if time.monotonic() > deadline:
                raise DemoFailedError(f"{self.title}: {what} did not happen within {self.pace.patience:g} s")
            with self._changed:
                self._changed.wait(0.02)  # transitions wake it; counts are looked at
            self._tell_beats()

    def _tell_beats(self) -> None:
        counted = self.statistics
        if self._beats != (counted.heartbeats, counted.answers):
            self._beats = counted.heartbeats, counted.answers
            self._say(
                "heartbeats",
                (f"heartbeats {counted.heartbeats}, answers {counted.answers}", "dim"),
                heartbeats=counted.heartbeats,
                answers=counted.answers,
            )

    def until_seen(self, what: str, wanted: Callable[[ReportTransition], bool], since: int) -> ReportTransition:
        """Wait for a transition, among those after the first `since`; raises DemoFailedError if none comes in time."""
        self.until(what, lambda: any(map(wanted, self.seen[since:])))
        return next(filter(wanted, self.seen[since:]))

    def until_steady(self) -> None:
        """Wait for some answered heartbeats; raises DemoFailedError for any transition meanwhile."""
        answers, transitions = self.statistics.answers, len(self.seen)
        self.until("steady heartbeats", lambda: self.statistics.answers >= answers + STEADY_ANSWERS)
        if self.seen[transitions:]:
            raise DemoFailedError(f"{self.title}: {self.seen[transitions].reason}, while nothing was wrong")

    @property
    def statistics(self) -> Statistics:
        """What the connection counted."""
        return self.connection.health().statistics

    @contextmanager
    def fault(self, title: str, expected: str, mend: Callable[[], None] | None = None) -> Iterator[int]:
        """A scene: its body brings a fault about and waits for what it wants to see; then `mend` ends the fault.

        The connection must be lost by the trigger `expected`, and come back.  Gives the number of transitions before.
        """
        scene = Scene(title)
        self.scenes.append(scene)
        self.begin(title)
        before, sign_ins = len(self.seen), self.statistics.attempts
        began = time.monotonic()
        yield before
        left = self.until_seen("leaving ONLINE", lambda transition: transition.source == State.ONLINE, before)
        scene.noticed = left.at - began
        lost = self.until_seen(
            "the loss", lambda transition: transition.dest in (State.BACKOFF, State.RECONNECTING), before
        )
        scene.reason = lost.reason
        if lost.trigger != expected:
            raise DemoFailedError(f"{title}: the connection was lost by {lost.trigger}, not by {expected}")
        mended = lost.at
        if mend is not None:
            mend()
            mended = time.monotonic()
        back = self.until_seen("coming back", lambda transition: transition.dest == State.ONLINE, self.seen.index(lost))
        scene.recovered = max(back.at - mended, 0.0)
        scene.sign_ins = self.statistics.attempts - sign_ins
        self._say(
            "recovered",
            ("recovered", "green"),
            f" in {scene.recovered:.2f} s",
            title=title,
            noticed=scene.noticed,
            recovered=scene.recovered,
            sign_ins=scene.sign_ins,
        )
        self.until_steady()

    def __rich__(self) -> Group:
        health = self.connection.health()
        counted = health.statistics
        head = Table.grid(padding=(0, 3))
        head.add_row(
            plain((AGENT_ID, "bold")),
            state_text(health.state),
            "" if health.since is None else f"for {health.since:.0f} s",
            "" if health.server is None else f"server {health.server}",
        )
        beats = Table.grid(padding=(0, 3))
        beats.add_row(
            f"heartbeats {counted.heartbeats}",
            f"answers {counted.answers}",
            f"sign-ins {counted.attempts}",
            f"losses {counted.losses}",
            "" if health.next_action is None else f"next action in {health.next_action:.1f} s",
        )
        scenes = Table(box=None, show_header=False, pad_edge=False)
        for scene in self.scenes:
            scenes.add_row(
                plain("…" if scene.recovered is None else ("✓", "green")),
                plain((scene.fault, "bold" if scene.fault == self.title else "")),
                "" if scene.recovered is None else f"recovered in {scene.recovered:.2f} s",
            )
        history = Table(box=None, show_header=False, pad_edge=False)
        history.add_column(style="dim", justify="right", no_wrap=True)
        history.add_column(overflow="fold")
        now = time.monotonic()
        for seen in self.seen[-SHOWN_TRANSITIONS:]:
            history.add_row(f"{now - seen.at:.1f} s ago", transition_text(seen, seen.detail))
        return Group(head, beats, Text(), Text(self.title, style="bold"), Text(), scenes, Text(), history)


def run_demo(fast: bool, json_lines: bool) -> int:
    """Walk through the faults; returns the exit status: 0 if every recovery happened."""
    pace = FAST if fast else NORMAL
    # Its words come from several threads, so an error waits for the one that can end it all.
    output = Output(json_lines, on_lost=lambda: None)
    failure = ""
    with tempfile.TemporaryDirectory() as folder:
        credentials = make_identity(folder, AGENT_ID)
        with ServerThread(next_beat=pace.next_beat, credentials=credentials) as server:
            connection = Connection(AGENT_ID, server.url, credentials=credentials, config=pace.config)
            stage = Stage(connection, server, pace, output)
            connection.on_transition(stage.see)
            if output.console.is_terminal and not output.console.is_dumb_terminal and not json_lines:
                stage.live = Live(stage, console=output.console, refresh_per_second=10, transient=True)
                stage.live.start()
            try:
                _play(stage)
            except DemoFailedError as error:
                failure = str(error)
            finally:
                if stage.live is not None:
                    stage.live.stop()
                connection.stop()
    _summarize(stage.scenes, output)
    if failure:
        output.say("failed", (failure, "bold red"), reason=failure)
        output.check()
        return 1
    output.say("passed", (f"all {len(stage.scenes)} recoveries happened", "bold green"))
    output.check()
    return 0


def _play(stage: Stage) -> None:
    server, connection = stage.server, stage.connection

    stage.begin("going online")
    connection.start()
    stage.until_seen("ONLINE", lambda transition: transition.dest == State.ONLINE, 0)
    stage.begin("steady heartbeats")
    stage.until_steady()

    with stage.fault("outage: every datagram is lost", "deadline_passed", mend=server.clear_faults) as before:
        server.set_faults(drop=1.0)
        stage.until_seen("a failed attempt", _failed_attempt, before)

    def come_up_elsewhere() -> None:
        server.move()
        server.clear_faults()

    port = server.server.udp_port
    with stage.fault("restart: 401, no sign-ins for a moment, another port", "unauthorized", mend=come_up_elsewhere):
        server.set_faults(sign_in=SignInFault.DOWN)
        server.restart()
    if server.server.udp_port == port or connection.health().server != f"127.0.0.1:{server.server.udp_port}":
        raise DemoFailedError(f"heartbeats go to {connection.health().server}: the server did not move, or alone")

    with stage.fault("broken socket: its descriptor is closed", "socket_failed"):
        descriptor = connection.fileno()
        if descriptor is None:
            raise DemoFailedError("there is no socket to break")
        os.close(descriptor)

    with stage.fault("failing sign-in: HTTP status 503, twice", "unauthorized", mend=server.clear_faults) as before:
        server.set_faults(sign_in=SignInFault.STATUS, status=503)
        server.restart()
        stage.until("two failed sign-ins", lambda: sum(map(_failed_attempt, stage.seen[before:])) >= 2)

    stage.begin("stopping")
    connection.stop()
    stage.until_seen("OFFLINE", lambda transition: transition.dest == State.OFFLINE, 0)
    if server.statistics().sign_outs != 1:
        raise DemoFailedError("the agent did not sign out")


def _failed_attempt(transition: ReportTransition) -> bool:
    return transition.source == State.RECONNECTING and transition.dest == State.BACKOFF


def _summarize(scenes: list[Scene], output: Output) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, justify in (
        ("what went wrong", "left"),
        ("noticed after", "right"),
        ("recovered in", "right"),
        ("sign-ins", "right"),
        ("lost because", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for scene in scenes:
        never = ("never", "bold red")
        table.add_row(
            scene.fault,
            plain(never if scene.noticed is None else f"{scene.noticed:.2f} s"),
            plain(never if scene.recovered is None else (f"{scene.recovered:.2f} s", "green")),
            str(scene.sign_ins),
            plain(scene.reason),
        )
    output.table("recovery", table, [asdict(scene) for scene in scenes])
