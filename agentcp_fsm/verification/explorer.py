"""Explores the machine's situations under one configuration, breadth first, and holds each to all that is known.

    result = explore(Config())
    assert result.violation is None

On every edge: the monitor's invariants S1 to S10, its rules, duties and reports (`agentcp_fsm.testing.monitor`);
nothing raises.  In every situation: L1 to L3 (`agentcp_fsm.verification.liveness`), and a machine restored from the
snapshot is the same machine.  The first violation is one of the shortest scripts, counted in waits and events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_all_start_methods, get_context
from typing import Any

from agentcp_fsm.errors import InvariantError
from agentcp_fsm.fsm.chart import Row
from agentcp_fsm.lifecycle.chart import CHART, ONLINE, RECONNECTING
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.glossary import GUARDS
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.statistics import Statistics
from agentcp_fsm.lifecycle.variables import Snapshot
from agentcp_fsm.testing.duties import Meaning, meaning_of
from agentcp_fsm.testing.monitor import Monitor
from agentcp_fsm.testing.reports import Reports
from agentcp_fsm.verification.environment import Environment
from agentcp_fsm.verification.liveness import check_liveness
from agentcp_fsm.verification.script import HIGHEST, LOWEST, Draws, Step
from agentcp_fsm.verification.situation import Situation, Thresholds

OUTSIDE = {"config", "random", "statistics", "_effects"}
"""What of a machine is no part of its state: given from outside, or written only."""
PACE = 250
"""Situations that are worth a process, and a report of progress."""
FORK: Any = get_context("fork") if "fork" in get_all_start_methods() else None

EARLIER = ReportTransition(ONLINE, RECONNECTING, "socket_failed", "An earlier loss.", "", -1.0, True)
"""The last loss and failure before each step: only another may replace it."""

Progress = Callable[[int, int], None]
"""Is given how many situations were explored, and how many are known."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What was found, and the script that shows it."""

    name: str
    """The invariant (S1 to S10, L1 to L3), "rule", "snapshot" or "raises"."""
    text: str
    steps: tuple[Step, ...]
    """The events; the last of them breaks it, or leads to the situation that does."""
    at: float
    """When, in seconds; later than the last step if the situation is one of waiting."""


@dataclass(slots=True)
class Result:
    """What an exploration has found."""

    config: Config
    situations: int = 1
    edges: int = 0
    """Waits, and events with what was drawn."""
    depth: int = 0
    """Of the deepest situation, in waits and events."""
    seconds: float = 0.0
    complete: bool = False
    """Whether every situation was explored, and not only as many as were allowed."""
    violation: Violation | None = None
    rows: set[tuple[str, str]] = field(default_factory=set)
    """The rows that were taken, as text, each with the state in which it was."""
    answers: set[tuple[str, bool]] = field(default_factory=set)
    """Guards, with the answers that they were seen to give."""


