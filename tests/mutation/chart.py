"""Mutates the connection's chart, and counts the mutants that the tests notice: ``python -m tests.mutation.chart``.

mutmut changes code (``[tool.mutmut]`` in pyproject.toml has it change the machine); a chart is data.  Each mutant here
is one change of one row: the row gone, a guard gone or turned round, an action gone, another destination, or its place
in the order exchanged with the next one's.  A mutant is killed by `Chart.check`, or by the tests of the machine, which
run on it in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from agentcp_fsm.chart import CHART, State
from agentcp_fsm.engine import Chart, Row
from agentcp_fsm.errors import ChartError
from agentcp_fsm.lifecycle import Lifecycle

TESTS = ("tests/lifecycle/test_rules.py", "tests/benchmarks/test_hand_written.py", "tests/lifecycle")
TIMEOUT = 120
"""Seconds of processor time for a mutant's tests: one that never ends is noticed too."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A chart with one defect."""

    what: str
    rows: tuple[Row, ...]

    @property
    def chart(self) -> Chart:
        """The chart with the defect; its glossary is dropped, as a defect may leave a name unused."""
        return Chart(CHART.name, CHART.initial, CHART.states, self.rows)


def changed(row: Row, **changes: object) -> Row:
    """The row with some fields replaced."""
    values = {name: getattr(row, name) for name in Row.__slots__} | changes
    return Row(values.pop("trigger"), values.pop("source"), values.pop("dest"), **values)


def mutants() -> Iterator[Mutant]:
    """Every mutant of the chart."""
    for index, row in enumerate(CHART.rows):
        before, after = CHART.rows[:index], CHART.rows[index + 1 :]
        yield Mutant(f"<{row}> gone", before + after)
        for variant, what in variants(row):
            yield Mutant(f"<{row}> {what}", (*before, variant, *after))
        following = next((n for n, other in enumerate(after) if shares_a_cell(row, other)), None)
        if following is not None:
            rest = after[:following] + after[following + 1 :]
            yield Mutant(f"<{row}> after <{after[following]}>", (*before, after[following], row, *rest))


def shares_a_cell(row: Row, other: Row) -> bool:
    """Whether the order of the two rows decides anything."""
    return row.trigger == other.trigger and bool(set(CHART.sources(row)) & set(CHART.sources(other)))


def variants(row: Row) -> Iterator[tuple[Row, str]]:
    """The row with one thing changed."""
    for name in row.conditions:
        rest = tuple(other for other in row.conditions if other != name)
        yield changed(row, conditions=rest), f"without the guard {name}"
        yield changed(row, conditions=rest, unless=(*row.unless, name)), f"with the guard {name} turned round"
    for name in row.unless:
        rest = tuple(other for other in row.unless if other != name)
        yield changed(row, unless=rest), f"without the guard {name}"
        yield changed(row, unless=rest, conditions=(*row.conditions, name)), f"with the guard {name} turned round"
    for field in ("before", "after"):
        actions: tuple[str, ...] = getattr(row, field)
        for name in actions:
            yield changed(row, **{field: tuple(o for o in actions if o != name)}), f"without the action {name}"
    for state in State:
        if row.dest is not None and state != row.dest:
            yield changed(row, dest=state), f"leading to {state}"


def survives(mutant: Mutant) -> bool:
    """Whether nothing notices the defect."""
    try:
        mutant.chart.check(Lifecycle)
    except ChartError:
        return False
    child = os.fork()
    if child == 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT, TIMEOUT))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        Lifecycle.step = mutant.chart.compile(Lifecycle, arity=2)
        os._exit(pytest.main([*TESTS, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark"]))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main() -> int:
    """Run the command; returns the exit status: 0 if the share of killed mutants is reached."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.chart", description=__doc__)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="mutants at once")
    parser.add_argument("--only", default="", help="only mutants whose description contains this")
    parser.add_argument("--share", type=float, default=0.95, help="the share to be killed")
    options = parser.parse_args()
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"
    chosen = [mutant for mutant in mutants() if options.only in mutant.what]
    survivors = 0
    with ThreadPoolExecutor(options.workers) as pool:
        for mutant, alive in zip(chosen, pool.map(survives, chosen), strict=True):
            if alive:
                survivors += 1
                print(f"survived: {mutant.what}", flush=True)
    killed = len(chosen) - survivors
    print(f"{killed} of {len(chosen)} mutants killed: {killed / max(len(chosen), 1):.1%}")
    return 0 if killed >= options.share * len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
