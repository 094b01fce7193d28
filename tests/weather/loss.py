"""Rows of loss: a virtual day each, in which datagrams and the sign-in's packets are lost at random, each way."""

from __future__ import annotations

from functools import cache
from statistics import mean

from tests.weather.row import Measured, Row, Size
from tests.weather.scene import HOUR, alone, weather


@cache
def days(loss: float, size: Size) -> dict[str, float]:
    """The mean figures of several days."""
    found: list[dict[str, float]] = []
    for seed in range(size.seeds):
        scene, agent = alone(seed, weather(loss))
        scene.clock.run_for(size.day)
        found.append(
            {
                "losses a day": agent.losses * 86400.0 / size.day,
                "sign-ins an hour": len(agent.sign_ins) * HOUR / size.day,
                "reachable": 100 * agent.reachable / size.day,
                "ONLINE": 100 * agent.seconds_in("ONLINE") / size.day,
                "sent": len(agent.datagrams),
                "reached the server": scene.server.heartbeats,
                "reached the agent": agent.received,
            }
        )
    figures = {name: mean(each[name] for each in found) for name in found[0]}
    figures["arrived, both ways"] = figures["reached the server"] + figures["reached the agent"]
    # The server answers each heartbeat that it gets: what it sends is what it received.
    figures["sent, both ways"] = figures["sent"] + figures["reached the server"]
    return figures


def measure_loss(loss: float, size: Size) -> Measured:
    """The day's figures; datagrams beside those of a day without loss."""
    figures = dict(days(loss, size))
    calm = days(0.0, size)
    more = {name: 100 * (figures[name] / calm[name] - 1) for name in COUNTED}
    figures |= {f"{name}, more": share for name, share in more.items()}
    shares = ", ".join(f"{name} {share:+.1f} %" for name, share in more.items())
    return Measured(
        figures=figures,
        text=f"{figures['losses a day']:.1f} losses a day, {figures['sign-ins an hour']:.1f} sign-ins an hour, "
        f"reachable {figures['reachable']:.2f} %",
        note=f"datagrams beside a day without loss: {shares}; ONLINE {figures['ONLINE']:.1f} % of the day",
    )


COUNTED = ("sent", "reached the server", "reached the agent", "sent, both ways", "arrived, both ways")
"""The counts of datagrams, each beside that of a day without loss."""
EXTRA = 5.0
"""Percent of datagrams more than without loss."""
MEANING = (
    "Each packet is lost with that probability, in each direction, those of the sign-in's TCP connection too; the "
    "server is well, so each loss is needless. *Reachable* is the share of the time in which the agent holds a session "
    "that a heartbeat proved (ONLINE or DEGRADED)."
)

ROWS = (
    Row(
        name="loss 5",
        weather="5 % loss each way",
        target="0 losses a day",
        measure=lambda size: measure_loss(0.05, size),
        reached=lambda figures: figures["losses a day"] == 0,
        meaning=MEANING,
    ),
    Row(
        name="loss 10",
        weather="10 % loss each way",
        target="0 losses a day; at most 5 % more datagrams arrive, both ways, than without loss",
        measure=lambda size: measure_loss(0.1, size),
        reached=lambda figures: figures["losses a day"] == 0 and figures["arrived, both ways, more"] <= EXTRA,
        meaning="As above. Datagrams are counted in five ways; only one that arrives costs the other side anything.",
    ),
    Row(
        name="loss 30",
        weather="30 % loss each way",
        target="reachable ≥ 99 %, ≤ 4 sign-ins an hour",
        measure=lambda size: measure_loss(0.3, size),
        reached=lambda figures: figures["reachable"] >= 99 and figures["sign-ins an hour"] <= 4,
        meaning="As above.",
    ),
    Row(
        name="loss 50",
        weather="50 % loss each way",
        target="reachable ≥ 95 %",
        measure=lambda size: measure_loss(0.5, size),
        reached=lambda figures: figures["reachable"] >= 95,
        meaning="As above.",
    ),
)
