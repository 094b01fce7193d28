"""The pages of the command, by typer's own writer, from the help of each command and option."""

import os
import re

import typer
from sphinx.application import Sphinx
from typer.cli import get_docs_for_click

PAGE = "reference/commands"
PLACE = "<!-- commands -->"
"""Where they stand on that page."""


def markdown() -> str:
    """All commands with their arguments and options, each under a heading."""
    os.environ["COLUMNS"] = "120"
    from agentcp_fsm.cli.app import app

    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="agentcp-fsm")
    _, _, commands = text.partition("\n## ")
    return "## " + re.sub(r"\n{3,}", "\n\n", commands)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    if name == PAGE:
        source[0] = source[0].replace(PLACE, markdown())


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx use what is above."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
