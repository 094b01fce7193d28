"""``agentcp-fsm serve``."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack
from types import FrameType

from agentcp_fsm.cli.output import Output, shown
from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.server import ACCESS_POINT, ServerThread


class _Leave(Exception):  # noqa: N818 - no error: how a signal ends the reading of a line
    pass


def run_server(host: str, http_port: int, udp_port: int, next_beat: float, json_lines: bool) -> int:
    """Serve, and take console commands from standard input, until SIGINT or SIGTERM; returns the exit status.

    On a terminal, Ctrl-D leaves too; the end of a file or pipe only ends the commands.
    """
    output = Output(json_lines)

    def on_signal(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)  # a second one does not wait
        raise _Leave

    with ExitStack() as stack:
        server = stack.enter_context(ServerThread(host, http_port, udp_port, next_beat=next_beat))
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, on_signal)
            output.say(
                "listening",
                f"sign-ins at [bold]{server.url}[/bold], heartbeats on port {server.server.udp_port}, "
                f"an access point at {server.url}{ACCESS_POINT}; 'help' lists what the console can do, Ctrl-C leaves",
                url=server.url,
                udp_port=server.server.udp_port,
                access_point=server.url + ACCESS_POINT,
            )
            for line in sys.stdin:
                if command := line.strip():
                    _carry_out(server, command, output)
            if not sys.stdin.isatty():
                threading.Event().wait()
        except _Leave:
            pass
        output.say("leaving", "closed")
    return 0


def _carry_out(server: ServerThread, command: str, output: Output) -> None:
    try:
        answer = server.command(command)
    except AgentCPError as error:
        output.say("error", f"[red]{shown(str(error))}[/red]", error=str(error))
    else:
        lines = [shown(line) for line in answer.splitlines()]
        output.say("answer", "\n".join(lines if len(lines) == 1 else ["", *lines]), answer=answer)
