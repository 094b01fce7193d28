"""What may stand behind the name of a callback, and what is refused because it can never work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal
from unittest import mock

import pytest

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart, ChartState, Row

STATES = (ChartState("A"), ChartState("B"))
CHART = Chart(
    "c", "A", STATES, (Row("go", "A", "B", conditions="ready", after="note"), Row("go", "A", None), Row("go", "B", "A"))
)
ASKING = Chart("c", "A", STATES, (Row("go", "A", "B", unless="ready"), Row("go", "A", None), Row("go", "B", "A")))


class Base:
    def __init__(self) -> None:
        self.state = "A"
        self.log: list[object] = []

    def ready(self, *args: object, **kwargs: object) -> bool:
        return True

    def note(self, *args: object, **kwargs: object) -> None:
        self.log.append(("base", args, kwargs))


STEP = CHART.compile(Base)


def test_the_methods_of_a_subclass_are_called() -> None:
    """The base's were, silently."""

    class Sub(Base):
        def note(self, *args: object, **kwargs: object) -> None:
            self.log.append("sub")

    for step in (STEP, CHART.compile(Sub)):
        model = Sub()
        step(model, "go")
        assert model.log == ["sub"]


def test_what_an_instance_or_a_test_puts_in_place_is_called() -> None:
    model: Any = Base()
    model.note = mock.Mock()
    STEP(model, "go", 1, key=2)
    model.note.assert_called_once_with(1, key=2)
    with mock.patch.object(Base, "note") as patched:
        STEP(Base(), "go")
    patched.assert_called_once_with()


def test_keyword_arguments_reach_every_callback() -> None:
    model = Base()
    STEP(model, "go", 1, model=2, trigger=3)
    assert model.log == [("base", (1,), {"model": 2, "trigger": 3})]


def test_a_method_takes_as_many_arguments_as_each_event_has() -> None:
    """Its TypeError came at the first event, after the state had changed."""

    class Short(Base):
        def note(self) -> None:  # type: ignore[override]
            pass

    assert CHART.compile(Base, arity=2)(Base(), "go", 1, 2) is CHART.rows[0]
    CHART.compile(Short, arity=0)
    with pytest.raises(
        ChartError, match=r"B \[ready\]> calls Short.note\(self\).*, which does not take the number of argu"
    ):
        CHART.compile(Short, arity=1)


@dataclass
class Annotated:
    state: str
    ready: bool

    def note(self) -> None:
        pass


@dataclass(slots=True)
class Slotted:
    state: str
    ready: bool
    note: Any = print


class Assigned:
    def __init__(self, ready: bool) -> None:
        self.state = "A"
        self.ready = ready
        self.note = partial(print, end="")


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("make", [partial(Annotated, "A"), partial(Slotted, "A"), Assigned])
def test_attributes_of_the_instance_are_callbacks(make: Any, ready: bool) -> None:
    """One that only __init__ sets was unknown."""
    step = CHART.compile(type(make(ready)))
    model = make(ready)
    assert step(model, "go") is CHART.rows[0 if ready else 1]
    assert ASKING.compile(type(model))(make(ready), "go") is ASKING.rows[1 if ready else 0]


def test_a_live_machine_looks_at_the_instance_itself() -> None:
    class Bare:
        state = "A"

    bare: Any = Bare()
    with pytest.raises(ChartError, match="names the callback 'ready', which Bare does not have; define it"):
        CHART.machine(bare)
    bare.ready, bare.note = True, list
    CHART.machine(bare)
    bare.go()
    assert bare.state == "B"


def test_a_live_machine_takes_the_state_in_either_spelling_and_no_other() -> None:
    model = Base()
    model.state = "Z"
    with pytest.raises(ChartError, match="c: unknown state 'Z'; the chart has A, B"):
        CHART.machine(model)


def test_an_instance_is_no_class() -> None:
    with pytest.raises(ChartError, match=r"^c: <.*Base object at .*> is an instance: give its class, Base$"):
        CHART.compile(Base())  # type: ignore[call-overload]


class Asynchronous(Base):
    async def ready(self, *args: object, **kwargs: object) -> bool:  # type: ignore[override]
        return True


class Called:
    async def __call__(self) -> None:
        pass


class CalledByObject(Base):
    note = Called()  # type: ignore[assignment]


class Static(Base):
    @staticmethod
    async def note() -> None:  # type: ignore[override]
        pass


class Stream(Base):
    async def note(self) -> AsyncIterator[None]:  # type: ignore[override]
        yield


class Generator(Base):
    def ready(self) -> Iterator[bool]:  # type: ignore[override]
        yield True


class Implicit(Base):
    async def on_enter_B(self) -> None:  # noqa: N802
        pass


@pytest.mark.parametrize("model", [Asynchronous, CalledByObject, Static, Stream, Implicit])
def test_asynchronous_callbacks_are_refused(model: type) -> None:
    """A guard that is one never held, and an action that is one never ran."""
    with pytest.raises(ChartError, match=r"^c: (row <go: A → B \[ready\]>|state B) names \w+\.\w+, which is async"):
        CHART.check(model)


