"""``python -m agentcp_fsm.diagram`` prints the overview of a connection's life.

``--write FILE`` puts it between the markers of a Markdown file, and ``--check FILE`` fails if what is there is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agentcp_fsm.chart import CHART
from agentcp_fsm.diagram.mermaid import mermaid
from agentcp_fsm.engine import Chart

BEGIN = "<!-- diagram:begin -->"
END = "<!-- diagram:end -->"


def section(chart: Chart) -> str:
    """What stands between the markers of a Markdown file."""
    return f"{BEGIN}\n```mermaid\n{mermaid(chart)}```\n{END}"


def updated(text: str) -> str:
    """A Markdown text with the present diagram between its markers; raises ValueError if it lacks them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"there are no lines {BEGIN} and {END}: put them where the diagram belongs")
    return before + section(CHART) + after


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the overview, write it into a file, or check that a file holds it."""
    parser = argparse.ArgumentParser("python -m agentcp_fsm.diagram", description="The diagram of a connection's life.")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", type=Path, metavar="FILE", help="put it between the markers of a Markdown file")
    action.add_argument("--check", type=Path, metavar="FILE", help="exit with 1 if the file's diagram is stale")
    options = parser.parse_args(arguments)
    file: Path | None = options.write or options.check
    if file is None:
        sys.stdout.write(mermaid(CHART))
        return
    try:
        text = file.read_text(encoding="utf-8")
        fresh = updated(text)
        if options.write and fresh != text:
            file.write_text(fresh, encoding="utf-8")
    except (OSError, ValueError) as error:
        parser.error(f"{file}: {error}")
    if options.check and fresh != text:
        sys.exit(f"{file} is stale: run python -m agentcp_fsm.diagram --write {file}")


if __name__ == "__main__":
    main()
