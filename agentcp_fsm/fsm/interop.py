"""The same chart for `transitions`: as a live machine, or as the arguments of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transitions import Machine

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.check import check


def machine(chart: Chart, model: object, machine_class: type[Machine] | None = None, **options: Any) -> Machine:
    """Run a chart as a live `transitions.Machine` of `model`, which keeps its present state if it has one.

    `machine_class` may be any machine of `transitions` (``GraphMachine``, ``LockedMachine`` …); `options` go to it.
    `transitions` adds its triggers to the model as attributes, so the model must have a ``__dict__``: to run a slotted
    class, derive one without ``__slots__``.  Raises ChartError where `check` does, and for a model without a
    ``__dict__``.
    """
    check(chart, type(model))
    if not hasattr(model, "__dict__"):
        raise ChartError(
            f"{chart.name}: transitions adds attributes to its model, and {type(model).__name__} is slotted; "
            f"derive a class from it: class Traced({type(model).__name__}): pass"
        )
    return (machine_class or Machine)(
        model=model,
        name=chart.name,
        states=[
            {"name": state.name, "on_enter": list(state.on_enter), "on_exit": list(state.on_exit), "final": state.final}
            for state in chart.states
        ],
        initial=getattr(model, "state", chart.initial),
        transitions=list(transitions(chart)),
        auto_transitions=False,
        **options,
    )


def transitions(chart: Chart) -> Iterator[dict[str, Any]]:
    """The rows as `transitions` takes them, in order: keyword arguments of ``Machine.add_transition``."""
    for row in chart.rows:
        arguments = {name: list(part) if isinstance(part, tuple) else part for name, part in row.parts().items()}
        del arguments["reason"], arguments["ignored"]
        yield arguments | {"source": list(chart.sources(row))}
