"""A chart of another kind: a turnstile, such as the engine's documentation could show."""

import pytest

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Row
from agentcp_fsm.fsm.protocols import Step

TURNSTILE = Chart(
    "turnstile",
    "locked",
    (
        ChartState("locked", "Nobody passes.", on_enter=("click",)),
        ChartState("unlocked", "One may pass."),
        ChartState("broken", final=True),
    ),
    (
        Row("coin", "locked", "unlocked", conditions="genuine", before="keep_coin", reason="It was paid for."),
        Row("coin", "locked", None, after="return_coin", reason="That was no coin."),
        Row("coin", "unlocked", SAME, before="keep_coin", reason="Thank you."),
        Row("push", "unlocked", "locked", reason="One has passed."),
        Row("push", "locked", None, reason="Nobody passes.", ignored=True),
        Row("kick", ("locked", "unlocked"), "broken", reason="That was too much."),
        Row("kick", "broken", None, ignored=True),
        Row("coin", "broken", None, after="return_coin"),
        Row("push", "broken", None, ignored=True),
    ),
    guards={"genuine": "the coin is one"},
    actions={"keep_coin": "keep it", "return_coin": "give it back", "click": "make a noise"},
)


class Turnstile:
    __slots__ = ("coins", "heard", "state")

    def __init__(self) -> None:
        self.state = "locked"
        self.coins = 0
        self.heard: list[str] = []

    def genuine(self, coin: str) -> bool:
        return coin == "gold"

    def keep_coin(self, coin: str) -> None:
        self.coins += 1

    def return_coin(self, coin: str) -> None:
        self.heard.append(f"returned {coin}")

    def click(self, *_: object) -> None:
        self.heard.append("click")


@pytest.fixture
def step() -> Step[Turnstile]:
    return TURNSTILE.compile(Turnstile)


def test_it_runs(step: Step[Turnstile]) -> None:
    turnstile = Turnstile()
    assert step(turnstile, "push") is TURNSTILE.rows[4]
    assert step(turnstile, "coin", "tin") is TURNSTILE.rows[1]
    assert step(turnstile, "coin", "gold") is TURNSTILE.rows[0]
    assert (turnstile.state, turnstile.coins, turnstile.heard) == ("unlocked", 1, ["returned tin"])
    assert step(turnstile, "coin", "tin") is TURNSTILE.rows[2]
    assert step(turnstile, "push") is TURNSTILE.rows[3]
    assert (turnstile.state, turnstile.coins, turnstile.heard) == ("locked", 2, ["returned tin", "click"])
    assert step(turnstile, "kick") is TURNSTILE.rows[5]
    assert turnstile.state == "broken"


def test_instances_share_the_stepper_and_nothing_else(step: Step[Turnstile]) -> None:
    one, other = Turnstile(), Turnstile()
    step(one, "coin", "gold")
    assert (one.state, other.state) == ("unlocked", "locked")


def test_what_the_chart_does_not_have(step: Step[Turnstile]) -> None:
    turnstile = Turnstile()
    with pytest.raises(ChartError, match=r"turnstile: unknown trigger 'shake'; the chart has coin, push, kick"):
        step(turnstile, "shake")
    turnstile.state = "ajar"
    with pytest.raises(ChartError, match=r"turnstile: unknown state 'ajar'; the chart has locked, unlocked, broken"):
        step(turnstile, "coin", "gold")


def test_a_key_error_of_a_callback_is_its_own() -> None:
    class Forgetful(Turnstile):
        def genuine(self, coin: str) -> bool:
            raise KeyError(coin)

    with pytest.raises(KeyError, match="gold"):
        TURNSTILE.compile(Forgetful)(Forgetful(), "coin", "gold")


def test_a_known_number_of_arguments_is_demanded() -> None:
    step = TURNSTILE.compile(Turnstile, arity=1)
    turnstile = Turnstile()
    assert step(turnstile, "coin", "gold").dest == "unlocked"
    for arguments in ((), ("gold", "gold")):
        with pytest.raises(TypeError, match="argument"):
            step(turnstile, "kick", *arguments)  # which runs no callback that could complain itself
    assert turnstile.state == "unlocked"


def test_a_row_says_nothing_by_itself() -> None:
    assert Row("coin", "locked", None).reason == ""
    assert ChartState("locked") == ChartState("locked", "", "", (), (), False)


def test_it_is_read() -> None:
    assert TURNSTILE.state_names == ("locked", "unlocked", "broken")
    assert TURNSTILE.triggers == ("coin", "push", "kick")
    assert TURNSTILE.cell("locked", "coin") == TURNSTILE.rows[:2]
    assert TURNSTILE.cell("ajar", "coin") == TURNSTILE.cell("locked", "shake") == ()
    row = Row("coin", ("locked", "broken"), None, prepare="a", conditions="b", unless=("c", "d"), before="e", after="f")
    assert str(row) == "coin: locked, broken → no change [b, not c, not d]"
    assert row.guards == ("b", "not c", "not d")
    assert row.callbacks == ("a", "b", "c", "d", "e", "f")
    assert str(Row("coin", EVERY, SAME)) == "coin: * → ="
    assert row == Row(
        "coin", ("locked", "broken"), None, prepare="a", conditions="b", unless=("c", "d"), before="e", after="f"
    )


def test_it_is_a_live_machine_of_transitions() -> None:
    class Traced(Turnstile):
        pass

    traced = Traced()
    traced.state = "unlocked"
    machine = TURNSTILE.machine(traced)
    assert traced.state == "unlocked", "the model keeps the state that it has"
    assert machine.name == "turnstile: "
    assert machine.initial == "unlocked"
    assert set(machine.states) == {"locked", "unlocked", "broken"}
    assert machine.states["broken"].final
    assert not machine.states["locked"].final
    assert machine.get_triggers("unlocked") == ["coin", "push", "kick"]
    assert [transition.dest for transition in machine.get_transitions("coin", "locked")] == ["unlocked", None]
    traced.trigger("push")  # type: ignore[attr-defined]
    assert traced.state == "locked"
    assert traced.may_coin("gold")  # type: ignore[attr-defined]
    assert traced.is_locked()  # type: ignore[attr-defined]
    assert not hasattr(traced, "to_broken"), "no transitions but the chart's"


def test_a_model_without_a_state_begins_at_the_beginning() -> None:
    class Plain:
        def genuine(self, coin: str) -> bool:
            return True

        keep_coin = return_coin = click = lambda self, *_: None

    plain = Plain()
    TURNSTILE.machine(plain)
    assert plain.state == "locked"  # type: ignore[attr-defined]


def test_a_slotted_model_is_refused_with_the_remedy() -> None:
    with pytest.raises(ChartError, match=r"Turnstile is slotted; derive a class from it: class Traced\(Turnstile\)"):
        TURNSTILE.machine(Turnstile())


def test_the_machine_may_be_any_of_transitions() -> None:
    extensions = pytest.importorskip("transitions.extensions")

    class Traced(Turnstile):
        pass

    machine = TURNSTILE.machine(Traced(), extensions.LockedMachine, queued=True)
    assert isinstance(machine, extensions.LockedMachine)
    assert machine.has_queue
