"""A script of events that leads a machine somewhere: as text, as a test, and carried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass

from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.testing.monitor import Watched

LOWEST, HIGHEST = 0.0, 1.0 - 2.0**-53
"""The extremes of what a random source draws."""


@dataclass(frozen=True, slots=True)
class Step:
    """An event of a script."""

    at: float
    """In seconds."""
    event: Event
    drawn: float = LOWEST
    """What every draw of the step yields."""

    def __str__(self) -> str:
        drawn = "" if self.drawn == LOWEST else "   (draws the most)"
        return f"at {self.at!r} s: {self.event!r}{drawn}"


class Draws:
    """A random source that draws what it is set to."""

    __slots__ = ("count", "value")

    def __init__(self) -> None:
        self.value = LOWEST
        self.count = 0
        """How often it was asked."""

    def random(self) -> float:
        """The number that is set."""
        self.count += 1
        return self.value


def replay(config: Config, steps: Iterable[Step], machine: type[Lifecycle] = Lifecycle) -> Watched:
    """Carry a script out on a new, watched machine, and return it.

    Raises InvariantError where an invariant does not hold, and whatever the machine raises.
    """
    draws = Draws()
    watched = Watched(machine(config, draws))
    for step in steps:
        draws.value = step.drawn
        watched.handle(step.event, step.at)
    return watched


def as_text(config: Config, steps: Sequence[Step], machine: type[Lifecycle] = Lifecycle) -> Iterator[str]:
    """The script's lines, with what the machine did."""
    draws = Draws()
    its = machine(config, draws)
    for number, step in enumerate(steps, 1):
        draws.value = step.drawn
        before = its.state
        try:
            effects: list[Effect] = its.handle(step.event, step.at)
        except Exception as error:  # noqa: BLE001 - it is what was found
            yield f"{number:3} {step}: raises {error!r}"
            return
        yield f"{number:3} {step}: {before} → {its.state}, deadline {its.deadline!r}"
        yield from (f"      {effect!r}" for effect in effects)


def as_test(config: Config, steps: Sequence[Step], what: str, check: str | None = None) -> str:
    """A pytest function that carries the script out; `check` names a function of `verification` to call at its end."""
    usual = Config()
    changed = ", ".join(
        f"{item.name}={getattr(config, item.name)!r}"
        for item in fields(Config)
        if getattr(config, item.name) != getattr(usual, item.name)
    )
    kinds = sorted({type(step.event).__name__ for step in steps})
    of_session = [kind for kind in ("Invitation", "Session") if any(kind in _source(step.event) for step in steps)]
    lines = [
        "from agentcp_fsm.lifecycle.config import Config",
        f"from agentcp_fsm.lifecycle.events import {', '.join(kinds)}",
        *([f"from agentcp_fsm.lifecycle.session import {', '.join(of_session)}"] if of_session else []),
        f"from agentcp_fsm.verification import Step, {f'{check}, ' if check else ''}replay",
        "",
        "",
        "def test_found_by_verify() -> None:",
        *(f"    # {line}" for line in what.splitlines()[:1]),
        "    script = [",
        *(f"        Step({step.at!r}, {_source(step.event)}{_drawn(step)})," for step in steps),
        "    ]",
        f"    watched = replay(Config({changed}), script)",
        f"    {check}(watched.machine)" if check else "    assert watched.machine.deadline >= watched.machine.now",
    ]
    return "\n".join(lines) + "\n"


def _drawn(step: Step) -> str:
    return "" if step.drawn == LOWEST else f", {step.drawn!r}"


def _source(value: object) -> str:
    """A dataclass as Python writes it, its hidden fields included."""
    if not is_dataclass(value):
        return repr(value)
    parts = (f"{item.name}={_source(getattr(value, item.name))}" for item in fields(value))
    return f"{type(value).__name__}({', '.join(parts)})"
