"""Mutants of the chart: what `mutmut` cannot reach, since a chart is data.

    python -m tests.mutation.chart_mutants [--jobs 2] [--only PATTERN]

Each mutant is our chart with one small mistake in one row: the row dropped, its destination, guards, actions or sources
changed, or its place exchanged with the next.  A mutant that `Chart.check` refuses is killed there; every other runs
the tests of the machine, with the stepper compiled from the mutant.  Survivors are listed; the exit code is 1 if there
are any that EQUIVALENT does not explain.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import SAME, Chart, Row
from agentcp_fsm.lifecycle.chart import CHART, STATES
from agentcp_fsm.lifecycle.glossary import ACTIONS, GUARDS
from agentcp_fsm.lifecycle.machine import Lifecycle

TESTS = (
    "test_heartbeats.py", "test_losses.py", "test_backing_off.py", "test_flapping.py", "test_probes.py",
    "test_repetitions.py", "test_late_sign_ins.py",
    "test_leaving.py", "test_late_events.py", "test_invitations.py", "test_hurry.py", "test_invariants.py",
    "test_liveness.py",
)  # fmt: skip
"""The tests that know the specification; those that compare with the chart itself would prove nothing."""

EQUIVALENT = {
    r"before reversed": "the actions are independent of each other",
    r"<beat_answered.*> after reversed|<invited.*> after reversed": "the actions are independent of each other",
    r"<sign_in_failed.*before without drop_attempt": "the sign-in has ended: there is nothing to abandon",
    r"<unauthorized: ONLINE, DEGRADED → STOPPING .*after reversed": "there is no session to sign out",
    r"<reconnect: BACKOFF → no change .*after reversed": "the actions are independent",
    r"<(start|deadline_passed|signed_out): .* → SIGNING_IN.*after reversed": "the actions are independent",
}
"""The survivors that behave as the chart does: patterns of their names, and why.  Only survivors are looked up here."""

PATIENCE = 120
"""Seconds after which a mutant counts as killed: its tests come to no end."""

PARTS = ("prepare", "conditions", "unless", "before", "after")


def of_row(row: Row) -> Iterator[tuple[str, Row | None]]:
    """Every mutant of one row: what was done to it, and the row that comes of it."""
    yield "dropped", None
    for dest in (None, SAME, *CHART.state_names):
        if dest != row.dest:
            yield f"dest {dest}", replace(row, dest=dest, ignored=False)
    for part in PARTS:
        names = getattr(row, part)
        for index, name in enumerate(names):
            yield f"{part} without {name}", replace(row, **{part: names[:index] + names[index + 1 :]})
        if len(names) > 1:
            yield f"{part} reversed", replace(row, **{part: names[::-1]})
    for name in row.conditions:
        rest = tuple(other for other in row.conditions if other != name)
        yield f"not {name}", replace(row, conditions=rest, unless=(*row.unless, name))
    for name in row.unless:
        rest = tuple(other for other in row.unless if other != name)
        yield f"not not {name}", replace(row, unless=rest, conditions=(*row.conditions, name))
    sources = CHART.sources(row)
    if len(sources) > 1:
        for state in sources:
            yield f"not in {state}", replace(row, source=tuple(other for other in sources if other != state))


def mutants() -> Iterator[tuple[str, tuple[Row, ...]]]:
    """Every mutant of the chart that decides anything differently: its name and its rows."""
    for trigger in CHART.triggers:
        decided = _decisions(trigger, CHART.rows)
        for name, rows in _mutants(trigger):
            if _decisions(trigger, rows) != decided:
                yield name, rows


def _decisions(trigger: str, rows: tuple[Row, ...]) -> list[tuple[object, ...]]:
    """What the rows decide about a trigger, state by state."""
    return [
        (state, row.dest, row.prepare, {*row.conditions}, {*row.unless}, row.before, row.after)
        for state in CHART.state_names
        for row in rows
        if row.trigger == trigger and state in CHART.sources(row)
    ]


def _mutants(trigger: str) -> Iterator[tuple[str, tuple[Row, ...]]]:
    rows = CHART.rows
    for index, row in enumerate(rows):
        if row.trigger != trigger:
            continue
        for what, mutant in of_row(row):
            yield f"<{row}> {what}", (*rows[:index], *(() if mutant is None else (mutant,)), *rows[index + 1 :])
        if index + 1 < len(rows) and rows[index + 1].trigger == row.trigger:
            yield f"<{row}> after the next", (*rows[:index], rows[index + 1], row, *rows[index + 2 :])


def fate(mutant: tuple[str, tuple[Row, ...]]) -> tuple[str, str]:
    """The name of a mutant and what became of it.  Runs in a process of its own, which is left changed."""
    name, rows = mutant
    used = {callback for row in rows for callback in row.callbacks}
    guards = {key: text for key, text in GUARDS.items() if key in used}
    actions = {key: text for key, text in ACTIONS.items() if key in used}
    try:
        Lifecycle.step = Chart(CHART.name, CHART.initial, STATES, rows, guards, actions).compile(Lifecycle, arity=2)
    except ChartError:
        return name, "refused"
    signal.signal(signal.SIGALRM, signal.default_int_handler)  # pytest knows what to do when it is interrupted
    signal.alarm(PATIENCE)
    return name, "survived" if tests_pass() else "killed"


def tests_pass() -> bool:
    here = Path(__file__).parents[1] / "lifecycle"
    options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:benchmark"]
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main([*options, *(str(here / test) for test in TESTS)])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED):
        raise RuntimeError(f"pytest ended with {code}:\n{output.getvalue()}")
    return code == pytest.ExitCode.OK


def explanation(name: str) -> str | None:
    return next((why for pattern, why in EQUIVALENT.items() if re.search(pattern, name)), None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="only mutants whose name this regular expression finds")
    arguments = parser.parse_args()
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"
    if not tests_pass():  # which also imports everything once, before the processes part
        raise RuntimeError("the tests fail without any mutant")
    chosen = [mutant for mutant in mutants() if re.search(arguments.only, mutant[0])]
    if not chosen:
        parser.error(f"no mutant's name matches {arguments.only!r}")
    fates: Counter[str] = Counter()
    survivors = []
    with get_context("fork").Pool(arguments.jobs, maxtasksperchild=1) as pool:
        for name, became in pool.imap_unordered(fate, chosen):
            fates[became] += 1
            if became == "survived":
                survivors.append(name)
                print(f"survived: {name}: {explanation(name) or 'unexplained'}", flush=True)
    killed = fates["killed"] + fates["refused"]
    unexplained = [name for name in survivors if explanation(name) is None]
    different = len(chosen) - (len(survivors) - len(unexplained))
    print(
        f"{len(chosen)} mutants: {fates['refused']} refused by check, {fates['killed']} killed by tests, "
        f"{len(survivors)} survived ({len(survivors) - len(unexplained)} explained): "
        f"{killed / len(chosen):.1%} killed, {killed / different:.1%} of those that behave differently"
    )
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
