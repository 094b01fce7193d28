"""``agentcp-fsm connect``."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

from agentcp_fsm.cli import streams
from agentcp_fsm.cli.options import credentials
from agentcp_fsm.cli.output import Output
from agentcp_fsm.connection import Connection
from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.operations.agents import trust
from agentcp_fsm.operations.invitations import Handlers
from agentcp_fsm.operations.options import ConnectOptions
from agentcp_fsm.operations.recorder import LossTraces
from agentcp_fsm.operations.service import Service
from agentcp_fsm.operations.settings import ProgramSettings
from agentcp_fsm.operations.status_thread import StatusThread
from agentcp_fsm.support import clock, ending
from agentcp_fsm.traces import Recorder, story_lines

if TYPE_CHECKING:
    from agentcp_fsm.operations.metrics import Metrics

INTERRUPTED = 130
"""The exit status of a second Ctrl-C: it did not wait for the sign-out."""
GAVE_UP = 3
"""The exit status after an agent gave up, with ``--exit-on-failure``."""
HANGUP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()
"""The end of the terminal, where it is a signal."""
ASKED = getattr(signal, "SIGUSR1", None)
"""The signal that asks how the agents are, where there is one."""
COUNTS = {
    "heartbeats": "heartbeats",
    "answers": "answers",
    "losses": "losses",
    "sign_ins": "attempts",
    "invitations": "invitations",
}
"""What the summary shows, and the statistics that it is taken from."""


def log_what_is_not_shown() -> None:
    """Log the warnings of the agent's files, and not what `run_agents` shows: transitions, invitations, errors."""
    logging.getLogger("agentcp_fsm.connection.attachment").setLevel(logging.CRITICAL)
    logging.getLogger("agentcp_fsm.sign_in.credentials").setLevel(logging.WARNING)


def run(settings: ProgramSettings) -> int:
    """Keep agents reachable until a signal, and return the exit status; raises for settings that cannot work."""
    command = settings.command
    trusts = [trust(agent.options) for agent in settings.agents]  # before a password is asked for
    handlers = Handlers(command.on_invite_limit)
    handles = [handlers.of(agent.handlers) for agent in settings.agents]
    metrics = metrics_of(command)
    traces = None if command.traces is None else LossTraces(command.traces)
    connections: list[Connection] = []
    recorders: list[Recorder] = []
    with ExitStack() as stack:
        if command.status is not None:
            insecure = command.insecure_allow_any_status_address
            exposition = None if metrics is None else metrics.exposition
            place = StatusThread(command.status, connections, metrics=exposition, insecure_allow_any_address=insecure)
            stack.enter_context(place)
        for agent, options, handle in zip(settings.agents, trusts, handles, strict=True):
            given = agent.options
            connection = Connection(
                given.agent_id,
                given.server,
                credentials=credentials(given),
                access_point=given.access_point,
                config=agent.config,
                codec=given.codec,
                **options,
            )
            connections.append(connection)
            if metrics is not None:
                metrics.add(connection)
            if traces is not None:
                traces.watch(connection)
            else:
                recorders.append(Recorder(connection.agent_id))
                connection.observe(recorders[-1])
            if handle is not None:
                connection.on_invite(partial(handle, given.agent_id))
        stack.callback(handlers.close)
        return run_agents(connections, command, traces or recorders)


def metrics_of(command: ConnectOptions) -> Metrics | None:
    """What measures the agents, if that is asked for."""
    if not (command.metrics or command.metrics_by_agent):
        return None
    if command.status is None:
        raise ConfigError("metrics are served by the status place: give --status, too, such as 127.0.0.1:8764")
    try:
        from agentcp_fsm.operations.metrics import Metrics
    except ImportError as error:
        raise ConfigError(f"metrics need prometheus_client: pip install 'agentcp-fsm[metrics]' ({error})") from error
    return Metrics(agents=command.metrics_by_agent)


