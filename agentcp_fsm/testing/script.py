"""A life of a machine as a script: its configuration, its seed, and each event with its time.

It prints as a Python program that anyone can read and run, it can be replayed, and it can be shortened.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from random import Random

from agentcp_fsm.errors import InvariantError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.testing.monitor import Watched
from agentcp_fsm.traces import Trace, record

Step = tuple[Event, float]
"""An event, and the seconds of the clock at which the machine hears of it."""

_PROGRAM = """\
from random import Random

from agentcp_fsm import Config, Invitation, Lifecycle, Session
from agentcp_fsm.lifecycle.events import *
from agentcp_fsm.testing import Watched

watched = Watched(Lifecycle({config}, Random({seed})))
"""


@dataclass(frozen=True, slots=True)
class Script:
    """Everything that decides a machine's life."""

    config: Config
    seed: int
    """Of the machine's source of chance."""
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        lines = (f"watched.handle({source_of(event)}, {source_of(now)})\n" for event, now in self.steps)
        return _PROGRAM.format(config=source_of(self.config), seed=self.seed) + "".join(lines)

    def replay(self) -> Watched:
        """Live it once more, with a monitor; return the machine.  Raises InvariantError as `Watched` does."""
        watched = Watched(Lifecycle(self.config, Random(self.seed)))  # noqa: S311 - jitter, not a secret
        for event, now in self.steps:
            watched.handle(event, now)
        return watched

    def trace(self) -> Trace:
        """The same as a trace, for `agentcp_fsm.traces.write_trace` and the command ``agentcp-fsm trace``."""
        machine = Lifecycle(self.config, Random(self.seed))  # noqa: S311 - jitter, not a secret
        recorder = record(machine, seed=self.seed)
        for event, now in self.steps:
            recorder.handle(event, now)
        return recorder.trace()

    def violation(self) -> InvariantError | None:
        """The invariant that a replay breaks; None if it breaks none."""
        try:
            self.replay()
        except InvariantError as error:
            return error
        return None

    def shortened(self, fails: Callable[[Script], bool]) -> Script:
        """Return a script that still `fails`, of which no single step can be left out.

        It is this script with steps left out: first long runs of them, then shorter ones.  This script must fail.
        """
        best = self
        length = max(len(self.steps) // 2, 1)
        while True:
            before = best
            start = 0
            while start < len(best.steps):
                shorter = replace(best, steps=best.steps[:start] + best.steps[start + length :])
                if fails(shorter):
                    best = shorter
                else:
                    start += length
            if length > 1:
                length = max(length // 2, 1)
            elif best == before:
                return best


def source_of(value: object) -> str:
    """The Python expression that makes `value`: a number, a text, or a dataclass whose defaults are left out.

    Secrets are written out: a script is for tests, whose sessions are invented.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    parts = []
    for field in fields(value):
        present = getattr(value, field.name)
        if field.default is MISSING or source_of(present) != source_of(field.default):
            parts.append(f"{field.name}={source_of(present)}")
    return f"{type(value).__name__}({', '.join(parts)})"
