"""A fleet on the reference server: all come online, and a change touches only what changed."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from weakref import ref

import pytest

from agentcp_fsm import AsyncConnection, ConfigError, State
from agentcp_fsm.errors import CredentialsError
from agentcp_fsm.fleet import AsyncFleet, Fleet, Progress, pacing
from agentcp_fsm.fleet.pacing import FIRST
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.operations.recorder import LossTraces
from agentcp_fsm.server import ServerThread, SignInFault
from tests.fleet.agents import credentials, member, name
from tests.timings import CALM
from tests.waiting import until

WITHIN = 60.0


@pytest.fixture
def next_beat() -> float:
    return 0.2


def beats(server: ServerThread, numbers: Iterable[int]) -> dict[str, int]:
    views = {name(number): server.agent(name(number)) for number in numbers}
    return {agent_id: -1 if view is None else view.heartbeats for agent_id, view in views.items()}


def sign_ins(server: ServerThread) -> int:
    return server.statistics().sign_ins


def test_all_come_online_and_all_sign_out(server: ServerThread) -> None:
    fleet = Fleet([member(server, number) for number in range(20)])
    assert fleet.progress() == Progress(members=20, waiting=20)
    assert not fleet.wait_until_online(0), "it is not started"
    with fleet:
        assert fleet.wait_until_online(WITHIN)
        assert fleet.progress() == Progress(members=20, reachable=20)
        assert len(server.agents()) == 20
    assert server.statistics().sessions == 0
    assert "agentcp-fleet" not in {thread.name for thread in threading.enumerate()}
    assert fleet.stop(), "again"


def test_a_change_touches_only_what_changed(server: ServerThread) -> None:
    """By sign-ins and beats, which go on for everybody else."""
    same = [member(server, number) for number in range(8)]
    with Fleet(same) as fleet:
        assert fleet.wait_until_online(WITHIN)
        kept = {number: fleet.connection(name(number)) for number in range(6)}
        signed_in = sign_ins(server)
        again = [member(server, number) for number in range(8)]
        changes = fleet.apply(again)
        assert (changes.added, changes.removed, changes.changed, changes.rehandled) == ((), (), (), ())
        before = beats(server, range(6))
        changes = fleet.apply(
            [*again[:6], member(server, 6, replace(CALM, probe_limit=CALM.probe_limit - 1)), member(server, 8)]
        )
        assert (changes.added, changes.removed, changes.changed) == ((name(8),), (name(7),), (name(6),))
        assert fleet.wait_until_online(WITHIN)
        until(lambda: all(count > before[agent] + 2 for agent, count in beats(server, range(6)).items()), WITHIN)
        assert sign_ins(server) == signed_in + 2
        for number, connection in kept.items():
            assert connection is fleet.connection(name(number))
            assert connection is not None
            assert connection.health().statistics.losses == 0
        until(lambda: fleet.connection(name(7)) is None and len(fleet) == 8, WITHIN)
        assert fleet.progress() == Progress(members=8, reachable=8)


def test_another_handler_takes_over_without_a_sign_in(server: ServerThread) -> None:
    heard: list[tuple[str, str, str]] = []

    def handler(which: str) -> Callable[[str, Invitation], None]:
        return lambda agent_id, invitation: heard.append((which, agent_id, invitation.inviter_agent_id))

    invitation = Invitation("bob.agentid.pub", "CODE", 1893456000, "session-1", "wss://msg.agentid.pub")
    with Fleet([member(server, 0)]) as fleet:
        assert fleet.wait_until_online(WITHIN)
        signed_in = sign_ins(server)
        for which in ("first", "second"):
            assert fleet.apply([replace(member(server, 0), handle=handler(which))]).rehandled == (name(0),)
            server.invite(name(0), replace(invitation, session_id=which))
            until(partial(heard.__contains__, (which, name(0), "bob.agentid.pub")), WITHIN)
        assert len(heard) == 2
        assert sign_ins(server) == signed_in


def test_one_that_cannot_start_keeps_nobody_else(server: ServerThread) -> None:
    refused: list[tuple[str, str]] = []
    able = threading.Event()
    good = member(server, 0)

    def make() -> AsyncConnection:
        if not able.is_set():
            raise CredentialsError("the key is not there: put it there")
        return good.make()

    bad = replace(good, make=make, place="fleet.toml:7")
    broken = replace(member(server, 1), make=lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    others = [member(server, number) for number in range(2, 5)]
    with Fleet([bad, broken, *others], on_refused=lambda member, why: refused.append((member.agent_id, why))) as fleet:
        assert not fleet.wait_until_online(WITHIN)
        assert fleet.progress() == Progress(members=5, reachable=3, refused=2)
        assert dict(refused)[name(0)] == "the key is not there: put it there"
        shown = {each.agent_id: each.health() for each in fleet}
        assert (shown[name(0)].state, shown[name(0)].reachable) == (State.OFFLINE, False)
        assert shown[name(0)].reason == "fleet.toml:7: the key is not there: put it there"
        able.set()
        fleet.apply([bad, *others])
        assert fleet.wait_until_online(WITHIN), "it is tried again with each change"
        assert fleet.progress() == Progress(members=4, reachable=4)


def test_agents_are_added_and_removed_one_by_one(server: ServerThread) -> None:
    with Fleet() as fleet:
        assert fleet.wait_until_online(WITHIN), "there is none"
        for number in range(3):
            assert fleet.add(member(server, number)).added == (name(number),)
        assert fleet.wait_until_online(WITHIN)
        assert fleet.remove(name(1).upper()).removed == (name(1),)
        assert fleet.remove("nobody.agentid.pub").removed == ()
        assert fleet.add(member(server, 1)).added == (name(1),), "also while it is on its way out"
        assert fleet.wait_until_online(WITHIN)
        assert fleet.progress() == Progress(members=3, reachable=3)
        with pytest.raises(ConfigError, match="is there twice"):
            fleet.apply([member(server, 5), member(server, 5)])
        assert len(fleet) == 3


def test_changes_that_come_faster_than_agents_leave(server: ServerThread) -> None:
    """The last one holds, and no agent is started twice."""
    with Fleet([member(server, 0)]) as fleet:
        assert fleet.wait_until_online(WITHIN)
        signed_in = sign_ins(server)
        for limit in (50, 60, 70):
            assert fleet.apply([member(server, 0, replace(CALM, probe_limit=limit))]).changed == (name(0),)
        assert fleet.wait_until_online(WITHIN)
        connection = fleet.connection(name(0))
        assert connection is not None
        assert connection.config.probe_limit == 70
        assert sign_ins(server) == signed_in + 1
        assert fleet.progress() == Progress(members=1, reachable=1)


def test_the_same_names_in_asyncio(server: ServerThread) -> None:
    async def live() -> None:
        async with AsyncFleet([member(server, number) for number in range(3)]) as fleet:
            assert await fleet.wait_until_online(WITHIN)
            fleet.apply([member(server, 0), member(server, 3)])
            assert await fleet.wait_until_online(WITHIN)
            assert fleet.progress() == Progress(members=2, reachable=2)

    asyncio.run(live())
    assert server.statistics().sessions == 0


def test_both_faces_have_the_same_methods() -> None:
    def public(face: type) -> set[str]:
        return {each for each in dir(face) if not each.startswith("_")}

    assert public(Fleet) == public(AsyncFleet)


def test_a_stop_is_bounded_where_nobody_answers(server: ServerThread) -> None:
    config = replace(CALM, sign_out_timeout=0.2)
    fleet = Fleet([member(server, number, config) for number in range(100)])
    fleet.start()
    assert fleet.wait_until_online(WITHIN)
    server.set_faults(sign_out=SignInFault.HANG)
    assert fleet.stop(timeout=0.1)
    assert server.statistics().sessions == 100, "nobody could sign out"
    assert fleet.progress() == Progress(members=100, waiting=100)


def test_nothing_is_kept_of_an_agent_that_was_made_anew(server: ServerThread, tmp_path: Path) -> None:
    traces = LossTraces(tmp_path / "traces")
    with Fleet([member(server, 0)], on_made=traces.watch) as fleet:
        assert fleet.wait_until_online(WITHIN)
        gone = ref(fleet.connection(name(0)) or object())
        fleet.apply([member(server, 0, replace(CALM, probe_limit=50))])
        assert fleet.wait_until_online(WITHIN)

        def nothing_is_left() -> bool:
            gc.collect()
            return gone() is None

        until(nothing_is_left, WITHIN)
        assert len(traces.dump()) == 1


def test_a_server_that_asks_for_a_pause_gets_it_from_those_that_wait(server: ServerThread) -> None:
    server.set_faults(sign_in=SignInFault.STATUS, status=429, retry_after="600")
    with Fleet([member(server, number) for number in range(40)]) as fleet:

        def attempts_failed() -> int:
            return sum(each.health().statistics.failed_attempts for each in fleet)

        until(lambda: attempts_failed() == FIRST, WITHIN)
        until(lambda: fleet.progress().held > 0, WITHIN)
        progress = fleet.progress()
        assert (progress.starting, progress.waiting) == (FIRST, 40 - FIRST)
        assert 300 < progress.held <= 600
        assert attempts_failed() == FIRST, "nobody else has asked"


def test_an_agent_that_is_rejected_holds_up_nobody(server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its certificate names another agent: that is no fault of the server's, and no pause follows."""
    monkeypatch.setattr(pacing, "PAUSE_FIRST", 600.0)
    monkeypatch.setattr(pacing, "PAUSE_MAX", 600.0)
    stranger = replace(member(server, 0), agent_id="stranger.agentid.pub")

    def make() -> AsyncConnection:
        wrong = replace(credentials(name(0)), agent_id="stranger.agentid.pub")
        return AsyncConnection(
            "stranger.agentid.pub", server.url, credentials=wrong, config=CALM, allow_insecure_http=True
        )

    with Fleet([replace(stranger, make=make), *(member(server, number) for number in range(1, 20))]) as fleet:
        until(lambda: fleet.progress() == Progress(members=20, starting=1, reachable=19), WITHIN)