def test_a_generator_is_refused() -> None:
    with pytest.raises(ChartError, match=r"names Generator\.ready, which is a generator: nothing would run it"):
        CHART.check(Generator)


class Number(Base):
    def ready(self) -> int:  # type: ignore[override]
        return 2


class Perhaps(Base):
    def ready(self) -> bool | None:  # type: ignore[override]
        return None


class Property(Base):
    @property
    def ready(self) -> str:  # type: ignore[override]
        return "yes"


class Nothing(Base):
    def ready(self) -> None:  # type: ignore[override]
        pass


class Word(Base):
    def ready(self) -> Literal["yes", "no"]:  # type: ignore[override]
        return "yes"


@dataclass
class Count:
    state: str
    ready: int

    def note(self) -> None:
        pass


@pytest.mark.parametrize("model", [Number, Perhaps, Property, Nothing, Word, Count])
def test_a_guard_that_is_annotated_as_no_boolean_is_refused(model: type) -> None:
    with pytest.raises(
        ChartError, match=r"^c: row <go: A → B \[ready\]> asks \w+\.ready, which (returns|is annotated as)"
    ):
        CHART.check(model)


class Noting:
    def note(self) -> None:
        pass


class Anything(Noting):
    def ready(self) -> Any:
        return True


class Yes(Noting):
    def ready(self) -> Literal[True]:
        return True


class Unreadable(Noting):
    def ready(self) -> Missing:  # type: ignore[name-defined] # noqa: F821
        return True


class Plain(Noting):
    def ready(self):  # type: ignore[no-untyped-def]
        return True


class Computed(Noting):
    @property
    def ready(self) -> Callable[[], bool]:
        return lambda: True


class Flag(Noting):
    ready: ClassVar[bool] = True


@pytest.mark.parametrize("model", [Anything, Yes, Unreadable, Plain, Computed, Flag])
def test_a_guard_that_may_be_a_boolean_passes(model: type) -> None:
    CHART.check(model)


# Event classes --------------------------------------------------------------------------------------------------------


class Event:
    trigger: ClassVar[str]


class Go(Event):
    trigger = "go"


class Stop(Event):
    trigger = "stop"


class Typed:
    state = "A"

    def ready(self, event: Go) -> bool:
        return True

    def note(self, event: Event) -> None:
        pass

    def either(self, event: Go | Stop) -> None:
        pass

    def only_stop(self, event: Stop) -> None:
        pass

    @classmethod
    def of_class(cls, event: Stop) -> None:
        pass

    @staticmethod
    def free(event: Stop) -> None:
        pass

    def on_enter_B(self, event: Go) -> None:  # noqa: N802
        pass


def typed(*rows: Row, events: Any = (Go, Stop), states: Any = STATES) -> Chart:
    return Chart("typed", "A", states, (*rows, Row("stop", "*", None, ignored=True)), events=events)


GO = Row("go", "A", "B", conditions="ready", after=("note", "either"))
REST = (Row("go", "A", None), Row("go", "B", "A"))


def test_events_and_rows_that_agree_pass() -> None:
    typed(GO, *REST).check(Typed)


def test_each_event_has_a_row_and_each_row_an_event() -> None:
    class Pause(Event):
        trigger = "pause"

    class Again(Event):
        trigger = "go"

    with pytest.raises(ChartError, match="no row has the trigger 'pause' of the event Pause; the chart has go, stop"):
        typed(GO, *REST, events=(Go, Stop, Pause)).check()
    with pytest.raises(ChartError, match=r"row <stop: \* → no change>: no event has the trigger 'stop'; they have go$"):
        typed(GO, *REST, events=(Go,)).check()
    with pytest.raises(ChartError, match="the events Go and Again have the same trigger 'go'"):
        typed(GO, *REST, events=(Go, Stop, Again)).check()
    with pytest.raises(ChartError, match=r"its events hold <class '.*Event'>, which is no class with a trigger"):
        typed(GO, *REST, events=(Event,))


@pytest.mark.parametrize("name", ["only_stop", "of_class", "free"])
def test_a_callback_takes_the_event_of_its_row(name: str) -> None:
    row = Row("go", "A", "B", conditions="ready", after=name)
    with pytest.raises(
        ChartError, match=rf"row <go: A → B \[ready\]> calls Typed.{name} with a Go, and it takes a Stop; take the"
    ):
        typed(row, *REST).check(Typed)


def test_so_do_the_callbacks_of_the_states_that_a_row_leads_through() -> None:
    states = (ChartState("A"), ChartState("B", on_exit="only_stop"))
    with pytest.raises(ChartError, match=r"row <go: B → A> calls Typed\.only_stop with a Go, and it takes a Stop"):
        typed(GO, *REST, states=states).check(Typed)
