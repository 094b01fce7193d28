"""What a fleet goes through, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentcp_fsm.simulation.fleet import Fleet
from agentcp_fsm.testing.network import Outage

GONE = 60.0
"""Seconds that an outage lasts."""
MINUTE = 60
"""A server of limited capacity takes sign-ins of the whole fleet within so many seconds."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A disturbance of a fleet that is ONLINE."""

    name: str
    text: str
    disturb: Callable[[Fleet], float]
    """Disturb the fleet now; return in how many seconds a recovery is possible."""


def _restart(fleet: Fleet) -> float:
    fleet.server.restart()
    return 0.0


def _move(fleet: Fleet) -> float:
    fleet.server.restart(move=True)
    return 0.0


def _server_outage(fleet: Fleet) -> float:
    fleet.break_for(GONE, Outage.REFUSED)
    fleet.server.restart()
    return GONE


def _network_outage(fleet: Fleet) -> float:
    fleet.break_for(GONE, Outage.SILENT)
    return GONE


def _partition(fleet: Fleet) -> float:
    fleet.break_for(GONE, Outage.SILENT, half=True)
    return GONE


def _overload(fleet: Fleet) -> float:
    fleet.server.rate = len(fleet.agents) / MINUTE
    fleet.server.queue = int(5 * fleet.server.rate)
    return _restart(fleet)


def _rate_limit(fleet: Fleet) -> float:
    fleet.server.limit = max(len(fleet.agents) // MINUTE, 1)
    fleet.server.retry_after = 10.0
    return _restart(fleet)


def _sign_in_failure(fleet: Fleet) -> float:
    fleet.server.failing = 1.0
    fleet.clock.after(GONE, setattr, fleet.server, "failing", 0.0)
    _restart(fleet)
    return GONE


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("server-restart", "the server forgets all sessions", _restart),
        Scenario("server-move", "the server forgets all sessions and takes heartbeats elsewhere", _move),
        Scenario(
            "server-outage", "the server's process is gone for a minute, and its sessions with it", _server_outage
        ),
        Scenario("network-outage", "everything vanishes for a minute; the server keeps the sessions", _network_outage),
        Scenario("partition", "the same, for one half of the agents", _partition),
        Scenario("overload", "a restart of a server that works off the fleet's sign-ins in a minute", _overload),
        Scenario("rate-limit", "a restart of a server that answers 429 beyond that, with Retry-After: 10", _rate_limit),
        Scenario("sign-in-failure", "a restart, and for a minute every sign-in is answered 500", _sign_in_failure),
    )
}
