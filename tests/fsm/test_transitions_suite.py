"""The tests that `transitions` 0.9.3 (MIT licence) has of its flat machines, translated: our engine passes them, too.

Source: ``tests/test_core.py``, ``test_enum.py``, ``test_add_remove.py`` and ``test_threading.py`` of its release.  Each
test here and in ``test_transitions_suite_more.py`` has the name of the one that it translates, and runs twice: through
the compiled chart and through ``Chart.machine``.  Their automatic transitions ``to_A`` stand in the chart as rows, and
their "machine error" is the chart's ``undecided="raise"``.

Not translated, because they test what a chart does not have:

- machines that change while they run: ``add_states``, ``before_after_callback_addition``,
  ``before_after_transition_listeners``, ``new_state_in_enter_callback``, ``remove_transition``, ``remove_model``,
  ``queued_remove``, ``___getattr___and_identify_callback``, half of ``callback_identification`` (``before_move(…)``);
- callbacks of the machine as a whole: ``string_callbacks``, ``function_callbacks``, ``machine_prepare`` (its half on
  rows is translated), ``machine_finalize``, ``machine_finalize_exception``, ``on_exception_callback``, ``on_final``;
- callbacks that are functions or paths of modules: ``state_callable_callbacks``, ``listify``; a function is an
  attribute of the model here (``conditions_with_partial``);
- ``send_event=True`` and what its event objects show: half of ``send_event_data_callbacks`` and
  ``send_event_data_conditions``, ``repr``;
- other ways to write a machine: ``pass_state_instances_instead_of_names``, ``ordered_transitions`` and its kin,
  ``prep_ordered_arg``, ``custom_transition``, ``use_machine_as_model``, ``machine_may_transitions``,
  ``property_initial``, ``add_model_no_initial_state``, ``get_transitions``;
- triggers as methods of the model: ``skip_override``, ``dispatch``, ``dispatch_with_error``;
- several machines or another attribute for one model: ``dynamic_model_state_attribute``,
  ``multiple_machines_per_model``;
- hierarchical and parallel states, state features (tags, timeouts, volatile), the locked, graph, markup and async
  machines: ``Chart.machine`` gives the chart to any of them.
"""

from __future__ import annotations

import weakref
from functools import partial
from unittest.mock import MagicMock

import pytest

from agentcp_fsm.fsm.chart import ChartState, Row
from tests.fsm.suite import UNDECIDED, Engine, Stuff, chart_of


