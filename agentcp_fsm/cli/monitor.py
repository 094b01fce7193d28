"""``agentcp-fsm check ADDRESS``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from agentcp_fsm.errors import ConfigError, StatusError, UnreachableError
from agentcp_fsm.operations.asking import ask, read_status
from agentcp_fsm.operations.checking import Level, Threshold, Verdict, chosen, judge

PROBES = ("livez", "readyz")


def check_agents(
    address: str, agent_id: str | None, thresholds: Sequence[Threshold], timeout: float, as_json: bool
) -> int:
    """Judge the agents of a status place, print the verdict, and return its exit status."""
    return _print(_verdict(address, agent_id, thresholds, timeout), as_json)


def check_probe(address: str, probe: str, timeout: float, as_json: bool) -> int:
    """Print what ``/livez`` or ``/readyz`` of a status place says; 0 for a 200, else 2."""
    if probe not in PROBES:
        raise ConfigError(f"there is no probe {probe!r}: give {' or '.join(PROBES)}")
    try:
        status, body = ask(address, f"/{probe}", timeout)
        says = ", ".join(body.decode("utf-8", "replace").split("\n")).removesuffix(", ")
        verdict = Verdict(Level.OK if status == 200 else Level.CRITICAL, says)
    except StatusError as error:
        verdict = Verdict(Level.CRITICAL, str(error))
    return _print(verdict, as_json)


def _verdict(address: str, agent_id: str | None, thresholds: Sequence[Threshold], timeout: float) -> Verdict:
    try:
        agents = read_status(address, timeout)
        return judge(agents if agent_id is None else chosen(agents, agent_id), thresholds)
    except UnreachableError as error:
        return Verdict(Level.CRITICAL, str(error))
    except (ConfigError, StatusError) as error:
        return Verdict(Level.UNKNOWN, str(error))


def _print(verdict: Verdict, as_json: bool) -> int:
    if as_json:
        content = {"level": verdict.level.name, "says": verdict.says, "performance": list(verdict.performance)}
        sys.stdout.write(json.dumps(content) + "\n")
    else:
        sys.stdout.write(f"{verdict}\n")
    return int(verdict.level)
