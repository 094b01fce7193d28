"""``agentcp-fsm serve``."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

from rich.text import Text

from agentcp_fsm.cli.output import Output, plain
from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.server import ACCESS_POINT, HeartbeatServer, attend
from agentcp_fsm.support import ending


def run_server(server: HeartbeatServer, until_input_ends: bool, json_lines: bool) -> int:
    """Serve, and take console commands from standard input, until SIGINT or SIGTERM; returns the exit status.

    The end of standard input ends the server on a terminal (Ctrl-D) or if it is asked to, otherwise only the commands.
    """
    output = Output(json_lines)
    with suppress(asyncio.CancelledError):  # a signal came before the console was there
        asyncio.run(_serve(server, output, keep_running=not (until_input_ends or os.isatty(0))))
    output.say("leaving", "closed")
    return 0


async def _serve(server: HeartbeatServer, output: Output, *, keep_running: bool) -> None:
    def answer(result: str | AgentCPError) -> None:
        if isinstance(result, AgentCPError):
            output.say("error", (str(result), "red"), error=str(result))
        else:
            lines = result.split("\n")
            shown = Text("\n").join(plain(line) for line in (lines if len(lines) == 1 else ["", *lines]))
            output.say("answer", shown, answer=result)

    task = asyncio.current_task()
    assert task is not None
    with ending.watched(asyncio.get_running_loop(), task.cancel):
        async with server:
            host, port = server.udp_address
            output.say(
                "listening",
                "sign-ins at ",
                (server.url, "bold"),
                f", heartbeats on port {port}, an access point at {server.url}{ACCESS_POINT};"
                " 'help' lists what the console can do, Ctrl-C leaves",
                url=server.url,
                udp_host=host,
                udp_port=port,
                access_point=server.url + ACCESS_POINT,
            )
            await attend(server, answer, keep_running=keep_running)
