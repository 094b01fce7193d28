"""``agentcp-fsm connect``."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

from agentcp_fsm.cli.output import Output, shown, transition_text
from agentcp_fsm.connection import Connection
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.session import Invitation

INTERRUPTED = 130
"""The exit status of a second Ctrl-C: it did not wait for the sign-out."""


def log_what_is_not_shown() -> None:
    """Keep from the log what `run_connection` shows anyway: transitions, invitations and errors."""
    logging.getLogger("agentcp_fsm.connection.attachment").setLevel(logging.CRITICAL)


def run_connection(connection: Connection, json_lines: bool) -> int:
    """Start `connection` and keep it until SIGINT or SIGTERM; returns the exit status."""
    output = Output(json_lines)
    shown_error = ""
    leave, interrupted = threading.Event(), threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        (interrupted if leave.is_set() else leave).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)

    @connection.on_transition
    def show(transition: ReportTransition) -> None:
        nonlocal shown_error
        detail = transition.detail
        if shown_error and detail:  # an error comes before its transition
            cause, _, rest = detail.partition("; next try")
            detail = rest and f"next try{rest}" if shown_error.endswith(cause) else detail
        shown_error = ""
        output.say(
            "transition",
            transition_text(transition.source, transition.dest, transition.reason, detail),
            source=transition.source,
            dest=transition.dest,
            trigger=transition.trigger,
            reason=transition.reason,
            detail=transition.detail,
        )

    @connection.on_invite
    def invited(invitation: Invitation) -> None:
        output.say(
            "invitation",
            f"[bold]invited[/bold] by {shown(invitation.inviter_agent_id)} to session {shown(invitation.session_id)}"
            + (f" at {shown(invitation.message_server)}" if invitation.message_server else ""),
            inviter_agent_id=invitation.inviter_agent_id,
            session_id=invitation.session_id,
            message_server=invitation.message_server,
            invite_code_expire=invitation.invite_code_expire,
        )

    @connection.on_error
    def failed(reason: str) -> None:
        nonlocal shown_error
        shown_error = reason
        output.say("error", f"[bold red]error[/bold red] {shown(reason)}", reason=reason)

    connection.start()
    while not leave.wait(0.2):  # in pieces, so that a signal is handled between them
        pass
    if not json_lines:
        output.say("leaving", "signing out; Ctrl-C again leaves at once")
    stopping = threading.Thread(target=connection.stop, daemon=True)
    stopping.start()
    while stopping.is_alive():
        if interrupted.is_set():
            return INTERRUPTED
        stopping.join(0.05)
    statistics = connection.health().statistics
    output.say(
        "summary",
        f"heartbeats {statistics.heartbeats}, answers {statistics.answers}, losses {statistics.losses}, "
        f"sign-ins {statistics.attempts}, invitations {statistics.invitations}",
        heartbeats=statistics.heartbeats,
        answers=statistics.answers,
        losses=statistics.losses,
        sign_ins=statistics.attempts,
        invitations=statistics.invitations,
    )
    return 0 if connection.state is State.OFFLINE else 1
