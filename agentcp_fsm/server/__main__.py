"""``python -m agentcp_fsm.server``: the server in a process of its own, for programs that drive it.

It prints one JSON object when it is ready, then takes console commands on its standard input, and answers each with one
JSON object: ``{"ok": text}`` or ``{"error": text}``.  It ends with its standard input, or on SIGTERM or SIGINT.
"""

import argparse
import asyncio
import json
import sys

from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.server.console import attend
from agentcp_fsm.server.server import HeartbeatServer
from agentcp_fsm.wire import AgentCPCodec, NextBeatEncoding


def _say(**content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def _answer(result: str | AgentCPError) -> None:
    if isinstance(result, AgentCPError):
        _say(error=str(result))
    else:
        _say(ok=result)


async def _serve(server: HeartbeatServer, keep_running: bool) -> None:
    async with server:
        host, port = server.udp_address
        _say(url=server.url, udp_host=host, udp_port=port)
        await attend(server, _answer, keep_running=keep_running)


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m agentcp_fsm.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="name or address to listen on")
    parser.add_argument("--http-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--udp-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--next-beat", type=float, default=5.0, help="seconds between heartbeats")
    encodings = [encoding.value for encoding in NextBeatEncoding]
    parser.add_argument("--encoding", choices=encodings, default=encodings[0], help="how NextBeat is written")
    parser.add_argument("--keep-running", action="store_true", help="serve on when the standard input ends")
    options = parser.parse_args()
    try:
        server = HeartbeatServer(
            options.host,
            options.http_port,
            options.udp_port,
            next_beat=options.next_beat,
            codec=AgentCPCodec(NextBeatEncoding(options.encoding)),
        )
        asyncio.run(_serve(server, options.keep_running))
    except AgentCPError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
