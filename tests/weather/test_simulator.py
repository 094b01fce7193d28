"""The virtual clock, network, server and agents do as they say."""

import math
from random import Random

import pytest

from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import Stop
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.testing.clock import Clock
from agentcp_fsm.testing.network import Nat, Network, Outage, Weather
from agentcp_fsm.testing.servers import Refusal, VirtualServer
from agentcp_fsm.testing.tcp import Call
from tests.weather.fleet import busiest
from tests.weather.scene import Scene, alone, weather


def test_the_clock_keeps_order() -> None:
    clock = Clock(5.0)
    seen: list[object] = []
    clock.at(7.0, seen.append, "c")
    clock.after(1.0, seen.append, "a")
    clock.after(1.0, seen.append, "b")
    clock.at(3.0, seen.append, "overdue")
    clock.run_until(7.0)
    assert seen == ["overdue", "a", "b", "c"]
    assert clock.now == 7.0
    clock.after(1.0, seen.append, "d")
    clock.after(2.0, seen.append, "e")
    assert clock.run_for(10.0, lambda: "d" in seen)
    assert clock.now == 8.0
    assert not clock.run_for(0.5, lambda: "e" in seen)
    assert clock.now == 8.5


def arrivals(sky: Weather, packets: int, *, up: bool = True) -> list[float]:
    clock, found = Clock(), list[float]()
    network = Network(clock, Random(1), sky)
    for _ in range(packets):
        network.carry(up, lambda: found.append(clock.now))
    clock.run_for(100.0)
    return found


def test_the_network_loses_and_delays() -> None:
    sky = Weather(loss_up=0.3, loss_down=0.0, delay=1.0, jitter=0.5)
    up, down = arrivals(sky, 10_000), arrivals(sky, 10_000, up=False)
    assert len(up) == pytest.approx(7000, abs=150)
    assert len(down) == 10_000
    assert 1.0 <= min(down) < 1.01
    assert 1.49 < max(down) <= 1.5
    assert arrivals(sky, 1000) == arrivals(sky, 1000)


def test_an_outage_meets_what_is_under_way() -> None:
    clock, found = Clock(), list[float]()
    network = Network(clock, Random(1), Weather(delay=1.0))
    for at in (0.0, 0.5, 1.5, 2.5, 3.5):
        clock.at(at, network.carry, True, lambda at=at: found.append(at))
    clock.at(1.2, network.break_for, 1.0, Outage.SILENT)
    clock.run_for(10.0)
    assert found == [0.0, 2.5, 3.5]


def test_a_binding_ends_and_changes() -> None:
    nat = Nat[str](life=30.0)
    first = nat.leaving("a", 0.0)
    other = nat.leaving("b", 0.0)
    assert first is not None
    assert other is not None
    assert first != other
    assert nat.arriving(first, 30.0) == "a"
    assert nat.arriving(first, 30.1) is None
    assert nat.leaving("a", 29.0) == first
    assert nat.arriving(first, 59.0) == "a"
    again = nat.leaving("a", 60.0)
    assert again is not None
    assert again != first
    assert nat.arriving(first, 60.0) is None
    nat.change()
    changed = nat.leaving("a", 61.0)
    assert changed not in (None, again)
    nat.strand()
    assert nat.leaving("a", 62.0) is None
    nat.close("a")
    assert nat.leaving("c", 62.0) is not None
    assert Nat[str]().arriving(first, 0.0) is None


class Calling:
    """One call, and what came of it."""

    def __init__(self, sky: Weather, outage: Outage = Outage.NONE, *, seed: int = 1, connect_timeout: float = 3.0):
        self.clock = Clock()
        self.network = Network(self.clock, Random(seed), sky)
        self.network.outage = outage
        self.asked_at = math.inf
        self.results: list[tuple[str, float]] = []
        self.call = Call(
            self.network,
            self._ask,
            lambda answer: self.results.append((answer, self.clock.now)),
            lambda reason: self.results.append((reason, self.clock.now)),
            exchanges=2,
            connect_timeout=connect_timeout,
            read_timeout=10.0,
        )

    def _ask(self) -> str:
        self.asked_at = self.clock.now
        return "answer"

    def result(self) -> tuple[str, float]:
        self.clock.run_for(100.0)
        (result,) = self.results
        return result


def test_a_call_takes_a_round_trip_for_the_connection_and_each_exchange() -> None:
    calling = Calling(Weather(delay=0.5))
    assert calling.result() == ("answer", 3.0)
    assert calling.asked_at == 2.5


