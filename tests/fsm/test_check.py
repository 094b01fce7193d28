"""Everything that `Chart.check` refuses, with an error that names the row."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given

from agentcp_fsm.errors import AgentCPError, ChartError
from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Row
from agentcp_fsm.testing import strategies

OPEN, SHUT = ChartState("open"), ChartState("shut")
PUSH = Row("push", "open", "shut")
PULL = Row("pull", "shut", "open")
REST = (Row("push", "shut", None, ignored=True), Row("pull", "open", None, ignored=True))


def door(*rows: Row, states: tuple[ChartState, ...] = (OPEN, SHUT), initial: str = "open") -> Chart:
    return Chart("door", initial, states, rows)


class Door:
    state = "open"

    def locked(self) -> bool:
        return False

    def creak(self) -> None:
        pass


def test_a_chart_without_fault_passes() -> None:
    door(PUSH, PULL, *REST).check()
    door(PUSH, PULL, *REST).check(Door)
    assert isinstance(ChartError("x"), AgentCPError)
    assert isinstance(ChartError("x"), ValueError)


REFUSED: dict[str, tuple[Callable[[], Chart], str]] = {
    "a state twice": (
        lambda: door(PUSH, PULL, *REST, states=(OPEN, SHUT, OPEN)),
        "door: the state 'open' is defined twice; remove one",
    ),
    "an unknown initial state": (
        lambda: door(PUSH, PULL, *REST, initial="ajar"),
        "door: the initial state 'ajar' is unknown; the chart has open, shut",
    ),
    "an unknown source": (
        lambda: door(PUSH, PULL, *REST, Row("push", "ajar", "open")),
        "door: row <push: ajar → open> names the unknown state 'ajar'; the chart has open, shut",
    ),
    "an unknown destination": (
        lambda: door(Row("push", "open", "ajar"), PULL, *REST),
        "door: row <push: open → ajar> names the unknown state 'ajar'; the chart has open, shut",
    ),
    "the same state as a source": (
        lambda: door(Row("push", SAME, "open"), PULL, *REST),
        "door: row <push: = → open> names the unknown state '='",
    ),
    "every state as a destination": (
        lambda: door(Row("push", "open", EVERY), PULL, *REST),
        "door: row <push: open → *> names the unknown state '*'",
    ),
    "a source without a name": (
        lambda: door(Row("push", "", "open"), PUSH, PULL, *REST),
        "door: row <push:  → open> names the unknown state ''",
    ),
    "a destination without a name": (
        lambda: door(Row("push", "open", ""), PULL, *REST),
        "door: row <push: open → > names the unknown state ''",
    ),
    "every state as a source and as a destination": (
        lambda: door(Row("push", EVERY, EVERY), PULL, REST[1]),
        "door: row <push: * → *> names the unknown state '*'",
    ),
    "no source": (
        lambda: door(Row("push", (), "open"), PUSH, PULL, *REST),
        "door: row <push:  → open> has no source; name a state, or '*' for all",
    ),
    "a trigger that is a callback": (
        lambda: door(Row("push", "open", "shut", after="push"), PULL, *REST),
        "door: row <push: open → shut>: the trigger 'push' is also a callback or a reserved name (state, trigger); "
        "rename one",
    ),
    "a trigger that transitions needs": (
        lambda: door(PUSH, PULL, *REST, Row("trigger", EVERY, None)),
        "door: row <trigger: * → no change>: the trigger 'trigger' is also a callback or a reserved name",
    ),
    "a trigger named as the state": (
        lambda: door(PUSH, PULL, *REST, Row("state", EVERY, None)),
        "door: row <state: * → no change>: the trigger 'state' is also a callback or a reserved name",
    ),
    "a trigger that is an entry's callback": (
        lambda: door(PUSH, PULL, *REST, states=(ChartState("open", on_enter=("pull",)), SHUT)),
        "door: row <pull: shut → open>: the trigger 'pull' is also a callback",
    ),
    "ignored and changed": (
        lambda: door(Row("push", "open", "shut", ignored=True), PULL, *REST),
        "door: row <push: open → shut> ignores its event and changes the state; do one of the two",
    ),
    "a guard and its opposite": (
        lambda: door(Row("push", "open", "shut", conditions="locked", unless="locked"), PUSH, PULL, *REST),
        "door: row <push: open → shut [locked, not locked]> can never be taken: it asks for 'locked' and its opposite",
    ),
    "a duplicate": (
        lambda: door(PUSH, PUSH, PULL, *REST),
        "door: row <push: open → shut> stands twice; remove one",
    ),
    "a duplicate with its sources in another order": (
        lambda: door(Row("push", ("open", "shut"), "shut"), Row("push", ("shut", "open"), "shut"), PULL, REST[1]),
        "door: row <push: shut, open → shut> stands twice for open; remove one",
    ),
    "a duplicate with its guards in another order": (
        lambda: door(
            Row("push", "open", "shut", conditions=("a", "b")), Row("push", "open", "shut", conditions=("b", "a")),
            PUSH, PULL, *REST,
        ),
        "door: row <push: open → shut [b, a]> stands twice for open; remove one",
    ),
    "a row after an unconditional one": (
        lambda: door(PUSH, Row("push", "open", None), PULL, *REST),
        "door: row <push: open → no change> can never be taken in open: the earlier row <push: open → shut> is, "
        "whenever it could be; reorder them or remove one",
    ),
    "a guarded row after an unconditional one": (
        lambda: door(PUSH, Row("push", "open", None, prepare="creak", conditions="a"), PULL, *REST),
        "door: row <push: open → no change [a]> can never be taken in open",
    ),
    "a row whose guards an earlier row has too": (
        lambda: door(
            Row("push", "open", "shut", unless="a"), Row("push", "open", None, unless="a", conditions="b"), PUSH,
            PULL, *REST,
        ),
        "door: row <push: open → no change [b, not a]> can never be taken in open: the earlier row "
        "<push: open → shut [not a]> is",
    ),
    "a row whose guards an earlier row has too, and one that is to be refused": (
        lambda: door(
            Row("push", "open", "shut", conditions="a"), Row("push", "open", None, conditions="a", unless="b"), PUSH,
            PULL, *REST,
        ),
        "door: row <push: open → no change [a, not b]> can never be taken in open: the earlier row "
        "<push: open → shut [a]> is",
    ),
    "a row shadowed in one of its sources": (
        lambda: door(PUSH, PULL, *REST, Row("push", ("shut", "open"), None)),
        "door: row <push: shut, open → no change> can never be taken in open",
    ),
    "a fallback that is never needed": (
        lambda: door(PUSH, PULL, *REST, Row("push", EVERY, None)),
        "door: row <push: * → no change> can never be taken: earlier rows decide push in every state",
    ),
    "a fallback twice": (
        lambda: door(PUSH, PULL, Row("push", EVERY, None), Row("push", EVERY, None), REST[1]),
        "door: row <push: * → no change> stands twice; remove one",
    ),
    "a second fallback": (
        lambda: door(PUSH, PULL, Row("push", EVERY, None), Row("push", EVERY, "open"), REST[1]),
        "door: row <push: * → open> can never be taken: earlier rows decide push in every state",
    ),
    "a pair without a row": (
        lambda: door(PUSH, PULL, REST[0]),
        "door: (open, pull) is undecided: it has no row; add a row without guards, one with ignored=True if nothing "
        "is to happen",
    ),
    "a pair with guarded rows only": (
        lambda: door(Row("push", "open", "shut", unless="locked"), PULL, *REST),
        "door: (open, push) is undecided: it has only guarded rows, the last of them <push: open → shut [not locked]>",
    ),
    "a state that nothing leads to": (
        lambda: door(
            PUSH, PULL, *REST, Row("push", "ajar", "open"), Row("pull", "ajar", None),
            states=(OPEN, SHUT, ChartState("ajar")),
        ),
        "door: no path leads from open to the state ajar, the source of <push: ajar → open>, "
        "<pull: ajar → no change>",
    ),
    "a state that only itself leads to": (
        lambda: door(
            PUSH, PULL, *REST, Row("push", "ajar", SAME), Row("pull", "ajar", "ajar"),
            states=(OPEN, SHUT, ChartState("ajar")),
        ),
        "door: no path leads from open to the state ajar",
    ),
    "a state without exit": (
        lambda: door(PUSH, Row("pull", EVERY, None), Row("push", "shut", SAME)),
        "door: no row leads out of the state shut (<push: shut → =>); add one, or mark it final",
    ),
    "a state without exit or row of its own": (
        lambda: door(PUSH, Row("pull", EVERY, None), Row("slam", EVERY, "shut"), REST[0]),
        "door: no row leads out of the state shut (<push: shut → no change>); add one, or mark it final",
    ),
    "a state that only rows for all states are of": (
        lambda: door(
            Row("push", "open", "shut"), Row("push", "shut", "open"), Row("pull", EVERY, None),
            Row("push", "ajar", None), states=(OPEN, SHUT, ChartState("ajar")),
        ),
        "door: no path leads from open to the state ajar, the source of <push: ajar → no change>",
    ),
    "a state without a row of its own": (
        lambda: Chart("door", "open", (OPEN, SHUT), (Row("slam", EVERY, "shut"),)),
        "door: no row leads out of the state shut (no row of its own); add one, or mark it final",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    chart, text = REFUSED[name]
    with pytest.raises(ChartError, match=f"^{re.escape(text)}"):
        chart().check()


def test_what_is_refused_is_neither_compiled_nor_run() -> None:
    chart = door(PUSH, PULL, REST[0])
    with pytest.raises(ChartError, match="undecided"):
        chart.compile(Door)
    with pytest.raises(ChartError, match="undecided"):
        chart.machine(Door())


# Accepted although it looks alike -------------------------------------------------------------------------------------


def test_a_row_that_prepares_may_follow_one_with_fewer_guards() -> None:
    door(
        Row("push", "open", "shut", conditions="locked"),
        Row("push", "open", None, prepare="creak", conditions=("locked", "locked")),
        PUSH, PULL, *REST,
    ).check()  # fmt: skip


def test_a_row_that_prepares_may_follow_one_with_the_same_guards() -> None:
    """For what it prepares may change what they answer: then it is taken."""
    chart = door(
        Row("push", "open", "shut", conditions="locked"),
        Row("push", "open", "shut", prepare="lock", conditions="locked"),
        PUSH, PULL, *REST,
    )  # fmt: skip
    chart.check()

    class Locking:
        state, locked = "open", False

        def lock(self) -> None:
            self.locked = True

    assert chart.compile(Locking)(Locking(), "push") is chart.rows[1]


def test_a_guard_and_then_its_opposite() -> None:
    door(
        Row("push", "open", "shut", conditions="locked"), Row("push", "open", SAME, unless="locked"),
        Row("push", "open", None), PULL, *REST,
    ).check()  # fmt: skip


def test_a_final_state_needs_no_exit() -> None:
    door(PUSH, Row("pull", EVERY, None), REST[0], states=(OPEN, ChartState("shut", final=True))).check()


def test_a_chart_of_one_state_needs_no_exit() -> None:
    door(Row("push", "open", None), states=(OPEN,)).check()


def test_sources_may_be_listed_in_any_way() -> None:
    assert Row("push", "open", None).source == ("open",)
    assert Row("push", ["open", "shut"], None).source == ("open", "shut")
    assert door(PUSH).sources(Row("push", EVERY, None)) == ("open", "shut")


# The glossary and the model -------------------------------------------------------------------------------------------


def glossed(guards: dict[str, str] | None, actions: dict[str, str] | None, *rows: Row) -> Chart:
    return Chart("door", "open", (OPEN, SHUT), (*rows, PUSH, PULL, *REST), guards, actions)


GUARDED = Row("push", "open", "shut", conditions="locked", prepare="creak", before="creak", after="creak")


def test_the_glossary() -> None:
    glossed({"locked": "it is"}, {"creak": "it does"}, GUARDED).check(Door)
    glossed(None, {"creak": "it does"}, GUARDED).check()
    glossed({"locked": "it is"}, None, GUARDED).check()
    with pytest.raises(ChartError, match=r"row <push: open → shut \[locked\]> names the unknown guard 'locked'; the g"):
        glossed({}, {"creak": ""}, GUARDED).check()
    with pytest.raises(ChartError, match=r"names the unknown guard 'locked'; the glossary has wet, dry$"):
        glossed({"wet": "", "dry": ""}, None, GUARDED).check()
    with pytest.raises(ChartError, match=r"row <push: open → shut \[locked\]> names the unknown action 'creak'; the g"):
        glossed({"locked": ""}, {}, GUARDED).check()
    with pytest.raises(ChartError, match="no row uses the guard 'wet'; remove it from the glossary"):
        glossed({"locked": "", "wet": ""}, None, GUARDED).check()
    with pytest.raises(ChartError, match="no row uses the action 'bark'; remove it from the glossary"):
        glossed(None, {"creak": "", "bark": ""}, GUARDED).check()


@pytest.mark.parametrize("part", ["prepare", "before", "after"])
def test_each_part_of_a_row_is_looked_up(part: str) -> None:
    row = Row("push", "open", "shut", conditions="locked", **{part: "creak"})  # type: ignore[arg-type]
    glossed(None, {"creak": ""}, row).check()
    with pytest.raises(ChartError, match="unknown action 'creak'"):
        glossed(None, {}, row).check()


@pytest.mark.parametrize("part", ["conditions", "unless"])
def test_each_guard_of_a_row_is_looked_up(part: str) -> None:
    row = Row("push", "open", "shut", **{part: "locked"})  # type: ignore[arg-type]
    glossed({"locked": ""}, None, row).check()
    with pytest.raises(ChartError, match="unknown guard 'locked'"):
        glossed({}, None, row).check()


@pytest.mark.parametrize("part", ["on_enter", "on_exit"])
def test_the_callbacks_of_states_are_looked_up(part: str) -> None:
    state = ChartState("shut", **{part: ("creak",)})  # type: ignore[arg-type]
    Chart("door", "open", (OPEN, state), (PUSH, PULL, *REST), {}, {"creak": ""}).check(Door)
    with pytest.raises(ChartError, match="door: state shut names the unknown action 'creak'"):
        Chart("door", "open", (OPEN, state), (PUSH, PULL, *REST), {}, {}).check()
    with pytest.raises(ChartError, match="door: state shut names the callback 'creak', which object does not have"):
        Chart("door", "open", (OPEN, state), (PUSH, PULL, *REST)).check(object)


@pytest.mark.parametrize("part", ["prepare", "conditions", "unless", "before", "after"])
def test_the_model_must_have_what_a_row_names(part: str) -> None:
    row = Row("push", "open", "shut", **{part: "sing"})  # type: ignore[arg-type]
    rows = (row, PUSH) if row.guards else (row,)
    with pytest.raises(ChartError, match=r"door: row <push: .*> names the callback 'sing', which Door does not have"):
        door(*rows, PULL, *REST).check(Door)
    door(*rows, PULL, *REST).check()
    with pytest.raises(ChartError, match="names the callback 'sing', which Door does not have"):
        door(*rows, PULL, *REST).compile(Door)
    with pytest.raises(ChartError, match="names the callback 'sing', which Door does not have"):
        door(*rows, PULL, *REST).machine(Door())


@given(strategies.charts())
def test_every_random_chart_passes(chart: Chart) -> None:
    chart.check()
    for state in chart.state_names:
        for trigger in chart.triggers:
            assert not chart.cell(state, trigger)[-1].guards


@given(strategies.charts())
def test_without_its_last_row_a_random_chart_is_refused(chart: Chart) -> None:
    """The last row of a chart decides at least one pair for good."""
    cut = Chart(chart.name, chart.initial, chart.states, chart.rows[:-1])
    trigger = chart.rows[-1].trigger
    if trigger in cut.triggers:
        with pytest.raises(ChartError, match="undecided"):
            cut.check()
