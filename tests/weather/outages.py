"""Rows of outages: how soon a heartbeat is answered again after their end."""

from __future__ import annotations

from statistics import mean

from agentcp_fsm.testing.network import Outage
from tests.weather.row import Measured, Row, Size
from tests.weather.scene import Scene, alone

PATIENCE = 1000.0
"""Seconds within which a connection recovers, or never."""


def back_after(scene: Scene, seconds: float, outage: Outage, *, forgotten: bool) -> float:
    """Have an outage of so many seconds now; return how long after its end the first heartbeat is answered."""
    (agent,) = scene.agents
    scene.network.break_for(seconds, outage)
    scene.clock.run_for(seconds / 2)
    if forgotten:
        scene.server.restart()
    scene.clock.run_for(seconds / 2)
    ended = scene.clock.now
    back = scene.clock.run_for(PATIENCE, lambda: agent.online and agent.answered_at > ended)
    assert back, f"still {agent.state} {PATIENCE:g} s after the outage"
    return scene.clock.now - ended


def measure_outage(
    seconds: float, size: Size, outage: Outage = Outage.SILENT, *, forgotten: bool = False, next_beat: float = 5.0
) -> Measured:
    """Outages at many moments, each in a scene of its own."""
    times = []
    for seed in range(size.long_phases if seconds >= 3600 else size.phases):
        scene, _ = alone(seed, next_beat=next_beat)
        scene.settle()
        times.append(back_after(scene, seconds, outage, forgotten=forgotten))
    return recovery(times)


def measure_stranding(size: Size) -> Measured:
    """A router restarts: the socket's packets vanish for good, while those of a fresh one pass."""
    times = []
    for seed in range(size.phases):
        scene, agent = alone(seed)
        scene.settle()
        begun = scene.clock.now
        agent.nat.strand()
        assert scene.clock.run_for(PATIENCE, lambda: not agent.online)  # noqa: B023 - called before the next
        assert scene.clock.run_for(PATIENCE, lambda: agent.online)  # noqa: B023
        times.append(scene.clock.now - begun)
    return recovery(times)


def recovery(times: list[float]) -> Measured:
    """The times as figures."""
    figures = {"mean": mean(times), "max": max(times)}
    return Measured(figures=figures, text=f"{figures['mean']:.1f} / {figures['max']:.1f} s")


def _row(
    name: str, text: str, seconds: float, limits: tuple[float, float], *, forgotten: bool = False,
    outage: Outage = Outage.SILENT, meaning: str = "As above.",
) -> Row:  # fmt: skip
    longest_mean, longest = limits
    return Row(
        name=name,
        weather=text,
        target=f"≤ {longest_mean:g} / {longest:g} s",
        measure=lambda size: measure_outage(seconds, size, outage, forgotten=forgotten),
        reached=lambda figures: figures["mean"] <= longest_mean and figures["max"] <= longest,
        meaning=meaning,
    )


KEPT, FORGOTTEN = (3.0, 6.0), (5.0, 9.0)
ROWS = (
    _row(
        "outage 8", "silent outage of 8 s: back after, mean / max", 8.0, (0.8, 1.5),
        meaning="Everything vanishes, each way, from a random moment between two heartbeats on. The time runs from the "
        "outage's end to the first heartbeat answered in ONLINE.",
    ),
    _row("outage 60", "outage of 60 s, the server keeps the session", 60.0, KEPT),
    _row("outage 300", "outage of 5 min, the server keeps the session", 300.0, KEPT),
    _row("outage 3600", "outage of an hour, the server keeps the session", 3600.0, KEPT),
    _row(
        "forgotten 60", "outage of 60 s, the server forgot the session", 60.0, FORGOTTEN, forgotten=True,
        meaning="The same, but the server restarts in the middle of the outage: heartbeats are answered 401 after it. "
        "The time includes the spread of sign-ins after a 401.",
    ),
    _row("forgotten 300", "outage of 5 min, the server forgot the session", 300.0, FORGOTTEN, forgotten=True),
    _row("forgotten 3600", "outage of an hour, the server forgot the session", 3600.0, FORGOTTEN, forgotten=True),
    _row(
        "routeless 60", "no route to the server for 60 s, it keeps the session", 60.0, KEPT, outage=Outage.ROUTELESS,
        meaning="The agent's own host has no way to the server: every send fails at once, and every socket.",
    ),
    _row(
        "refused 60", "server process gone for 60 s, sessions with it", 60.0, FORGOTTEN, forgotten=True,
        outage=Outage.REFUSED,
        meaning="The server's host is up and refuses: TCP connections at once, datagrams by ICMP.",
    ),
    Row(
        name="stranded",
        weather="router restarts: the socket's packets vanish for good",
        target="≤ 18 / 21 s",
        measure=measure_stranding,
        reached=lambda figures: figures["mean"] <= 18 and figures["max"] <= 21,
        meaning="A router forgets its bindings, and what a socket sends from then on goes nowhere; a fresh socket gets "
        "through. The time runs from the restart, so it includes the silence that must be noticed first.",
    ),
)  # fmt: skip