@pytest.mark.parametrize(
    ("outage", "delay", "reason", "at"),
    [
        (Outage.SILENT, 0.02, "not connected within 3 s", 3.0),
        (Outage.REFUSED, 0.5, "connection refused", 1.0),
        (Outage.UNSENDABLE, 0.5, "no route to host", 0.0),
        (Outage.ROUTELESS, 0.5, "no route to host", 0.0),
        (Outage.NONE, 2.0, "not connected within 3 s", 3.0),
    ],
)
def test_a_call_fails(outage: Outage, delay: float, reason: str, at: float) -> None:
    assert Calling(Weather(delay=delay), outage).result() == (reason, at)


@pytest.mark.parametrize(
    ("outage", "reason", "at"),
    [(Outage.SILENT, "no answer within 3 s", 4.0), (Outage.REFUSED, "connection reset", 2.0)],
)
def test_a_call_fails_once_connected(outage: Outage, reason: str, at: float) -> None:
    calling = Calling(Weather(delay=0.5))
    calling.clock.at(1.1, calling.network.break_for, 50.0, outage)
    assert calling.result() == (reason, at)


def test_an_answer_may_take_the_read_timeout() -> None:
    calling = Calling(Weather(delay=0.5))
    calling.clock.at(2.1, calling.network.break_for, 50.0, Outage.SILENT)
    assert calling.result() == ("no answer within 10 s", 12.0)


def test_a_call_sends_again_what_is_lost() -> None:
    """The outage is over when the second SYN leaves."""
    calling = Calling(Weather(delay=0.1), Outage.SILENT)
    calling.network.break_for(0.9, Outage.SILENT)
    text, at = calling.result()
    assert text == "answer"
    assert at == pytest.approx(1.6)
    times = [Calling(weather(0.3), seed=seed).result() for seed in range(200)]
    assert {text for text, _ in times} == {"answer", "not connected within 3 s", "no answer within 3 s"}
    assert sum(text == "answer" for text, _ in times) > 120


def test_an_abandoned_call_ends_for_nobody() -> None:
    calling = Calling(Weather())
    calling.call.abandon()
    calling.clock.run_for(100.0)
    assert not calling.results


def test_the_server_has_its_habits() -> None:
    server = VirtualServer(Clock())
    answers: list[int | Invitation] = []
    first = server.sign_in("alice")
    assert isinstance(first, Session)
    server.latest_only = True
    second = server.sign_in("alice")
    assert isinstance(second, Session)
    server.heartbeat(first.cookie, answers.append)
    server.heartbeat(second.cookie, answers.append)
    invitation = Invitation("bob", "code", 0, "session", "message.example")
    server.invite("alice", invitation)
    server.flaps = True
    server.heartbeat(second.cookie, answers.append)
    server.strangers_ignored = True
    server.heartbeat(second.cookie, answers.append)
    assert answers == [401, 5000, invitation, 401]
    server.capacity, server.retry_after = 3, 7.0
    assert isinstance(server.sign_in("bob"), Session)
    assert server.sign_in("carol") == Refusal("503", 7.0)
    server.refusal = Refusal("403", rejected=True)
    assert server.sign_in("carol") == server.refusal
    assert server.heartbeats == 4


def test_an_agent_lives_in_a_scene() -> None:
    scene, agent = alone(1)
    scene.clock.run_for(100.0)
    assert agent.online
    assert len(agent.sign_ins) == 1
    assert agent.reachable == pytest.approx(100.0, abs=0.5)
    assert len(agent.datagrams) == agent.received == scene.server.heartbeats == 20
    agent.tell(Stop())
    scene.clock.run_for(10.0)
    assert agent.state == "OFFLINE"
    assert not scene.server.sessions
    assert agent.seconds_in("OFFLINE") == pytest.approx(10.0, abs=0.5)


def test_a_full_server_is_asked_again_when_it_says() -> None:
    scene = Scene(1)
    scene.server.capacity, scene.server.retry_after = 5, 20.0
    for number in range(20):
        scene.enter(f"agent {number}")
    scene.clock.run_for(15.0)
    assert sum(agent.online for agent in scene.agents) == 5
    scene.clock.run_for(Config().backoff_max + 60.0)
    assert all(agent.online for agent in scene.agents)


def test_the_same_seed_is_the_same_life() -> None:
    lives = []
    for _ in range(2):
        scene, agent = alone(7, weather(0.3))
        scene.clock.run_for(3600.0)
        lives.append((agent.transitions, agent.datagrams))
    assert lives[0] == lives[1]


def test_the_busiest_window() -> None:
    assert busiest([], 1.0) == 0
    assert busiest([3.0, 0.0, 1.0, 2.0], 1.0) == 1
    assert busiest([0.0, 0.9, 1.0, 1.8, 5.0], 1.0) == 3
