"""Files of a run's seconds: CSV and Parquet tables, PNG and SVG pictures."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import astuple, fields
from pathlib import Path

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.simulation.run import Outcome, Second

COLUMNS = tuple(field.name for field in fields(Second))


def write(outcome: Outcome, file: Path) -> None:
    """Write the file, whose ending says what: .csv, .parquet, .png or .svg.

    Raises ConfigError for another ending, or if there is no library for it; OSError if it cannot be written.
    """
    check_writable(file)
    WRITERS[file.suffix.lower()](outcome, file)


def check_writable(file: Path) -> None:
    """Raise ConfigError unless `write` can write such a file."""
    suffix = file.suffix.lower()
    if suffix not in WRITERS:
        raise ConfigError(f"{file.name!r}: give a name that ends in {', '.join(WRITERS)}")
    if suffix == ".csv":
        return
    try:
        if suffix == ".parquet":
            import pyarrow.parquet  # noqa: F401
        else:
            import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"{file.name!r} needs {error.name}: pip install 'agentcp-fsm[simulation]'") from error


def _write_csv(outcome: Outcome, file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(each) for each in outcome.load)


def _write_parquet(outcome: Outcome, file: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({name: [getattr(each, name) for each in outcome.load] for name in COLUMNS})
    parquet.write_table(table, file)


def _write_picture(outcome: Outcome, file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True)
    seconds = [each.second for each in outcome.load]
    upper.plot(seconds, [each.online for each in outcome.load], color="tab:green")
    upper.set(ylabel="agents ONLINE", ylim=(0, None))
    run = outcome.run
    upper.set_title(f"{run.scenario}, {run.agents:,} agents, seed {run.seed}")
    lower.bar(seconds, [each.sign_ins for each in outcome.load], width=1, align="edge", label="sign-ins a second")
    lower.plot(seconds, [each.heartbeats for each in outcome.load], color="tab:gray", label="heartbeats a second")
    lower.set(xlabel="seconds since the disturbance", ylabel="offered to the server", ylim=(0, None))
    lower.legend()
    figure.savefig(file)


WRITERS: dict[str, Callable[[Outcome, Path], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".png": _write_picture,
    ".svg": _write_picture,
}
