"""``agentcp-fsm diagram diff``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from rich.text import Text

from agentcp_fsm.cli import streams
from agentcp_fsm.cli.diagram import size
from agentcp_fsm.cli.output import Output
from agentcp_fsm.errors import ChartError, ConfigError
from agentcp_fsm.fsm.diagram import diff_picture
from agentcp_fsm.fsm.diagram.diff import Difference, Kind, as_data, difference
from agentcp_fsm.fsm.diagram.diff_markdown import markdown
from agentcp_fsm.fsm.diagram.diff_text import lines
from agentcp_fsm.fsm.diagram.files import write_file
from agentcp_fsm.fsm.diagram.formats import DIFF_FORMATS, FORMATS, Theme, check_theme
from agentcp_fsm.fsm.diagram.revisions import load_chart
from agentcp_fsm.fsm.printable import printable

STYLES = {Kind.ADDED: "green", Kind.REMOVED: "red", Kind.CHANGED: "yellow"}
THEMES = {name: FORMATS[name].themes for name in ("svg", "dot", "png", "pdf")}
"""The themes of each picture format."""
DIFFERENT = 1
"""The exit status if anything differs, with ``--exit-code``."""


def show_difference(
    old: str,
    new: str | None,
    format_name: str | None,
    output: Path | None,
    target: str,
    theme: Theme | None,
    exit_code: bool,
) -> int:
    """Write the difference to a file or to standard output; return the exit status."""
    format = _format(format_name, output)
    if theme is not None:
        check_theme(theme, format, THEMES.get(format, ()))
    if format in ("png", "pdf") and output is None and sys.stdout.isatty():
        raise ConfigError(f"a {format} is nothing to read on a terminal: give --output FILE, or pipe it")
    here = Path.cwd()

    def found() -> Difference:
        return difference(load_chart(old, target, here), load_chart(new, target, here))

    if output is not None:
        shown: list[Difference] = []

        def make() -> bytes:
            shown.append(found())
            with streams.progress(size(shown[0].new)):
                return _content(shown[0], format, theme)

        write_file(output, make)
        result = shown[0]
    else:
        result = found()
        if format == "text":
            _print(result)
        else:
            with streams.progress(size(result.new)):
                content = _content(result, format, theme)
            sys.stdout.buffer.write(content)
    return DIFFERENT if exit_code and result else 0


def _format(name: str | None, output: Path | None) -> str:
    """The format of this name, else the one that the file's name implies."""
    known = ", ".join(DIFF_FORMATS)
    if name is not None:
        if name not in DIFF_FORMATS:
            raise ChartError(f"there is no format {name!r} for a difference: choose one of {known}")
        return name
    if output is None:
        return "text"
    for format, suffixes in DIFF_FORMATS.items():
        if output.suffix in suffixes:
            return format
    raise ChartError(f"the name {output} says no format: choose one of {known} with --format")


def _content(found: Difference, format: str, theme: Theme | None) -> bytes:
    makers: dict[str, Callable[[], str | bytes]] = {
        "text": lambda: "".join(f"{printable(text)}\n" for _, text in lines(found)),
        "markdown": lambda: markdown(found),
        "json": lambda: json.dumps(as_data(found), indent=2, ensure_ascii=False) + "\n",
        "svg": lambda: diff_picture.svg(found, theme or Theme.AUTO),
        "png": lambda: diff_picture.png(found, theme or Theme.LIGHT),
        "pdf": lambda: diff_picture.pdf(found, theme or Theme.LIGHT),
        "dot": lambda: diff_picture.dot(found, theme or Theme.LIGHT),
        "mermaid": lambda: diff_picture.mermaid(found),
    }
    content = makers[format]()
    return content if isinstance(content, bytes) else content.encode()


def _print(found: Difference) -> None:
    """Print the difference: in colours on a terminal; in a pipe, with no line broken."""
    console = Output().console
    for kind, line in lines(found):
        style = STYLES[kind] if kind else "bold" if line and not line.startswith(" ") else ""
        console.print(Text(printable(line), style), soft_wrap=not console.is_terminal)
