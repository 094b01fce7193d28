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


def losses(agent: VirtualAgent) -> list[float]:
    """When the agent lost a proven connection."""
    return [step.at for step in agent.transitions if step.source in SERVING and step.dest not in SERVING]


def pace_of_datagrams(agents: Sequence[VirtualAgent], until: float) -> tuple[int, int, float]:
    """While the server is gone: the most datagrams of an agent in any second of the first 15 after a loss, the most in
    any interval after those, and how many an agent sends in an interval after those, on average."""
    most_early = most_late = late = 0
    waited = 0.0
    for agent in agents:
        for lost_at in losses(agent):
            calm_at = lost_at + HASTE
            early = [at for at in agent.datagrams if lost_at <= at < min(calm_at, until)]
            calm = [at for at in agent.datagrams if calm_at <= at < until]
            most_early = max(most_early, busiest(early, 1.0))
            most_late = max(most_late, busiest(calm, INTERVAL))
            late += len(calm)
            waited += max(until - calm_at, 0.0)
    return most_early, most_late, late * INTERVAL / waited if waited else 0.0


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
    most, later, average = pace_of_datagrams(scene.agents, returned)
    sent = busiest((at for agent in scene.agents for at in agent.datagrams if at >= returned - GONE), 1.0)
    figures = {
        "back": back, "after": after / even, "during": during / even, "datagrams a second": most,
        "datagrams an interval": later, "sign-ins each": len(offered) / size.agents,
    }  # fmt: skip
    return Measured(
        figures=figures,
        text=f"{max(after, during) / even:.1f} × even; {most} in a second, then {later} an interval",
        note=f"all back after {back:.1f} s; at most {after} sign-ins in a second after the return, {during} before it; "
        f"an even spread over {INTERVAL + config.unauthorized_spread:g} s is {even:.0f}; "
        f"{figures['sign-ins each']:.1f} sign-ins an agent; {average:.2f} datagrams an interval and agent from 15 s "
        f"after its loss to the return; all agents send at most {sent} datagrams in a second, "
        f"{size.agents / INTERVAL:.0f} in good weather",
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
