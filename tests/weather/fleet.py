"""The row of the fleet: many agents whose server dies for a minute and returns without a memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial

from agentcp_fsm.lifecycle.chart import SERVING
from agentcp_fsm.testing.agents import VirtualAgent
from agentcp_fsm.testing.network import Outage
from tests.weather.row import Measured, Row, Size
from tests.weather.scene import Scene

GONE = 60.0
"""Seconds for which the server is dead."""
PATIENCE = 300.0
HASTE = 15.0
"""Seconds after a loss in which an agent may send one datagram a second; then at most the heartbeat rate."""
INTERVAL = 5.0


def busiest(times: Iterable[float], window: float) -> int:
    """The most of `times` that lie within any `window` seconds (its end not included)."""
    ordered = sorted(times)
    most = begin = 0
    for end, time in enumerate(ordered):
        while time - ordered[begin] >= window - 1e-9:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def downtimes(agent: VirtualAgent, until: float) -> list[tuple[float, float]]:
    """From each loss of the agent to its next ONLINE."""
    found = []
    lost_at: float | None = None
    for step in agent.transitions:
        if step.source in SERVING and step.dest not in SERVING:
            lost_at = step.at
        elif step.dest in SERVING and lost_at is not None:
            found.append((lost_at, step.at))
            lost_at = None
    return found + ([(lost_at, until)] if lost_at is not None else [])


def pace_of_datagrams(agents: Sequence[VirtualAgent], until: float) -> tuple[int, float]:
    """After a loss and before the next ONLINE: the most datagrams of an agent in any second of the first 15, and the
    datagrams that an agent sends in an interval after those, on average."""
    most, later, waited = 0, 0, 0.0
    for agent in agents:
        for lost_at, back_at in downtimes(agent, until):
            sent = [at for at in agent.datagrams if lost_at <= at < back_at]
            most = max(most, busiest((at for at in sent if at < lost_at + HASTE), 1.0))
            later += sum(at >= lost_at + HASTE for at in sent)
            waited += max(back_at - lost_at - HASTE, 0.0)
    return most, later * INTERVAL / waited if waited else 0.0


@cache
def measure_fleet(size: Size, outage: Outage) -> Measured:
    """All agents come online, lose their server for a minute, and find it again."""
    scene = Scene(1, watched=size.watched)
    for number in range(size.agents):
        scene.enter(f"agent {number}", within=30.0)
    scene.settle()
    scene.network.break_for(GONE, outage)
    scene.server.restart()
    scene.clock.run_for(GONE)
    returned = scene.clock.now
    absent = set(scene.agents)

    def all_back() -> bool:
        absent.difference_update([agent for agent in absent if agent.online and agent.answered_at > returned])
        return not absent

    back = 0.0
    while not all_back() and back < PATIENCE:
        back += 0.5
        scene.clock.run_until(returned + back)
    assert not absent, f"{len(absent)} agents are not back after {PATIENCE:g} s"

    offered = [at for agent in scene.agents for at in agent.sign_ins if at >= returned - GONE]
    config = scene.config
    even = size.agents / (INTERVAL + config.unauthorized_spread)
    after = busiest((at for at in offered if at >= returned), 1.0)
    during = busiest((at for at in offered if at < returned), 1.0)
    most, later = pace_of_datagrams(scene.agents, scene.clock.now)
    figures = {
        "back": back, "after": after / even, "during": during / even, "datagrams a second": most,
        "datagrams an interval": later, "sign-ins each": len(offered) / size.agents,
    }  # fmt: skip
    return Measured(
        figures=figures,
        text=f"{max(after, during) / even:.1f} × even; {most} datagrams in a second, then {later:.2f} an interval",
        note=f"all back after {back:.1f} s; at most {after} sign-ins in a second after the return, {during} before it; "
        f"an even spread over {INTERVAL + config.unauthorized_spread:g} s is {even:.0f}; "
        f"{figures['sign-ins each']:.1f} sign-ins an agent",
    )


ROWS = tuple(
    Row(
        name=f"fleet {outage}",
        weather=f"{{agents}} agents, their server {text} for a minute and returns having forgotten all",
        target="sign-ins in any second ≤ 2 × those of an even spread; at most one datagram a second and agent for 15 s "
        "after a loss, then at most one an interval",
        measure=partial(measure_fleet, outage=outage),
        reached=lambda figures: (
            figures["after"] <= 2
            and figures["during"] <= 2
            and figures["datagrams a second"] <= 1
            and figures["datagrams an interval"] <= 1
        ),
        meaning=meaning,
    )
    for outage, text, meaning in (
        (
            Outage.REFUSED,
            "process dies",
            "The server's host refuses meanwhile. Sign-ins are counted when an agent begins them, in any second, not "
            "only whole ones; an even spread is one over an interval and the spread of sign-ins after a 401.",
        ),
        (Outage.SILENT, "host dies", "The same, but nothing answers for the server meanwhile."),
    )
)
