"""``agentcp-fsm serve``."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

from rich.markup import escape

from agentcp_fsm.cli.output import Output
from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.server import ServerThread


class _Leave(Exception):  # noqa: N818 - no error: how a signal ends the reading of a line
    pass


def run_server(host: str, http_port: int, udp_port: int, next_beat: float, json_lines: bool) -> int:
    """Serve, and take console commands from standard input, until SIGINT or SIGTERM; returns the exit status."""
    output = Output(json_lines)

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise _Leave

    with ServerThread(host, http_port, udp_port, next_beat=next_beat) as server:
        output.say(
            "listening",
            f"sign-ins at [bold]{server.url}[/bold], heartbeats on port {server.server.udp_port}; "
            "'help' lists what the console can do, Ctrl-C leaves",
            url=server.url,
            udp_port=server.server.udp_port,
        )
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, on_signal)
            for line in sys.stdin:
                if line.strip():
                    _carry_out(server, line, output)
            threading.Event().wait()  # no more commands: serve on
        except _Leave:
            output.say("leaving", "closed")
    return 0


def _carry_out(server: ServerThread, line: str, output: Output) -> None:
    try:
        answer = server.command(line)
    except AgentCPError as error:
        output.say("error", f"[red]{escape(str(error))}[/red]", error=str(error))
    else:
        output.say("answer", escape(answer), answer=answer)