@pytest.fixture(params=["compiled", "live"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(request.param)


def test_init_machine_with_hella_arguments(engine: Engine) -> None:
    states = ("State1", "State2", ChartState("State3", on_enter="hello_world"))
    row = Row("advance", "State2", "State3")
    s, send = engine.of(row, states=states, initial="State2", model=Stuff("State2"))
    send("advance")
    assert s.message == "Hello World!"


def test_weakproxy_model(engine: Engine) -> None:
    model = Stuff()
    proxy = weakref.proxy(model)
    if engine.name == "live":
        chart_of(Row("go", "A", "B")).machine(model)
        proxy.go()
    else:
        chart_of(Row("go", "A", "B")).compile(Stuff)(proxy, "go")
    assert proxy.state == "B"


def test_transition_definitions(engine: Engine) -> None:
    rows = [("walk", "A", "B"), ("run", "B", "C"), ("sprint", "C", "D")]
    m, send = engine.of(*(Row(*row) for row in rows))
    send("walk")
    assert m.state == "B"
    send("to_C")
    send("sprint")
    assert m.state == "D"


def test_transitioning(engine: Engine) -> None:
    s, send = engine.of(Row("advance", "A", "B"), Row("advance", "B", "C"), Row("advance", "C", "D"))
    send("advance")
    assert s.state == "B"
    send("advance")
    assert s.state == "C"


def test_conditions(engine: Engine) -> None:
    s, send = engine.of(
        Row("advance", "A", "B", conditions="this_passes"),
        Row("advance", "B", "C", unless=["this_fails"]),
        Row("advance", "C", "D", unless=["this_fails", "this_passes"]),
        undecided="ignore",
    )
    for expected in "BCC":
        send("advance")
        assert s.state == expected


def test_uncallable_callbacks(engine: Engine) -> None:
    s, send = engine.of(
        Row("advance", "A", "B", conditions=["property_that_fails", "is_false"]),
        Row("advance", "A", "C", before=["property_that_fails", "is_false"]),
    )
    send("advance", level="MaximumSpeed")
    assert s.state == "C"


def test_conditions_with_partial(engine: Engine) -> None:
    def check(result: bool) -> bool:
        return result

    class Partial(Stuff):
        def __init__(self) -> None:
            super().__init__()
            self.yes, self.no = partial(check, True), partial(check, False)

    s, send = engine.of(
        Row("advance", "A", "B", conditions="yes"),
        Row("advance", "B", "C", unless="no"),
        Row("advance", "C", "D", unless=["no", "yes"]),
        model=Partial(),
        undecided="ignore",
    )
    for expected in "BCC":
        send("advance")
        assert s.state == expected


def test_multiple_add_transitions_from_state(engine: Engine) -> None:
    s, send = engine.of(Row("advance", "A", "B", conditions=["this_fails"]), Row("advance", "A", "C"))
    send("advance")
    assert s.state == "C"


def test_state_change_listeners(engine: Engine) -> None:
    states = ("A", ChartState("B", on_enter="hello_world", on_exit="goodbye"))
    s, send = engine.of(Row("advance", "A", "B"), Row("reverse", "B", "A"), states=states)
    send("advance")
    assert (s.state, s.message) == ("B", "Hello World!")
    send("reverse")
    assert s.state == "A"
    assert s.message.startswith("So long")


def test_prepare(engine: Engine) -> None:
    m, send = engine.of(
        Row("move", "A", "B", prepare="increase_level"),
        Row("move", "B", "C", prepare="increase_level"),
        Row("move", "C", "A", prepare="increase_level", conditions="this_fails"),
        Row("move", "C", None, ignored=True),
        Row("dont_move", "A", "C", prepare="increase_level"),
    )
    for state, level in (("B", 2), ("C", 3), ("C", 4)):
        send("move")
        assert (m.state, m.level) == (state, level)
    with pytest.raises(UNDECIDED):
        send("dont_move")
    assert (m.state, m.level) == ("C", 4)


def test_machine_prepare(engine: Engine) -> None:
    """Each row that is tried prepares itself."""

    class Mocked(Stuff):
        def __init__(self) -> None:
            super().__init__()
            self.local_mock = MagicMock()

    fails = Row("go", "A", "B", conditions="this_fails", prepare="local_mock")
    rows = [
        Row("go", "A", "B", conditions=["this_fails"] * n, prepare="local_mock", reason=str(n)) for n in range(2, 5)
    ]
    m, send = engine.of(fails, *rows, Row("go", "A", "B", prepare="local_mock"), model=Mocked())
    send("go")
    assert m.local_mock.call_count == 5


def test_state_model_change_listeners(engine: Engine) -> None:
    states = (*"ABCDE", ChartState("F", on_enter="hello_F"))
    s, send = engine.of(Row("go_e", "A", "E"), Row("go_f", "E", "F"), states=states)
    send("go_e")
    assert (s.state, s.message) == ("E", "I am E!")
    send("go_f")
    assert (s.state, s.exit_message) == ("F", "E go home...")
    assert "I am F!" in s.message


def test_inheritance(engine: Engine) -> None:
    class Inherited(Stuff):
        @staticmethod
        def this_passes() -> bool:
            return True

    rows = [Row("advance", "A", "B", conditions="this_passes"), Row("advance", "B", "C"), Row("advance", "C", "D")]
    s, send = engine.of(*rows, model=Inherited())
    for expected in "BC":
        send("advance")
        assert s.state == expected


def test_send_event_data_callbacks(engine: Engine) -> None:
    s, send = engine.of(Row("advance", "A", "B", before="set_message"))
    send("advance", message="Hallo. My name is Inigo Montoya.")
    assert s.message.startswith("Hallo.")
    send("to_A")
    send("advance", "Test as positional argument")
    assert s.message.startswith("Test as")


def test_send_event_data_conditions(engine: Engine) -> None:
    s, send = engine.of(Row("advance", "A", "B", conditions="this_fails_by_default"))
    send("advance", boolean=True)
    assert s.state == "B"


def test_auto_transitions(engine: Engine) -> None:
    m, send = engine.of()
    for state in "BCA":
        send(f"to_{state}")
        assert m.state == state


def test_ignore_invalid_triggers(engine: Engine) -> None:
    row = Row("a_to_b", "A", "B")
    _, send = engine.of(row, states="AB", model=Stuff("B"))
    with pytest.raises(UNDECIDED):
        send("a_to_b")
    m, send = engine.of(row, states="AB", model=Stuff("B"), undecided="ignore")
    send("a_to_b")
    assert m.state == "B"
    one_state = Row("a_to_b", "C", None, ignored=True)
    m, send = engine.of(row, one_state, states="ABC")
    send("to_C")
    send("a_to_b")
    assert m.state == "C"
    send("to_B")
    with pytest.raises(UNDECIDED):
        send("a_to_b")


def test_state_callbacks(engine: Engine) -> None:
    """A listed callback with the name of an implicit one runs once."""

    class Model:
        def __init__(self) -> None:
            self.state = "A"
            self.log: list[str] = []

        def on_exit_A(self) -> None:  # noqa: N802
            self.log.append("exit")

        def on_enter_B(self) -> None:  # noqa: N802
            self.log.append("enter")

    states = (ChartState("A", on_exit="on_exit_A"), ChartState("B", on_enter="on_enter_B"))
    m, send = engine.of(states=states, model=Model())
    send("to_B")
    assert m.log == ["exit", "enter"]
