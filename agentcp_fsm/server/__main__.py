"""``python -m agentcp_fsm.server``: the server in a process of its own, for programs that drive it.

It prints one JSON object when it is ready, then takes console commands on its standard input, and answers each with one
JSON object: ``{"ok": text}`` or ``{"error": text}``.  It ends with its standard input, or on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.server.console import run_command
from agentcp_fsm.server.server import HeartbeatServer


def _say(**content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


async def _serve(server: HeartbeatServer) -> None:
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lines.put_nowait, None)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def read() -> None:
        while line := await reader.readline():
            lines.put_nowait(line.decode(errors="replace").strip())
        lines.put_nowait(None)

    reading = asyncio.create_task(read())
    async with server:
        _say(url=server.url, udp_port=server.udp_port)
        while (line := await lines.get()) is not None:
            try:
                _say(ok=await run_command(server, line))
            except AgentCPError as error:
                _say(error=str(error))
    reading.cancel()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m agentcp_fsm.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--http-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--udp-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--next-beat", type=float, default=5.0, help="seconds between heartbeats")
    options = parser.parse_args()
    try:
        asyncio.run(
            _serve(HeartbeatServer(options.host, options.http_port, options.udp_port, next_beat=options.next_beat))
        )
    except OSError as error:
        parser.error(f"cannot listen: {error}")


if __name__ == "__main__":
    main()
