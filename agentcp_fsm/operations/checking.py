"""Judges how agents are, in the manner of monitoring plugins: a level, one line, and performance data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from agentcp_fsm.errors import ConfigError, StatusError
from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.operations.asking import AgentStatus


class Level(IntEnum):
    """A monitoring plugin's exit status."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


SEVERITY = (Level.OK, Level.WARNING, Level.UNKNOWN, Level.CRITICAL)
"""From the best to the worst: the worst of several is the level of all."""
LEVEL_OF = {State.ONLINE: Level.OK, State.DEGRADED: Level.WARNING}
"""All other states are critical: no invitation arrives."""
LOSSES = "losses_last_hour"
"""The one measure that is counted here; the others are fields of `Health`."""
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Threshold:
    """Above which values something is worth a warning, or critical; None: never."""

    name: str
    unit: str
    """Of performance data: ``s``, or nothing."""
    warning: float | None = None
    critical: float | None = None

    def __post_init__(self) -> None:
        for limit in (self.warning, self.critical):
            if limit is not None and not limit >= 0:
                raise ConfigError(f"the threshold {limit!r} of {self.name} is below 0: give 0 or more")
        if self.warning is not None and self.critical is not None and self.warning > self.critical:
            raise ConfigError(
                f"the warning {self.warning:g} of {self.name} is above its critical {self.critical:g}: lower the one or"
                " raise the other"
            )

    def judge(self, value: float | None) -> Level:
        """The level of a measured value; None, where nothing was measured, is unknown if it is to be judged."""
        if value is None:
            return Level.OK if self.warning is None and self.critical is None else Level.UNKNOWN
        if self.critical is not None and value > self.critical:
            return Level.CRITICAL
        return Level.WARNING if self.warning is not None and value > self.warning else Level.OK

    def performance(self, agent_id: str, value: float | None) -> str:
        """Performance data: ``'label'=value;warning;critical;minimum``."""
        label = f"{agent_id} {self.name}".strip().replace("=", "_").replace("'", "''")
        limits = ";".join("" if limit is None else f"{limit:g}" for limit in (self.warning, self.critical))
        return f"'{printable(label)}'={'U' if value is None else f'{value:.6g}{self.unit}'};{limits};0"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a monitoring plugin prints, and its exit status."""

    level: Level
    says: str
    performance: tuple[str, ...] = ()

    def __str__(self) -> str:
        says = printable(" ".join(self.says.split())).replace("|", "/")  # which begins the performance data
        data = f" | {' '.join(self.performance)}" if self.performance else ""
        return f"AGENTCP {self.level.name} - {says}{data}"


def judge(agents: Sequence[AgentStatus], thresholds: Sequence[Threshold]) -> Verdict:
    """Judge how agents are; raises `StatusError` if that is not said in the form of `Health.to_dict`."""
    if not agents:
        return Verdict(Level.CRITICAL, "there are no agents")
    found = [_judge_one(agent, thresholds) for agent in agents]
    level = max((level for level, _ in found), key=SEVERITY.index)
    troubles = [says for each, says in found if each is not Level.OK]
    if len(agents) == 1:
        says = found[0][1]
    else:
        well = sum(bool(agent.get("reachable")) for agent in agents)
        says = "; ".join((f"{well} of {len(agents)} agents are reachable", *troubles))
    performance = tuple(
        threshold.performance("" if len(agents) == 1 else _id_of(agent), value)
        for agent in agents
        for threshold, value in _measured(agent, thresholds)
    )
    return Verdict(level, says, performance)


def chosen(agents: Iterable[AgentStatus], agent_id: str) -> list[AgentStatus]:
    """Return the one agent of that id; raises `StatusError` if there is none."""
    known = list(agents)
    found = [agent for agent in known if agent.get("agent_id") == agent_id]
    if not found:
        raise StatusError(f"there is no agent {agent_id} there, but {', '.join(map(_id_of, known)) or 'none at all'}")
    return found


def _judge_one(agent: AgentStatus, thresholds: Sequence[Threshold]) -> tuple[Level, str]:
    try:
        state = State(str(agent["state"]))
    except (KeyError, ValueError):
        raise StatusError(f"the status of {_id_of(agent)} names no state that there is") from None
    levels = [LEVEL_OF.get(state, Level.CRITICAL)]
    says = f"{_id_of(agent)} {state}"
    if isinstance(since := agent.get("since"), int | float):
        says += f" for {since:.1f} s"
    if levels[0] is not Level.OK and agent.get("reason"):
        says += f": {agent['reason']}"
    for threshold, value in _measured(agent, thresholds):
        if (level := threshold.judge(value)) is not Level.OK:
            levels.append(level)
            limit = threshold.critical if level is Level.CRITICAL else threshold.warning
            shown = "is not known" if value is None else f"is {value:.4g}{threshold.unit}, above {limit:g}"
            says += f", {threshold.name} {shown}"
    return max(levels, key=SEVERITY.index), says


def _measured(agent: AgentStatus, thresholds: Sequence[Threshold]) -> Iterator[tuple[Threshold, float | None]]:
    for threshold in thresholds:
        value = _losses(agent) if threshold.name == LOSSES else agent.get(threshold.name)
        yield threshold, float(value) if isinstance(value, int | float) else None


def _losses(agent: AgentStatus) -> int | None:
    """How often the connection was lost in the last hour, as far as its last transitions go back; None: not known."""
    match agent.get("transitions"):
        case list(transitions):
            return sum(1 for each in transitions if isinstance(each, dict) and each.get("lost") and each["age"] <= HOUR)
        case _:
            return None


def _id_of(agent: AgentStatus) -> str:
    return str(agent.get("agent_id", "an agent without an id"))
