"""The command ``agentcp-fsm``."""

import sys

from agentcp_fsm.cli import streams

EXTRA = frozenset({"aiohttp", "pydantic", "pydantic_settings", "rich", "typer"})
"""The libraries that the extra ``cli`` brings."""


def main() -> None:
    """Run the command; without the libraries it needs, say how to get them."""
    streams.reopen_closed()
    try:
        from agentcp_fsm.cli.app import run

        status: int | str = run(sys.argv[1:])
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        status = f"agentcp-fsm needs {error.name}: pip install 'agentcp-fsm[cli]'"
    sys.exit(status)
