"""Rows of bad servers, long ways, and bad moments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from statistics import mean

from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.testing.agents import VirtualAgent
from agentcp_fsm.testing.network import Outage
from tests.weather.row import Measured, Row, Size
from tests.weather.scene import HOUR, JITTER, Scene, alone, weather

ROUND_TRIP = 4.0
TOGETHER = 120.0
"""Seconds within which two copies are to be noticed."""


def measure_round_trip(size: Size) -> Measured:
    """An hour with a round trip of 4 s."""
    times, before, after = [], [], []
    for seed in range(10 * size.seeds):
        scene, agent = alone(seed, weather(delay=ROUND_TRIP / 2))
        online = scene.clock.run_until(HOUR, lambda: agent.online)  # noqa: B023 - called before the next
        times.append(scene.clock.now if online else math.inf)
        before.append(len(agent.sign_ins))
        scene.clock.run_until(HOUR)
        after.append(len(agent.sign_ins))
    figures = {"online after": max(times), "sign-ins": max(before), "sign-ins in the hour": max(after)}
    came = f"online within {max(times):.0f} s" if max(times) < math.inf else "never online"
    return Measured(
        figures=figures,
        text=f"{came}, {figures['sign-ins']:.0f} sign-ins; {figures['sign-ins in the hour']:.0f} in the first hour",
    )


def measure_way(delay: float, jitter: float, size: Size) -> Measured:
    """Hours on a way that became long while the connection stood."""
    datagrams, losses, online = [], [], []
    for seed in range(size.seeds):
        scene, agent = alone(seed)
        scene.settle()
        scene.network.weather = weather(delay=delay, jitter=jitter)
        scene.clock.run_for(60.0)  # the first round trips are longer than any known
        begun, before, lost = scene.clock.now, len(agent.datagrams), agent.losses
        was_online = agent.seconds_in("ONLINE")
        scene.clock.run_for(HOUR)
        datagrams.append((len(agent.datagrams) - before) * 5.0 / HOUR)
        losses.append(agent.losses - lost)
        online.append(100 * (agent.seconds_in("ONLINE") - was_online) / (scene.clock.now - begun))
    figures = {"datagrams": mean(datagrams), "losses": sum(losses), "ONLINE": mean(online)}
    return Measured(
        figures=figures,
        text=f"{figures['losses']} losses, {figures['datagrams']:.2f} heartbeats an interval",
        note=f"ONLINE {figures['ONLINE']:.1f} % of the time",
    )


def hours(size: Size, **habits: bool) -> tuple[float, list[VirtualAgent]]:
    """The mean sign-ins an hour at a server with these habits, from the first on, and the agents."""
    agents = []
    for seed in range(size.seeds):
        scene, agent = alone(seed)
        for habit, value in habits.items():
            setattr(scene.server, habit, value)
        scene.clock.run_for(size.day)
        agents.append(agent)
    return mean(len(agent.sign_ins) * HOUR / size.day for agent in agents), agents


def first_errors(agents: Sequence[VirtualAgent]) -> list[tuple[float, str]]:
    """The first error of each agent, the earliest first; at infinity for one that reported none."""
    return sorted(agent.errors[0] if agent.errors else (math.inf, "no error") for agent in agents)


def measure_flap(size: Size) -> Measured:
    """The server answers the first heartbeat of each session, then 401."""
    rate, agents = hours(size, flaps=True)
    at, text = first_errors(agents)[-1]
    said = f"an error after {at:.0f} s" if at < math.inf else "no error"
    return Measured(
        figures={"sign-ins an hour": rate, "error after": at}, text=f"{rate:.0f} an hour, {said}", note=text
    )


def measure_silence_from_the_first(size: Size) -> Measured:
    """The server answers no heartbeat at all."""
    rate, _ = hours(size, deaf=True)
    return Measured(figures={"sign-ins an hour": rate}, text=f"{rate:.0f} an hour")


def measure_copies(size: Size) -> Measured:
    """Two agents of one name, at a server that keeps the latest session."""
    rates, first_told, both_told, text = [], [], [], ""
    for seed in range(size.seeds):
        scene = Scene(seed)
        scene.server.latest_only = True
        first = scene.enter("alice")
        scene.settle()
        begun = scene.clock.now
        second = scene.enter("alice")
        before = len(first.sign_ins)
        scene.clock.run_for(size.day)
        rates += [(len(first.sign_ins) - before) * HOUR / size.day, len(second.sign_ins) * HOUR / size.day]
        (first_at, text), (last_at, _) = first_errors(scene.agents)
        first_told.append(first_at - begun)
        both_told.append(last_at - begun)
    figures = {"sign-ins an hour": max(rates), "error after": max(first_told), "error at both after": max(both_told)}
    at_one, at_both = (f"after {at:.0f} s" if at < math.inf else "never" for at in (max(first_told), max(both_told)))
    return Measured(
        figures=figures,
        text=f"{max(rates):.0f} an hour each, an error at one {at_one}, at both {at_both}",
        note=text,
    )


def measure_invitations(size: Size) -> Measured:
    """Three invitations arrive in one instant, and no answer can be sent."""
    ways: list[list[str]] = []
    for seed in range(size.phases):
        scene, agent = alone(seed)
        scene.settle()
        before = len(agent.transitions)
        scene.network.weather = weather(jitter=0.0)
        scene.network.break_for(0.5, Outage.UNSENDABLE)
        for number in range(3):
            scene.server.invite("alice", invitation(number))
        scene.clock.run_for(1.0)
        ways.append([step.dest for step in agent.transitions[before:]])
    lost = sum(not {"ONLINE", "DEGRADED"}.issuperset(way) for way in ways)
    degraded = sum("DEGRADED" in way for way in ways)
    return Measured(
        figures={"lost": lost, "degraded": degraded, "of": len(ways)},
        text="DEGRADED" if not lost else f"connection lost in {lost} of {len(ways)}",
    )


def invitation(number: int) -> Invitation:
    """One like no other."""
    return Invitation("bob", f"code {number}", 0, f"session {number}", "message.example")


def measure_silence(size: Size) -> Measured:
    """The server falls silent at a random moment; how long until ONLINE and DEGRADED are left."""
    times = []
    for seed in range(size.phases):
        scene, agent = alone(seed, next_beat=30.0)
        scene.settle()
        scene.server.deaf = True
        begun = scene.clock.now
        assert scene.clock.run_for(HOUR, lambda: agent.losses > 0)  # noqa: B023 - called before the next
        times.append(scene.clock.now - begun)
    return Measured(figures={"max": max(times), "mean": mean(times)}, text=f"{max(times):.1f} s at most")


def measure_binding(size: Size) -> Measured:
    """Invitations through a router whose bindings live a minute, while the server asks for a heartbeat every 5 min."""
    arrived = sent = 0
    for seed in range(size.seeds):
        scene, agent = alone(seed, next_beat=300.0)
        agent.nat.life = 60.0
        scene.settle()
        for number in range(100):
            scene.clock.run_for(300.0 * scene.random.random())
            scene.server.invite("alice", invitation(number))
            scene.clock.run_for(1.0)
        arrived, sent = arrived + len(agent.invitations), sent + 100
    share = 100 * arrived / sent
    return Measured(figures={"delivered": share}, text=f"{share:.0f} % of invitations arrive")


ROWS = (
    Row(
        name="round trip",
        weather="round trip of 4 s",
        target="online within 60 s, ≤ 5 sign-ins",
        measure=measure_round_trip,
        reached=lambda figures: figures["online after"] <= 60 and figures["sign-ins in the hour"] <= 5,
        meaning="Every packet takes 2 s each way, those of the sign-in too: its connection takes 4 s to be made, and "
        "each of its questions 4 s to be answered. The sign-ins are those of the whole first hour.",
    ),
    *(
        Row(
            name=name,
            weather=text,
            target="0 losses, ≤ 1.05 heartbeats an interval",
            measure=partial(measure_way, delay, jitter),
            reached=lambda figures: figures["losses"] == 0 and figures["datagrams"] <= 1.05,
            meaning="The way is that long from a moment on while the connection stands; an hour, after a first minute "
            "in which the longer time is learned. A heartbeat is not to be repeated before its answer can have come.",
        )
        for name, text, delay, jitter in (
            ("way 1.5", "round trip of 1 to 2 s, at random", 0.5, 0.5),
            ("way 4", "round trip that becomes 4 s", 2.0, JITTER),
        )
    ),
    Row(
        name="flap",
        weather="server answers the first heartbeat of each session, then 401",
        target="≤ 60 sign-ins an hour, and an error",
        measure=measure_flap,
        reached=lambda figures: figures["sign-ins an hour"] <= 60 and figures["error after"] < math.inf,
        meaning="The mean of a day, the first minutes with their short waits included.",
    ),
    Row(
        name="copies",
        weather="two copies of one agent, the server keeps the latest session",
        target=f"≤ 60 sign-ins an hour each, an error at both within {TOGETHER:.0f} s",
        measure=measure_copies,
        reached=lambda figures: figures["sign-ins an hour"] <= 60 and figures["error at both after"] <= TOGETHER,
        meaning="The second is started while the first is online. The greater of the two rates; the two first errors, "
        "from the second's start on.",
    ),
    Row(
        name="deaf",
        weather="sign-in works, no heartbeat is ever answered",
        target="≤ 130 sign-ins an hour",
        measure=measure_silence_from_the_first,
        reached=lambda figures: figures["sign-ins an hour"] <= 130,
        meaning="The mean of a day.",
    ),
    Row(
        name="invitations",
        weather="three invitations in one instant whose answers cannot be sent",
        target="DEGRADED",
        measure=measure_invitations,
        reached=lambda figures: figures["lost"] == 0 and figures["degraded"] == figures["of"],
        meaning="The agent's own host lets nothing out for half a second.",
    ),
    Row(
        name="silence",
        weather="silence noticed at a NextBeat of 30 s",
        target="≤ 46 s",
        measure=measure_silence,
        reached=lambda figures: figures["max"] <= 46,
        meaning="The server answers no heartbeat from a random moment on; the time until ONLINE and DEGRADED are left.",
    ),
    Row(
        name="binding",
        weather="NextBeat of 5 min, NAT bindings that live 60 s",
        target="≥ 99 % of invitations arrive",
        measure=measure_binding,
        reached=lambda figures: figures["delivered"] >= 99,
        meaning="Invitations at random times, to the address of the latest heartbeat.",
    ),
)
