"""``agentcp-fsm diagram``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from agentcp_fsm.cli import streams
from agentcp_fsm.cli.target import OURS
from agentcp_fsm.errors import ChartError, ConfigError, DiagramFileError
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.coverage import Coverage
from agentcp_fsm.fsm.diagram import docs
from agentcp_fsm.fsm.diagram.files import DiagramFile, check_page, format_of
from agentcp_fsm.fsm.diagram.formats import FORMATS, Theme, format_named
from agentcp_fsm.fsm.loading import load_chart

LARGE = 300
"""Rows of a chart whose drawing is announced on a terminal."""
STALE = 1
"""The exit status if a file is stale."""


def show_diagram(
    format_name: str | None,
    output: Path | None,
    check: list[Path],
    target: str,
    view: str | None,
    theme: Theme | None,
    coverage_file: Path | None,
) -> int:
    """Write a diagram to a file or to standard output, or check files; return the exit status."""
    if output is not None and check:
        raise ConfigError("--output and --check exclude each other: give one")
    wanted = None if format_name is None else format_named(format_name)
    chart = load_chart(target)
    chart.check()
    coverage = None if coverage_file is None else _coverage(chart, coverage_file)
    if check:
        files = [DiagramFile(path, wanted or format_of(path), view, theme, target, coverage) for path in check]
        return _check(files, chart, target)
    if output is not None:
        check_page(output)
        with streams.progress(size(chart)):
            DiagramFile(output, wanted or format_of(output), view, theme, target, coverage).write(chart)
        return 0
    format = wanted or FORMATS["mermaid"]
    if format.binary and sys.stdout.isatty():
        raise ConfigError(f"a {format.name} is nothing to read on a terminal: give --output FILE, or pipe it")
    with streams.progress(size(chart)):
        content = format.export(chart, view, theme, target, coverage)
    sys.stdout.buffer.write(content)
    return 0


def size(chart: Chart) -> str:
    """What takes its time, if the chart is a large one; else nothing."""
    if len(chart.rows) < LARGE:
        return ""
    return f"drawing {chart.name}: {len(chart.states)} states, {len(chart.rows)} rows"


def _coverage(chart: Chart, path: Path) -> Coverage:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ChartError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ChartError(f"{path} is no JSON ({error}): write it with pytest's --chart-coverage-file") from error
    coverage = Coverage(chart)
    coverage.add(content)
    return coverage


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
        with streams.progress(size(chart) and f"{size(chart)}: {file.path.name}"):
            file.write(chart)
    return 0


def _check(files: Iterable[DiagramFile], chart: Chart, target: str, remedy: str | None = None) -> int:
    status = 0
    for file in files:
        with streams.progress(size(chart) and f"{size(chart)}: {file.path.name}"):
            stale = file.is_stale(chart)
        if stale:
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
