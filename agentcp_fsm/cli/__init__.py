"""The command ``agentcp-fsm``."""

import sys


def main() -> None:
    """Run the command; without the libraries it needs, say how to get them."""
    try:
        from agentcp_fsm.cli.app import app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("typer", "rich", "aiohttp"):
            raise
        sys.exit(f"agentcp-fsm needs {error.name}: pip install 'agentcp-fsm[cli]'")
    app()