def explore(
    config: Config,
    machine: type[Lifecycle] = Lifecycle,
    *,
    whole: bool = False,
    liveness: bool = True,
    at_most: int = 1_000_000,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Result:
    """Explore every situation, until the first violation, or until `at_most` situations are known.

    Without `liveness`, only steps are judged, not what follows from each situation.  `whole` keeps all data of a
    situation apart at once, which is many times the work (`situation`).  `jobs` processes share the work where the
    system can fork; the result is the same.
    """
    return _Exploration(config, machine, whole, liveness, at_most).run(jobs, progress)


@dataclass(frozen=True, slots=True)
class _Found:
    """A situation that may be a new one, and the way to it."""

    keys: list[Hashable]
    situation: Situation
    source: int
    """The number of the situation before it."""
    step: Step | None
    """The event between; None for a wait."""


class _Exploration:
    def __init__(self, config: Config, machine: type[Lifecycle], whole: bool, liveness: bool, at_most: int) -> None:
        self._result = Result(config)
        self._whole, self._liveness, self._at_most = whole, liveness, at_most
        self._environment = Environment(config)
        self._thresholds = Thresholds.of(config)
        self._draws = Draws()
        self._taken: dict[tuple[int, str], Row] = {}
        kind = _recording(machine, self._taken, self._result.answers)
        self._machine = kind(config, self._draws)
        self._mirror = kind(config, Draws())  # of its own: what it draws counts for no edge
        self._variables = [
            name
            for each in machine.__mro__
            for name in _slots(each)
            if name not in OUTSIDE and not name.startswith("__")
        ]
        self._seen: set[Hashable] = set()
        self._found: list[_Found] = []
        """What a part of a level has found."""
        self._met: set[Hashable] = set()
        """The keys of that."""
        self._situations: list[Situation] = []
        self._ways: list[tuple[int, Step | None]] = []

    def run(self, jobs: int, progress: Progress | None) -> Result:
        began = time.perf_counter()
        result = self._result
        root = Situation(self._machine.snapshot(), Monitor(result.config), 0.0)
        self._keep([_Found(root.keys(self._thresholds, self._whole), root, -1, None)])
        first = 0
        while first < len(self._situations) and result.violation is None and len(self._situations) < self._at_most:
            level = range(first, len(self._situations))
            first = len(self._situations)
            for part in self._parts(level, jobs):
                if progress is not None:
                    progress(level.start, first)
                self._keep(self._shared(part, jobs) if jobs > 1 and FORK and len(part) > PACE else self._explored(part))
                if result.violation is not None:
                    break
            result.depth += first < len(self._situations)
        result.complete = result.violation is None and first == len(self._situations)
        result.situations = len(self._situations)
        result.rows = {(str(row), state) for (_, state), row in self._taken.items()}
        _note_plain_answers(((state, row) for (_, state), row in self._taken.items()), result.answers)
        result.seconds = time.perf_counter() - began
        return result

    def _parts(self, level: range, jobs: int) -> Iterator[range]:
        """Parts of a level, after each of which progress is shown."""
        size = PACE * 4 * jobs
        return (level[start : start + size] for start in range(0, len(level), size))

    def _shared(self, part: range, jobs: int) -> list[_Found]:
        """What several processes find together, in the same order as one."""
        share = -(-len(part) // jobs)
        children = []
        for start in range(0, len(part), share):
            receiver, sender = FORK.Pipe(duplex=False)
            child = FORK.Process(target=self._report, args=(sender, part[start : start + share]))
            child.start()
            sender.close()
            children.append((child, receiver))
        found: list[_Found] = []
        for child, receiver in children:
            its, violation, edges, taken, answers = receiver.recv()
            child.join()
            self._result.edges += edges
            self._taken.update(taken)
            self._result.answers.update(answers)
            if self._result.violation is None:
                found += its
                self._result.violation = violation
        return found

    def _report(self, sender: Any, part: range) -> None:
        """Explore in a process of its own, and send what was found."""
        self._result.edges = 0
        found, result = self._explored(part), self._result
        sender.send((found, result.violation, result.edges, self._taken, result.answers))

    def _explored(self, part: range) -> list[_Found]:
        self._found, self._met = [], set()
        for number in part:
            self._expand(number)
            if self._result.violation is not None:
                break
        return self._found

    def _keep(self, found: list[_Found]) -> None:
        """Keep what is new of what was found; in a process of its own, much may be that another has found as well."""
        for each in found:
            known = len(self._seen)
            self._seen.update(each.keys)
            if len(self._seen) > known:
                self._situations.append(each.situation)
                self._ways.append((each.source, each.step))

    def _expand(self, number: int) -> None:
        situation, result = self._situations[number], self._result
        clock, books = situation.clock, situation.monitor.books
        for until in self._environment.waits(situation):
            result.edges += 1
            try:
                self._meet(Situation(situation.snapshot, situation.monitor, until), number, None)
            except InvariantError as error:
                self._violated(_name_of(error), str(error), number, None, until)
                return
        machine, draws = self._machine, self._draws
        before = situation.snapshot._replace(now=clock)
        state, due = before.state, clock >= situation.deadline
        machine.restore(before)
        changed = False
        for event in self._environment.events(situation):
            meaning = meaning_of(event, books, state, due)
            for drawn in (LOWEST, HIGHEST):
                if changed:
                    machine.restore(before)
                    changed = False
                machine.statistics = Statistics(last_loss=EARLIER, last_failure=EARLIER)
                draws.value, draws.count = drawn, 0
                result.edges += 1
                try:
                    effects = machine.handle(event, clock)
                    monitor = situation.monitor
                    if meaning is Meaning.EFFECT or effects or machine.snapshot() != before:
                        changed = True
                        monitor = monitor.copy()
                        monitor.reports = Reports(EARLIER)
                        monitor.observe(event, clock, effects, machine.state, machine.deadline)
                        monitor.check_statistics(machine.statistics)
                        self._meet(Situation(machine.snapshot(), monitor, clock), number, Step(clock, event, drawn))
                    elif _uncounted(meaning, machine.statistics):
                        raise InvariantError(f"broken: {meaning.value}, and this was not counted")
                except InvariantError as error:
                    self._violated(_name_of(error), str(error), number, Step(clock, event, drawn), clock)
                except Exception as error:  # noqa: BLE001 - rule 13: whatever it is, it is a violation
                    self._violated("raises", f"rule 13: {error!r}", number, Step(clock, event, drawn), clock)
                if result.violation is not None:
                    return
                if not draws.count:
                    break

    def _meet(self, situation: Situation, source: int, step: Step | None) -> None:
        """Note a situation if it may be a new one, and hold it to what each must keep."""
        keys = situation.keys(self._thresholds, self._whole)
        seen, met = self._seen, self._met
        if all(key in seen or key in met for key in keys):
            return
        met.update(keys)
        if step is not None:
            self._check_snapshot(situation.snapshot)
        if self._liveness:
            self._mirror.restore(situation.snapshot)
            check_liveness(self._mirror, situation.clock)
        self._found.append(_Found(keys, situation, source, step))

    def _check_snapshot(self, snapshot: Snapshot) -> None:
        """The machine is that of its snapshot: nothing is remembered elsewhere."""
        mirror, machine = self._mirror, self._machine
        mirror.restore(snapshot)
        for name in self._variables:
            its, restored = getattr(machine, name, None), getattr(mirror, name, None)
            if its != restored:
                raise InvariantError(f"snapshot broken: it does not keep {name}, which is {its!r}, not {restored!r}")

    def _violated(self, name: str, text: str, source: int, step: Step | None, at: float) -> None:
        steps = (*self._steps_to(source), *([] if step is None else [step]))
        self._result.violation = Violation(name, text, steps, at)

    def _steps_to(self, number: int) -> Iterator[Step]:
        found: list[Step] = []
        while number > 0:
            number, step = self._ways[number]
            if step is not None:
                found.append(step)
        return reversed(found)


def _name_of(error: InvariantError) -> str:
    first = str(error).partition(" ")[0]
    return "rule" if first in ("broken", "broken:") else first


def _uncounted(meaning: Meaning, statistics: Statistics) -> bool:
    counts = (statistics.ignored, statistics.stale, statistics.malformed)
    return counts != (meaning is Meaning.IGNORED, meaning is Meaning.STALE, meaning is Meaning.NOISE)


def _slots(kind: type) -> tuple[str, ...]:
    slots: Any = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _recording(
    machine: type[Lifecycle], taken: dict[tuple[int, str], Row], answers: set[tuple[str, bool]]
) -> type[Lifecycle]:
    """The same kind of machine, which notes the rows that it takes and the answers of its guards."""
    step = machine.step

    def noting_step(self: Lifecycle, trigger: str, event: Event, now: float) -> Row:
        source = self.state
        row = step(self, trigger, event, now)
        taken[id(row), source] = row
        return row

    namespace: dict[str, object] = {"__slots__": (), "step": noting_step}
    for name in GUARDS:
        guard = getattr(machine, name)
        if callable(guard):
            namespace[name] = _noting_guard(name, guard, answers)
    return type(machine.__name__, (machine,), namespace)


def _noting_guard(name: str, guard: Any, answers: set[tuple[str, bool]]) -> Callable[..., bool]:
    def noting(self: Lifecycle, event: Event, now: float) -> bool:
        answer: bool = guard(self, event, now)
        answers.add((name, answer))
        return answer

    return noting


def _note_plain_answers(taken: Iterable[tuple[str, Row]], answers: set[tuple[str, bool]]) -> None:
    """Of guards that are variables, which no function is called for: the rows that were taken show their answers."""
    for state, row in taken:
        answers.update((name, True) for name in row.conditions)
        answers.update((name, False) for name in row.unless)
        for earlier in CHART.cell(state, row.trigger):
            if earlier == row:
                break
            if len(earlier.guards) == 1:  # which was asked, and disagreed
                answers.update((name, False) for name in earlier.conditions)
                answers.update((name, True) for name in earlier.unless)
