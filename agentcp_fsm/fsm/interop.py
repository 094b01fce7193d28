"""The same chart for `transitions`: as a live machine, or as the arguments of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transitions import Machine

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.callbacks import check_callbacks
from agentcp_fsm.fsm.chart import SAME, Chart, name_of
from agentcp_fsm.fsm.check import check


def machine(chart: Chart, model: object, machine_class: type[Machine] | None = None, **options: Any) -> Machine:
    """Run a chart as a live `transitions.Machine` of `model`, which keeps its present state if it has one.

    `machine_class` may be any machine of `transitions` (``GraphMachine``, ``LockedMachine`` …); `options` go to it.
    `transitions` adds its triggers to the model as attributes, so the model must have a ``__dict__``: to run a slotted
    class, derive one without ``__slots__``.  Of a chart with ``undecided="raise"``, `transitions` reports an event in
    its own way: a MachineError if no row is of the state, else False.  Raises ChartError where `check` does, for a
    model without a ``__dict__``, and for one in a state that the chart does not have.
    """
    check(chart)
    check_callbacks(chart, type(model), model)
    if not hasattr(model, "__dict__"):
        raise ChartError(
            f"{chart.name}: transitions adds attributes to its model, and {type(model).__name__} is slotted; "
            f"derive a class from it: class Traced({type(model).__name__}): pass"
        )
    state = name_of(getattr(model, "state", chart.initial))
    if state not in chart.state_names:
        raise ChartError(f"{chart.name}: unknown state {state!r}; the chart has {', '.join(chart.state_names)}")
    return (machine_class or Machine)(
        model=model,
        name=chart.name,
        states=[
            {"name": each.value, "on_enter": list(each.on_enter), "on_exit": list(each.on_exit), "final": each.final}
            for each in chart.states
        ],
        initial=chart.value_of(state),
        transitions=list(transitions(chart)),
        auto_transitions=False,
        **options,
    )


def transitions(chart: Chart) -> Iterator[dict[str, Any]]:
    """The rows as `transitions` takes them, in order: keyword arguments of ``Machine.add_transition``."""
    values = {state.name: state.value for state in chart.states}
    for row in chart.all_rows:
        arguments = {name: list(part) if isinstance(part, tuple) else part for name, part in row.parts().items()}
        del arguments["reason"], arguments["ignored"]
        dest = row.dest if row.dest is None or row.dest == SAME else values[row.dest]
        yield arguments | {"source": [values[name] for name in chart.sources(row)], "dest": dest}
