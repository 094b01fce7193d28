"""``agentcp-fsm diagram``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from agentcp_fsm.cli import streams
from agentcp_fsm.errors import ChartError, ConfigError, DiagramFileError
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram import docs
from agentcp_fsm.fsm.diagram.files import DiagramFile, check_page, format_of
from agentcp_fsm.fsm.diagram.formats import FORMATS, Theme, format_named

OURS = "agentcp_fsm.lifecycle.chart:CHART"
STALE = 1
"""The exit status if a file is stale."""


def load_chart(target: str) -> Chart:
    """The chart that ``module:name`` names; the module may be in the present folder.

    Raises ChartError if it names none.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise ChartError(f"{target!r} names no chart: write module:name, as in {OURS}")
    sys.path.insert(0, os.getcwd())
    try:
        value: object = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise ChartError(f"the module {module_name} imports {error.name}, which is not installed") from error
        raise ChartError(
            f"there is no module {error.name}: run the command in the folder that holds it, or install it"
        ) from error
    except Exception as error:
        raise ChartError(f"the module {module_name} cannot be imported: {error!r}") from error
    finally:
        sys.path.pop(0)
    module = value
    for part in name.split("."):
        if not hasattr(value, part):
            charts = [other for other, found in vars(module).items() if isinstance(found, Chart)]
            raise ChartError(
                f"the module {module_name} has no {name}; "
                + (f"its charts are {', '.join(charts)}" if charts else "there is no chart in it")
            )
        value = getattr(value, part)
    if not isinstance(value, Chart):
        raise ChartError(f"{target} is no chart, but of type {type(value).__name__}: name a Chart")
    return value


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
