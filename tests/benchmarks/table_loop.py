"""The stepper that the engine would have if it wrote no source: a loop over tables of callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentcp_fsm.fsm.callbacks import ClassCallbacks, Method
from agentcp_fsm.fsm.chart import SAME, Chart, Row


def table_loop(chart: Chart, model: type) -> Callable[..., Row]:
    """A stepper for a chart whose states have no callbacks."""

    def methods(names: tuple[str, ...]) -> tuple[Callable[..., Any], ...]:
        calls = (ClassCallbacks(model).find(name, "action") for name in names)
        return tuple(getattr(model, call.name) if isinstance(call, Method) else call for call in calls)

    def compiled(source: str, row: Row) -> tuple[Any, ...]:
        return (
            methods(row.prepare),
            (
                *((guard, True) for guard in methods(row.conditions)),
                *((guard, False) for guard in methods(row.unless)),
            ),
            methods(row.before),
            source if row.dest == SAME else row.dest,
            methods(row.after),
            row,
        )

    cells = {
        state: {
            trigger: tuple(compiled(state, row) for row in chart.cell(state, trigger)) for trigger in chart.triggers
        }
        for state in chart.state_names
    }

    def step(instance: Any, trigger: str, *args: Any) -> Row:
        for prepare, guards, before, dest, after, row in cells[instance.state][trigger]:
            for call in prepare:
                call(instance, *args)
            for guard, expected in guards:
                if guard(instance, *args) != expected:
                    break
            else:
                for call in before:
                    call(instance, *args)
                if dest is not None:
                    instance.state = dest
                for call in after:
                    call(instance, *args)
                taken: Row = row
                return taken
        raise AssertionError(f"({instance.state}, {trigger}) is undecided")

    return step
