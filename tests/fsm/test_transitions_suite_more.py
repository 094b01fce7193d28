"""More of the tests of `transitions`: pickling, queues, triggers, ``may``, enumerations, models and threads.

See ``test_transitions_suite.py``.
"""

from __future__ import annotations

import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from enum import Enum, IntEnum
from functools import partial
from typing import Any

import pytest

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Row
from tests.fsm.suite import STATES, UNDECIDED, Engine, Stuff, chart_of


@pytest.fixture(params=["compiled", "live"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(request.param)


def test_pickle() -> None:
    chart = chart_of(Row("walk", "A", "B"), Row("run", "B", "C"), Row("sprint", "C", "D"))
    step, stuff = chart.compile(Stuff), Stuff()
    step(stuff, "walk")
    again, model = pickle.loads(pickle.dumps((chart, stuff)))
    assert model.state == stuff.state == "B"
    again.compile(Stuff)(model, "run")
    assert model.state == "C"


def test_pickle_model() -> None:
    """Of a live machine, too, whose model carries it along."""
    stuff: Any = Stuff()
    chart_of().machine(stuff)
    stuff.to_B()
    model = pickle.loads(pickle.dumps(stuff))
    assert model.state == stuff.state == "B"
    model.to_F()
    assert model.state == "F"


@pytest.mark.parametrize("queued", [True, False])
def test_queued(engine: Engine, queued: bool) -> None:
    class Changing(Stuff):
        def change_state(self) -> None:
            assert self.state == "A"
            if queued:
                send("run")
            else:
                with pytest.raises(UNDECIDED):
                    send("run")
            assert self.state == "A"

    rows = (Row("walk", "A", "B", before="change_state"), Row("run", "B", "C"), Row("sprint", "C", "D"))
    m, send = engine.of(*rows, model=Changing(), queued=queued)
    send("walk")
    assert m.state == ("C" if queued else "B")


def test_queued_errors(engine: Engine) -> None:
    class Raising(Stuff):
        def queue_one(self) -> None:
            send("to_A")

        def raises(self) -> None:
            raise ValueError("no")

    row = Row("do", EVERY, "C", before=("queue_one", "raises"))
    m, send = engine.of(row, model=Raising("B"), queued=True)
    with pytest.raises(ValueError, match="no"):
        send("do")
    assert m.state == "B"
    send("to_D")
    assert m.state == "D", "what waited is dropped"


def test_state_and_transition_with_underscore(engine: Engine) -> None:
    m, send = engine.of(
        Row("_move_", "_A_", "_B_", prepare="increase_level"),
        Row("_after_", "_B_", "_C_", prepare="increase_level"),
        Row("_on_exit_", "_C_", "_A_", prepare="increase_level", conditions="this_fails"),
        Row("_on_exit_", "_C_", None, ignored=True),
        states=("_A_", "_B_", "_C_"),
        model=Stuff("_A_"),
    )
    for trigger, state, level in (("_move_", "_B_", 2), ("_after_", "_C_", 3), ("_on_exit_", "_C_", 4)):
        send(trigger)
        assert (m.state, m.level) == (state, level)


def test_callback_identification(engine: Engine) -> None:
    """Its half without dynamic methods: triggers with the names of kinds of callbacks."""
    rows = [
        ("transition", "A", "B"),
        ("after", "B", "C"),
        ("check", "C", "E"),
        ("prepare", "E", "F"),
        ("before", "F", "A"),
    ]
    m, send = engine.of(*(Row(*row, before="increase_level") for row in rows))
    for level, (trigger, _, dest) in enumerate(rows, 2):
        send(trigger)
        assert (m.state, m.level) == (dest, level)
    with pytest.raises(UNDECIDED):
        send("after")


def test_process_trigger(engine: Engine) -> None:
    m, send = engine.of(Row("process", "raw", "processed"), states=("raw", "processed"), model=Stuff("raw"))
    send("process")
    assert m.state == "processed"


def test_multiple_models(engine: Engine) -> None:
    s1, s2 = Stuff(), Stuff()
    send = engine.run(chart_of(Row("advance", "A", "B")), s1, s2)
    send(s1, "advance")
    assert (s1.state, s2.state) == ("B", "A")


def test_string_trigger(engine: Engine) -> None:
    class Model(Stuff):
        def return_value(self, value: bool = False) -> bool:
            return value

        def key_error(self) -> None:
            raise KeyError

    s, send = engine.of(
        Row("do", EVERY, "C"),
        Row("maybe", "C", "A", conditions="return_value"),
        Row("maybe", "C", None, ignored=True),
        Row("do_raise_keyerror", EVERY, "C", before="key_error"),
        model=Model(),
    )
    send("do")
    assert s.state == "C"
    send("maybe", value=False)
    assert s.state == "C"
    send("maybe", value=True)
    assert s.state == "A"
    with pytest.raises((ChartError, AttributeError)):
        send("not_available")
    with pytest.raises(UNDECIDED):
        send("maybe")
    with pytest.raises(KeyError):
        send("do_raise_keyerror")


def test_get_triggers() -> None:
    chart = chart_of(Row("a2b", "A", "B"), Row("a2c", "A", "C"), Row("c2b", "C", "B"), states="ABC")
    own = ("a2b", "a2c", "c2b")
    for state, number in (("A", 2), ("B", 0), ("C", 1)):
        assert sum(trigger in own for trigger in chart.enabled(Stuff(state))) == number
        assert len(chart.enabled(Stuff(state))) == number + 3


def test_reflexive_transition(engine: Engine) -> None:
    s, send = engine.of(Row("reflex", ["A", "B"], SAME, after="increase_level"))
    for level, state in ((2, "A"), (3, "B")):
        send(f"to_{state}")
        send("reflex")
        assert (s.state, s.level) == (state, level)
    send("to_C")
    with pytest.raises(UNDECIDED):
        send("reflex")
    assert s.level == 3


def test_internal_transition(engine: Engine) -> None:
    m, send = engine.of(Row("move", "A", None, prepare="increase_level"))
    send("move")
    assert (m.state, m.level) == ("A", 2)


def test_initial_not_registered() -> None:
    """They add the state; a chart says what it has."""
    with pytest.raises(ChartError, match="the initial state 'C' is unknown"):
        chart_of(states="AB", initial="C").check()


def test_trigger_name_cannot_be_equal_to_model_attribute() -> None:
    with pytest.raises(ChartError, match="the trigger 'state' is also a callback or a reserved name"):
        chart_of(Row("state", "A", "B")).check()


def may(engine: Engine, chart: Chart, model: Any) -> Callable[[str], bool]:
    if engine.name == "compiled":
        return partial(chart.may, model)
    chart.machine(model)
    return lambda trigger: bool(model.may_trigger(trigger))


def test_may_transition(engine: Engine) -> None:
    chart = chart_of(Row("walk", "A", "B"), Row("stop", "B", "C"), Row("wait", "B", None))
    d = Stuff()
    allowed = may(engine, chart, d)
    assert [allowed(trigger) for trigger in ("walk", "stop", "wait")] == [True, False, False]
    chart.compile(Stuff)(d, "walk")
    assert [allowed(trigger) for trigger in ("walk", "stop", "wait")] == [False, True, True]


def test_may_transition_for_autogenerated_triggers(engine: Engine) -> None:
    allowed = may(engine, chart_of(), Stuff())
    assert all(allowed(f"to_{state}") for state in STATES)


def test_may_transition_with_conditions(engine: Engine) -> None:
    chart = chart_of(Row("walk", "A", "B", conditions="this_fails"), Row("stop", "B", "C"), Row("run", "A", "C"))
    d = Stuff()
    allowed = may(engine, chart, d)
    assert [allowed(trigger) for trigger in ("walk", "stop", "run")] == [False, False, True]
    chart.compile(Stuff)(d, "run")
    assert [allowed(trigger) for trigger in ("walk", "stop", "run")] == [False, False, False]


def test_may_transition_with_invalid_state() -> None:
    with pytest.raises(ChartError, match="row <walk: A → UNKNOWN> names the unknown state 'UNKNOWN'"):
        chart_of(Row("walk", "A", "UNKNOWN")).check()


def test_may_transition_with_exception(engine: Engine) -> None:
    class Raising(Stuff):
        def raises(self) -> bool:
            raise ValueError("condition")

    chart = chart_of(Row("raises", "A", "B", conditions="raises_it"), Row("works", "A", "B"))
    model: Any = Raising()
    model.raises_it = model.raises
    allowed = may(engine, chart, model)
    with pytest.raises(ValueError, match="condition"):
        allowed("raises")
    assert allowed("works")
    assert model.state == "A"


# test_enum.py ---------------------------------------------------------------------------------------------------------


class Light(Enum):
    RED = 1
    YELLOW = 2
    GREEN = 3


def test_pass_enums_as_states(engine: Engine) -> None:
    m, send = engine.of(states=Light, initial=Light.YELLOW, model=Stuff(Light.YELLOW))
    send("to_RED")
    assert m.state is Light.RED


def test_enum_transitions(engine: Engine) -> None:
    rows = (Row("switch_to_yellow", Light.RED, Light.YELLOW), Row("switch_to_green", "YELLOW", "GREEN"))
    m, send = engine.of(*rows, states=Light, model=Stuff(Light.RED))
    send("switch_to_yellow")
    assert m.state == Light.YELLOW
    send("switch_to_green")
    assert m.state == Light.GREEN


def test_if_enum_has_string_behavior(engine: Engine) -> None:
    class States(str, Enum):  # noqa: UP042 - as theirs
        RED = "red"
        YELLOW = "yellow"

    row = Row("switch_to_yellow", States.RED, States.YELLOW)
    m, send = engine.of(row, states=States, model=Stuff(States.RED))
    send("switch_to_yellow")
    assert m.state is States.YELLOW


def test_enum_state_change_listeners(engine: Engine) -> None:
    states = (Light.RED, ChartState(Light.YELLOW, on_enter="hello_world", on_exit="goodbye"))
    s, send = engine.of(states=states, model=Stuff(Light.RED))
    send("to_YELLOW")
    assert (s.state, s.message) == (Light.YELLOW, "Hello World!")
    send("to_RED")
    assert s.message.startswith("So long")


def test_enum_zero(engine: Engine) -> None:
    class State(IntEnum):
        FOO = 0
        BAR = 1

    m, send = engine.of(
        Row("foo", State.FOO, State.BAR), Row("bar", State.BAR, State.FOO), states=State, model=Stuff(State.FOO)
    )
    send("foo")
    assert m.state == State.BAR
    send("bar")
    assert m.state == State.FOO


def test_enum_may_transition(engine: Engine) -> None:
    chart = chart_of(Row("go", Light.RED, Light.GREEN), Row("stop", Light.YELLOW, Light.RED), states=Light)
    allowed = may(engine, chart, Stuff(Light.RED))
    assert (allowed("go"), allowed("stop")) == (True, False)


def test_duplicate_states() -> None:
    with pytest.raises(ChartError, match="the state 'RED' is defined twice"):
        chart_of(states=(Light.RED, Light.RED, Light.GREEN)).check()


# test_add_remove.py, test_threading.py --------------------------------------------------------------------------------


def test_garbage_collection() -> None:
    step = chart_of(Row("advance", "A", "B")).compile(Stuff, queued=True)
    model = Stuff()
    gone = threading.Event()
    weakref.finalize(model, gone.set)
    step(model, "advance")
    del model
    gc.collect()
    assert gone.is_set(), "a stepper keeps no model"


def test_add_model_initial_state(engine: Engine) -> None:
    chart = chart_of(Row("advance", "A", "B"), Row("advance", "B", "C"), Row("advance", "C", "D"))
    models = [Stuff(state) for state in "ABC"]
    send = engine.run(chart, *models)
    for model in models:
        send(model, "advance")
    assert [model.state for model in models] == ["B", "C", "D"]


def test_thread_access(engine: Engine) -> None:
    s, send = engine.of(Row("advance", "A", "B"))
    thread = threading.Thread(target=send, args=("advance",))
    thread.start()
    thread.join()
    assert s.state == "B"
