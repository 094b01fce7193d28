"""The chart that a command works on, and the parts of it that are chosen."""

from __future__ import annotations

from collections.abc import Sequence

from agentcp_fsm.errors import ChartError

OURS = "agentcp_fsm.lifecycle.chart:CHART"
"""The chart of a connection."""


def named(kind: str, given: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The known names that were given, in any case; all if none was."""
    by_folded = {name.casefold(): name for name in known}
    for name in given:
        if name.casefold() not in by_folded:
            raise ChartError(f"{name!r} is no {kind} of the chart; there are {', '.join(known)}")
    return tuple(by_folded[name.casefold()] for name in given) or tuple(known)
