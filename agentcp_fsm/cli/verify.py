"""``agentcp-fsm verify``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from agentcp_fsm.cli.output import Output, plain
from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.verification import Result, explore
from agentcp_fsm.verification.explorer import FORK
from agentcp_fsm.verification.matrix import MATRIX, answers_never_seen, impossible, is_possible, rows_never_taken
from agentcp_fsm.verification.promela import promela
from agentcp_fsm.verification.script import as_test, as_text

FOUND = 1
"""The exit status if something was found."""


def run_verify(
    settings: Sequence[str], with_matrix: bool, whole: bool, jobs: int, as_json: bool, as_pytest: bool
) -> int:
    """Verify one configuration, or the matrix with the same settings changed; return the exit status."""
    changes = read_settings(settings)
    if with_matrix:
        configs = {name: _changed(config, changes) for name, config in MATRIX.items()}
    else:
        configs = {"default" if not changes else ", ".join(settings): Config(**changes)}
    results = {}
    for name, result in _explored(configs, whole, jobs):
        results[name] = result
        if not as_json:
            _show(name, result)
    ordered = {name: results[name] for name in configs}
    violated = {name: result for name, result in ordered.items() if result.violation is not None}
    missing = [] if violated else _missing(list(ordered.values()))
    if as_json:
        content = {
            "verified": not violated and not (with_matrix and missing),
            "configurations": [_data(name, result) for name, result in ordered.items()],
            "missing": missing,
        }
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        console = Output().console
        for name, result in violated.items():
            _show_violation(console, name, result, as_pytest)
        for what in missing:
            console.print(plain(what), soft_wrap=True)
    return FOUND if violated or (with_matrix and missing) else 0


def write_promela(path: Path, settings: Sequence[str]) -> None:
    """Write the Promela model of a configuration.  Raises OSError if the file cannot be written."""
    path.write_text(promela(Config(**read_settings(settings))), encoding="utf-8")


def read_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Fields of `Config` from texts NAME=VALUE.  Raises ConfigError for one that names no field, or has no number."""
    known = {item.name for item in fields(Config)}
    changes: dict[str, Any] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if name not in known or not equals:
            raise ConfigError(f"{text!r} sets nothing: write NAME=VALUE, with a NAME of {', '.join(sorted(known))}")
        try:
            changes[name] = None if value == "None" else int(value) if value.isdecimal() else float(value)
        except ValueError as error:
            raise ConfigError(f"{text!r} sets no number: write one behind {name}=") from error
    return changes


def _changed(config: Config, changes: Mapping[str, Any]) -> Config:
    return Config(**({item.name: getattr(config, item.name) for item in fields(Config)} | dict(changes)))


def _explored(configs: Mapping[str, Config], whole: bool, jobs: int) -> Iterator[tuple[str, Result]]:
    """Each configuration with its result, as they are ready; on a terminal with a bar meanwhile."""
    with _bar() as bar:
        if len(configs) == 1:
            ((name, config),) = configs.items()
            task = bar.add_task(name, total=None)

            def advance(explored: int, known: int) -> None:
                bar.update(task, completed=explored, total=known)
                bar.refresh()

            yield name, explore(config, whole=whole, jobs=jobs, progress=advance)
            return
        task = bar.add_task("configurations", total=len(configs))
        with ProcessPoolExecutor(jobs, mp_context=FORK) as pool:
            waiting = {pool.submit(explore, config, whole=whole): name for name, config in configs.items()}
            for future in as_completed(waiting):
                bar.advance(task)
                bar.refresh()
                yield waiting[future], future.result()


@contextmanager
def _bar() -> Iterator[Progress]:
    """A bar on standard error, refreshed by hand: a thread of its own would be in the way of a fork."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} of {task.total}")
    console = Console(stderr=True)
    with Progress(
        *columns, TimeElapsedColumn(), console=console, auto_refresh=False, transient=True,
        disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        yield bar


def _missing(results: Sequence[Result]) -> list[str]:
    """The rows that were never taken, and the guards never seen both ways, though a configuration allows it."""
    configs = [result.config for result in results]
    never = [set(impossible(config)) for config in configs]
    rows = [row for row in rows_never_taken(results) if any(is_possible(row, config) for config in configs)]
    answers = [answer for answer in answers_never_seen(results) if not all(answer in its for its in never)]
    return [
        *(f"row <{row}> was never taken" for row in rows),
        *(f"guard {name} never answered {answer}" for name, answer in answers),
    ]


def _show(name: str, result: Result) -> None:
    console = Output().console
    verdict = ("holds", "green") if result.violation is None else (f"{result.violation.name} broken", "red")
    sizes = f"{result.situations:,} states, {result.edges:,} edges, depth {result.depth}, {result.seconds:.1f} s"
    console.print(plain(f"{name}: {sizes}: ", verdict), soft_wrap=True)


def _show_violation(console: Console, name: str, result: Result, as_pytest: bool) -> None:
    violation = result.violation
    assert violation is not None
    if as_pytest:
        sys.stdout.write(_test(result))
        return
    console.print(plain((f"{name}: {violation.name}: ", "red"), violation.text.splitlines()[0]), soft_wrap=True)
    for line in as_text(result.config, violation.steps):
        console.print(plain(line), soft_wrap=True)
    if violation.steps and violation.at > violation.steps[-1].at:
        console.print(plain(f"    at {violation.at!r} s: this is broken"), soft_wrap=True)


def _test(result: Result) -> str:
    violation = result.violation
    assert violation is not None
    check = "check_liveness" if violation.name.startswith("L") else None
    return as_test(result.config, violation.steps, violation.text, check)


def _data(name: str, result: Result) -> dict[str, object]:
    violation = result.violation
    return {
        "name": name,
        "states": result.situations,
        "edges": result.edges,
        "depth": result.depth,
        "seconds": round(result.seconds, 3),
        "complete": result.complete,
        "violation": None
        if violation is None
        else {
            "name": violation.name,
            "text": violation.text,
            "at": violation.at,
            "script": [str(step) for step in violation.steps],
            "pytest": _test(result),
        },
    }