def run_agents(
    connections: Sequence[Connection],
    command: ConnectOptions,
    remembered: LossTraces | Sequence[Recorder] = (),
) -> int:
    """Start `connections` and keep them until a signal, or until the output has no reader; returns the exit status.

    The signals are those of this system (`ending.SIGNALS`, `HANGUP`), but for those that are ignored, as nohup has it.
    Raises OSError, signed out, if the output cannot be written.
    """
    leave, interrupted, given_up, asked = (threading.Event() for _ in range(4))
    output = Output(command.json, on_lost=leave.set)
    service = Service(connections)

    def on_signal(number: int, frame: FrameType | None) -> None:
        (interrupted if leave.is_set() else leave).set()

    for number in (*ending.SIGNALS, *HANGUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)
    if ASKED is not None:
        signal.signal(ASKED, lambda number, frame: asked.set())

    def moved(transition: ReportTransition) -> None:
        reachable = sum(connection.health().reachable for connection in connections)
        service.status(f"{reachable} of {len(connections)} agents are reachable; {transition.dest}: {transition.text}")
        if transition.dest is State.OFFLINE and command.exit_on_failure and not leave.is_set():
            given_up.set()
            leave.set()

    for connection in connections:
        connection.on_transition(moved)
        _show(connection, output, named=len(connections) > 1)
    with service:
        for connection in connections:
            connection.start()
        service.ready()
        while not leave.wait(0.2):  # in pieces, so that a signal is handled between them
            service.tick()
            if asked.is_set():
                asked.clear()
                _dump(connections, remembered, output)
            if streams.reader_is_gone():
                break
        leave.set()
        service.stopping()
        if not command.json:
            output.say("leaving", "signing out; Ctrl-C again leaves at once")
        stopping = [threading.Thread(target=connection.stop, daemon=True) for connection in connections]
        for thread in stopping:
            thread.start()
        while any(thread.is_alive() for thread in stopping):
            if interrupted.is_set():
                return INTERRUPTED
            service.tick()
            interrupted.wait(0.05)
    for connection in connections:
        _summarize(connection, output, named=len(connections) > 1)
    output.check()
    if given_up.is_set():
        return GAVE_UP
    return 0 if all(connection.state is State.OFFLINE for connection in connections) else 1


def _dump(connections: Sequence[Connection], remembered: LossTraces | Sequence[Recorder], output: Output) -> None:
    """Show how the agents are, and write or show what is remembered of them."""
    for connection in connections:
        health = connection.health()
        told = f"  {health.state}: {health.reason}"
        output.say("health", (connection.agent_id, "bold"), told, agent_id=connection.agent_id, health=health.to_dict())
    if not isinstance(remembered, LossTraces):
        for recorder in remembered:
            for line in story_lines(recorder.trace(time.time() - clock.now())) if recorder.has_machine else ():
                output.say("story", f"  {line}", agent_id=recorder.agent_id, line=line)
        return
    try:
        files = remembered.dump()
    except OSError as error:
        output.say("error", ("error", "bold red"), f" a trace cannot be written: {error}", reason=str(error))
        return
    for file in files:
        output.say("trace", f"the trace {file} is written", file=str(file))


def _show(connection: Connection, output: Output, *, named: bool) -> None:
    """Show what happens to an agent; with its id, if it is one of several."""
    agent_id = connection.agent_id
    prefix = ((agent_id, "bold"), "  ") if named else ()
    shown_error = ""

    @connection.on_transition
    def show(transition: ReportTransition) -> None:
        nonlocal shown_error
        detail = transition.detail
        if shown_error and detail:  # an error comes before its transition
            cause, _, rest = detail.partition("; next try")
            detail = rest and f"next try{rest}" if shown_error.endswith(cause) else detail
        shown_error = ""
        output.say_transition(transition, detail, prefix, agent_id=agent_id, lost=transition.lost)

    @connection.on_invite
    def invited(invitation: Invitation) -> None:
        where = f" at {invitation.message_server}" if invitation.message_server else ""
        output.say(
            "invitation",
            *prefix,
            ("invited", "bold"),
            f" by {invitation.inviter_agent_id} to session {invitation.session_id}{where}",
            agent_id=agent_id,
            **asdict(invitation),
        )

    @connection.on_error
    def failed(reason: str) -> None:
        nonlocal shown_error
        shown_error = reason
        output.say("error", *prefix, ("error", "bold red"), f" {reason}", agent_id=agent_id, reason=reason)


def _summarize(connection: Connection, output: Output, *, named: bool) -> None:
    statistics = connection.health().statistics
    counts = {shown: getattr(statistics, name) for shown, name in COUNTS.items()}
    line = ", ".join(f"{name.replace('_', '-')} {count}" for name, count in counts.items())
    prefix = ((connection.agent_id, "bold"), "  ") if named else ()
    output.say("summary", *prefix, line, agent_id=connection.agent_id, **counts)
