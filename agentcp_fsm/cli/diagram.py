"""``agentcp-fsm diagram``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from agentcp_fsm.cli import streams
from agentcp_fsm.cli.target import OURS
from agentcp_fsm.errors import ConfigError, DiagramFileError
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram import docs
from agentcp_fsm.fsm.diagram.files import DiagramFile, check_page, format_of
from agentcp_fsm.fsm.diagram.formats import FORMATS, Theme, format_named
from agentcp_fsm.fsm.loading import load_chart

STALE = 1
"""The exit status if a file is stale."""


def show_diagram(
    format_name: str | None,
    output: Path | None,
    check: list[Path],
    target: str,
    view: str | None,
    theme: Theme | None,
) -> int:
    """Write a diagram to a file or to standard output, or check files; return the exit status."""
    if output is not None and check:
        raise ConfigError("--output and --check exclude each other: give one")
    wanted = None if format_name is None else format_named(format_name)
    chart = load_chart(target)
    chart.check()
    if check:
        files = [DiagramFile(path, wanted or format_of(path), view, theme, target) for path in check]
        return _check(files, chart, target)
    if output is not None:
        check_page(output)
        DiagramFile(output, wanted or format_of(output), view, theme, target).write(chart)
        return 0
    format = wanted or FORMATS["mermaid"]
    if format.binary and sys.stdout.isatty():
        raise ConfigError(f"a {format.name} is nothing to read on a terminal: give --output FILE, or pipe it")
    sys.stdout.buffer.write(format.export(chart, view, theme, target))
    return 0


def write_docs(folder: Path, check: bool, target: str) -> int:
    """Write or check the diagrams of the documents; return the exit status."""
    chart = load_chart(target)
    chart.check()
    files = list(docs.files(folder, target))
    if check:
        return _check(files, chart, target, f"agentcp-fsm diagram docs {shlex.quote(str(folder))}{_from(target)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiagramFileError(f"cannot make the folder {folder} ({error.strerror}): choose another") from error
    for file in files:
        file.write(chart)
    return 0


def _check(files: Iterable[DiagramFile], chart: Chart, target: str, remedy: str | None = None) -> int:
    status = 0
    for file in files:
        if file.is_stale(chart):
            what = "is stale" if file.path.exists() else "is missing"
            streams.complain(f"{file.path} {what}: run {remedy or _command(file, target)}")
            status = STALE
    return status


def _command(file: DiagramFile, target: str) -> str:
    """The command that writes the file anew."""
    words = ["agentcp-fsm diagram", "--format", file.format.name]
    words += [] if file.view is None else ["--view", shlex.quote(file.view)]
    words += [] if file.theme is None else ["--theme", file.theme]
    return " ".join([*words, "--output", shlex.quote(str(file.path))]) + _from(target)


def _from(target: str) -> str:
    return "" if target == OURS else f" --from {shlex.quote(target)}"
