"""The live view, led by Textual's pilot; and what it makes of anything that a status place may say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm import State
from agentcp_fsm.errors import UnreachableError
from agentcp_fsm.operations.agent_view import details, diagram, duration, view_of
from agentcp_fsm.operations.asking import read_status
from agentcp_fsm.operations.status_thread import StatusThread
from tests.connection.peer import PATIENT, Peer, connect
from tests.waiting import online

pytest.importorskip("textual", reason="Textual, of the extra 'top', is not installed")

from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from agentcp_fsm.operations.top import COLUMNS, Details, Top

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
KEYS = (
    "agent_id",
    "state",
    "since",
    "reason",
    "round_trip_smoothed",
    "loss_rate",
    "last_loss",
    "statistics",
    "transitions",
)


def agent(name: str, state: str = "ONLINE", losses: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "agent_id": name,
        "state": state,
        "since": 61.0,
        "reason": f"why {name}",
        "statistics": {"losses": losses},
        **more,
    }


AGENTS = [agent("bob", losses=3), agent("alice", losses=1), agent("carol", "BACKOFF", losses=2)]


def ask(place: str) -> list[dict[str, Any]]:
    if place == "gone":
        raise UnreachableError("no status place answers at gone")
    return AGENTS


def lead(deeds: Callable[[Top, Pilot[None]], Awaitable[None]], places: tuple[str, ...] = ("here",)) -> None:
    async def live() -> None:
        app = Top(places, ask, interval=3600.0)
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: app.query_one("#agents", DataTable).row_count == len(AGENTS))
            await deeds(app, pilot)

    asyncio.run(live())


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError("it did not come")


def shown(app: Top, column: int = 0) -> list[str]:
    table = app.query_one("#agents", DataTable)
    return [str(table.get_row_at(number)[column]) for number in range(table.row_count)]


def test_it_sorts_by_any_column_and_both_ways() -> None:
    async def deeds(app: Top, pilot: Pilot[None]) -> None:
        assert shown(app) == ["alice", "bob", "carol"]
        await pilot.press("r")
        assert shown(app) == ["carol", "bob", "alice"]
        await pilot.press("r", "s")
        assert shown(app, 1) == ["ONLINE", "ONLINE", "BACKOFF"]
        await pilot.press("s", "s", "s", "s")
        assert shown(app, 5) == ["1", "2", "3"]
        await pilot.press(*"s" * (len(COLUMNS) - 5))
        assert shown(app) == ["alice", "bob", "carol"]

    lead(deeds)


def test_it_filters() -> None:
    async def deeds(app: Top, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"BACK")
        await until(pilot, lambda: shown(app) == ["carol"])
        assert "(1 shown: 'BACK')" in str(app.query_one("#summary", Static).render())
        await pilot.press("enter")
        assert shown(app) == ["carol"]
        await pilot.press("escape")
        await until(pilot, lambda: len(shown(app)) == 3)
        assert not app.query_one("#filter", Input).has_class("shown")

    lead(deeds)


def test_it_shows_the_details_of_the_chosen_agent() -> None:
    async def deeds(app: Top, pilot: Pilot[None]) -> None:
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, Details))
        await until(pilot, lambda: "why bob" in str(app.screen.query_one("#details", Static).render()))
        text = str(app.screen.query_one("#details", Static).render())
        assert "│ ONLINE │" in text
        assert "losses                 3" in text
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Details))

    lead(deeds)


def test_a_place_that_does_not_answer_is_named() -> None:
    async def deeds(app: Top, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "no status place answers at gone" in str(app.query_one("#summary", Static).render()))
        assert len(shown(app)) == 3

    lead(deeds, ("here", "gone"))


@given(content=st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)))
def test_whatever_a_place_says_can_be_shown(content: dict[str, Any]) -> None:
    view = view_of("here", content)
    assert all(line.isprintable() for line in details(view))
    assert all(key(view) is not None for _, key in COLUMNS)
    assert isinstance(view.matches("x"), bool)


@pytest.mark.parametrize("state", State)
def test_each_state_is_drawn_with_its_ways(state: State) -> None:
    lines = diagram(state)
    assert any(f"│ {state} │" in line for line in lines)
    assert any("▶ ┐" in line for line in lines)
    assert any("└──▶" in line for line in lines)


def test_durations_are_short() -> None:
    shown = [duration(seconds) for seconds in (None, 0.04, 59.94, 302, 12_000, 360_000)]
    assert shown == ["-", "0.0 s", "59.9 s", "5 m 02 s", "3 h 20 m", "4 d 04 h"]


def test_it_reads_a_real_place() -> None:
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        online(connection)
        with StatusThread("127.0.0.1:0", [connection]) as place:
            [content] = read_status(place.address)
    view = view_of(place.address, content)
    assert view.agent_id == connection.agent_id
    assert view.state in ("ONLINE", "DEGRADED")
    assert view.round_trip is not None
    assert sum(" -> " in line for line in details(view)) == len(connection.health().transitions[:2])
