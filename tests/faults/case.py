"""A case of the fault bench: the fault, what must hold, what was measured, and what did not hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from agentcp_fsm import Config
from tests.faults.application import NOTHING, Resources
from tests.faults.process import Ended
from tests.timings import CALM

if TYPE_CHECKING:
    from tests.faults.bench import Bench

DEFAULT_BEAT = 0.1
"""Seconds between heartbeats that the server asks for, unless a case says otherwise."""
ROUNDING = 1e-6
"""Seconds that a sum of floats may be off."""
STOP_MARGIN = 3.0
"""Seconds beyond the configured sign-out time within which stop returns, whatever happens."""


class Ends(StrEnum):
    """How a case ends."""

    RECOVERED = "recovered"
    STOPPED = "stopped"
    EXITED = "exited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault and what must be true of it."""

    name: str
    """What happens, in the words of the table."""
    fault: Callable[[Bench], None]
    """Makes it happen, waits until the connection has met it, and ends it; at its return the clock starts."""
    within: float
    """Seconds, at most, from the end of the fault until a heartbeat is answered in ONLINE, or until it has stopped or
    exited."""
    sign_ins: int | None
    """Sign-ins that may be begun, from the beginning of the fault to the end of the case; None: exactly as many as it
    takes, one for the start, each loss, and each failed attempt that was begun before the fault was over."""
    rest: float = 0.0
    """Seconds that the server asks for after each failed attempt: its Retry-After; by a rejection, the backoff's cap.
    What else keeps sign-ins apart is judged in every case (`tests.faults.pace`)."""
    losses: int | None = 0
    """Times that the proven connection is lost, exactly; None: as may be."""
    processor: float = 0.5
    """Seconds of the application's processor time, at most, from the beginning of the fault until all is well."""
    memory: float = 32.0
    """Megabytes, at most, by which the application grows beyond what it took when the fault began."""
    left: Resources = NOTHING
    """What is left after stop, exactly: nothing, but for what the application itself holds on to."""
    sessions: int | None = None
    """Sessions that the server is left with; None: as may be."""
    ends: Ends = Ends.RECOVERED
    config: Config = CALM
    online: bool = True
    """Whether the connection is brought online before the fault begins."""
    relayed: bool = False
    """Whether the application reaches the sign-in through `Bench.relay`, so that the server's address may change."""
    next_beat: float = DEFAULT_BEAT
    """Seconds between heartbeats that the server asks for."""
    own_server: bool = False
    """Whether the fault does more to the server than its console can, so that no other case may use the same."""
    launcher: Callable[[Path], Sequence[str]] | None = None
    """Gives the command that starts the application's process, for a folder of the case's own; it may skip the test
    (`tests.needs`)."""
    across: str = ""
    """The address or name by which the application reaches a server in a network of their own (`tests.faults.network`),
    which is `Bench.lab`; without one, both are on this machine's loopback."""
    slow: bool = False
    """Whether it takes too long for every run of the tests."""
    note: str = ""
    """What the table says about how the fault is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a case."""

    case: Case
    seconds: float | None = None
    """From the end of the fault until all is well; None: never."""
    sign_ins: int = 0
    sign_ins_due: int = 0
    """The most that may be begun."""
    starved: float = 0.0
    """Seconds, at most, by which the want of a processor delayed all this from the end of the fault on."""
    losses: int = 0
    unanswered: int = 0
    """Heartbeats that were sent and not answered, from the beginning of the fault until all is well."""
    processor: float = 0.0
    """Seconds of processor time, from the beginning of the fault until all is well."""
    memory: float = 0.0
    """Megabytes by which the application grew beyond what it took when the fault began, at the most."""
    haste: float = float("-inf")
    """Seconds by which a sign-in came sooner than the rules allow, at the most."""
    stopping: float | None = None
    """Seconds that stop took."""
    left: Resources | None = None
    """What is held after stop beyond what was held before start; None: the process has exited, and all with it."""
    sessions: int | None = None
    """Sessions that the server is left with."""
    broken: tuple[str, ...] = ()
    """What does not hold of what must."""


def judged(outcome: Outcome, ended: Ended) -> Outcome:
    """The outcome with all that is broken of what must hold; `ended` is how the application's process ended."""
    case = outcome.case
    stop_bound = case.config.stop_bound + STOP_MARGIN
    broken = [
        text
        for holds, text in (
            (outcome.seconds is not None and outcome.seconds <= case.within + outcome.starved,
             f"{case.ends} after {outcome.seconds} s, not within {case.within:g} s"
             f" and {outcome.starved:.3f} s of waiting for a processor"),
            (outcome.sign_ins <= outcome.sign_ins_due,
             f"{outcome.sign_ins} sign-ins, at most {outcome.sign_ins_due} are due"),
            (case.losses in (None, outcome.losses), f"lost {outcome.losses} times, not {case.losses}"),
            (outcome.processor <= case.processor,
             f"{outcome.processor:.3f} s of processor time, at most {case.processor:g} s are due"),
            (outcome.memory <= case.memory, f"it grew by {outcome.memory:.0f} MB, at most {case.memory:g} MB are due"),
            (outcome.haste <= ROUNDING, f"a sign-in came {outcome.haste} s too early"),
            (outcome.stopping is None or outcome.stopping <= stop_bound,
             f"stop took {outcome.stopping} s, at most {stop_bound:g} s are due"),
            (outcome.left in (None, case.left), f"left over: {outcome.left}"),
            (case.sessions in (None, outcome.sessions),
             f"the server is left with {outcome.sessions} sessions, not {case.sessions}"),
            (not ended.orphans, f"processes that it began are left: {ended.orphans}"),
            (ended.status == 0, f"the process ended with status {ended.status}"),
            (not ended.errors, f"the process wrote errors:\n{ended.errors}"),
        )
        if not holds
    ]  # fmt: skip
    return replace(outcome, broken=tuple(broken))
