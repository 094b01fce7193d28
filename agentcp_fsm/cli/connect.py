"""``agentcp-fsm connect``."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

from agentcp_fsm.cli import streams
from agentcp_fsm.cli.output import Output
from agentcp_fsm.connection import Connection
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.session import Invitation

INTERRUPTED = 130
"""The exit status of a second Ctrl-C: it did not wait for the sign-out."""


def log_what_is_not_shown() -> None:
    """Log the warnings of the agent's files, and not what `run_connection` shows: transitions, invitations, errors."""
    logging.getLogger("agentcp_fsm.connection.attachment").setLevel(logging.CRITICAL)
    logging.getLogger("agentcp_fsm.sign_in.credentials").setLevel(logging.WARNING)


def run_connection(connection: Connection, json_lines: bool) -> int:
    """Start `connection` and keep it until a signal, or until the output has no reader; returns the exit status.

    The signals are SIGINT, SIGTERM and SIGHUP, but for those that are ignored, as nohup has it.  Raises OSError,
    signed out, if the output cannot be written.
    """
    shown_error = ""
    leave, interrupted = threading.Event(), threading.Event()
    output = Output(json_lines, on_lost=leave.set)

    def on_signal(number: int, frame: FrameType | None) -> None:
        (interrupted if leave.is_set() else leave).set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)

    @connection.on_transition
    def show(transition: ReportTransition) -> None:
        nonlocal shown_error
        detail = transition.detail
        if shown_error and detail:  # an error comes before its transition
            cause, _, rest = detail.partition("; next try")
            detail = rest and f"next try{rest}" if shown_error.endswith(cause) else detail
        shown_error = ""
        output.say_transition(transition, detail)

    @connection.on_invite
    def invited(invitation: Invitation) -> None:
        where = f" at {invitation.message_server}" if invitation.message_server else ""
        output.say(
            "invitation",
            ("invited", "bold"),
            f" by {invitation.inviter_agent_id} to session {invitation.session_id}{where}",
            inviter_agent_id=invitation.inviter_agent_id,
            session_id=invitation.session_id,
            message_server=invitation.message_server,
            invite_code_expire=invitation.invite_code_expire,
        )

    @connection.on_error
    def failed(reason: str) -> None:
        nonlocal shown_error
        shown_error = reason
        output.say("error", ("error", "bold red"), f" {reason}", reason=reason)

    connection.start()
    while not leave.wait(0.2):  # in pieces, so that a signal is handled between them
        if streams.reader_is_gone():
            break
    leave.set()
    if not json_lines:
        output.say("leaving", "signing out; Ctrl-C again leaves at once")
    stopping = threading.Thread(target=connection.stop, daemon=True)
    stopping.start()
    while stopping.is_alive():
        if interrupted.is_set():
            return INTERRUPTED
        stopping.join(0.05)
    statistics = connection.health().statistics
    counts = {
        "heartbeats": statistics.heartbeats,
        "answers": statistics.answers,
        "losses": statistics.losses,
        "sign_ins": statistics.attempts,
        "invitations": statistics.invitations,
    }
    shown = ", ".join(f"{name.replace('_', '-')} {count}" for name, count in counts.items())
    output.say("summary", shown, **counts)
    output.check()
    return 0 if connection.state is State.OFFLINE else 1
