"""What the translated tests of `transitions` share: their model, and both engines behind one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

from transitions import MachineError

from agentcp_fsm.errors import UndecidedError
from agentcp_fsm.fsm.chart import EVERY, Chart, ChartState, Row

UNDECIDED = (UndecidedError, MachineError)
"""What the engines raise where no row decides."""
STATES = "ABCDEF"
Send = Callable[..., object]
"""``send(model, trigger, *args, **kwargs)``"""
Undecided = Literal["ignore", "raise"]


class Stuff:
    """The model of their tests."""

    is_false = False

    def __init__(self, state: Any = "A") -> None:
        self.state = state
        self.message: str | None = None
        self.exit_message: str | None = None
        self.level = 1

    @staticmethod
    def this_passes() -> bool:
        return True

    @staticmethod
    def this_fails(*args: object, **kwargs: object) -> bool:
        return False

    @staticmethod
    def this_raises(exception: type[Exception], *args: object, **kwargs: object) -> bool:
        raise exception

    @staticmethod
    def this_fails_by_default(boolean: bool = False) -> bool:
        return boolean

    def goodbye(self) -> None:
        self.message = "So long, suckers!"

    def hello_world(self) -> None:
        self.message = "Hello World!"

    def hello_F(self) -> None:  # noqa: N802
        self.message = f"{self.message or ''}Hello F!"

    def increase_level(self) -> None:
        self.level += 1

    def set_message(self, message: str = "Hello World!") -> None:
        self.message = message

    def on_enter_E(self, msg: str | None = None) -> None:  # noqa: N802
        self.message = "I am E!" if msg is None else msg

    def on_exit_E(self) -> None:  # noqa: N802
        self.exit_message = "E go home..."

    def on_enter_F(self) -> None:  # noqa: N802
        self.message = "I am F!"

    @property
    def property_that_fails(self) -> bool:
        return self.is_false


def chart_of(*rows: Row, states: Iterable[Any] = STATES, initial: Any = None, undecided: Undecided = "raise") -> Chart:
    """A chart of these rows, in which ``to_A`` leads from every state to A."""
    known = [state if isinstance(state, ChartState) else ChartState(state) for state in states]
    automatic = [Row(f"to_{state.name}", EVERY, state.name) for state in known]
    first = known[0].name if initial is None else initial
    return Chart("translated", first, known, [*rows, *automatic], undecided=undecided)


class Engine:
    """One of the two engines."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, chart: Chart, *models: Any, queued: bool = False) -> Send:
        """How to send an event to these models, all of one class."""
        if self.name == "compiled":
            step: Send = chart.compile(type(models[0]), queued=queued)  # type: ignore[call-overload]
            return step
        for model in models:
            chart.machine(model, queued=queued)
        return lambda model, trigger, *args, **kwargs: model.trigger(trigger, *args, **kwargs)

    def of(
        self, *rows: Row, model: Any = None, queued: bool = False, **parts: Any
    ) -> tuple[Any, Callable[..., object]]:
        """A model, by default a new `Stuff`, and how to send it an event."""
        model = Stuff() if model is None else model
        return model, partial(self.run(chart_of(*rows, **parts), model, queued=queued), model)
