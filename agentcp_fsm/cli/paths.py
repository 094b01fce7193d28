"""``agentcp-fsm paths``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from agentcp_fsm.cli.output import Output, plain
from agentcp_fsm.cli.target import named
from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.diagram.formats import PATH_FORMATS
from agentcp_fsm.fsm.loading import load_chart
from agentcp_fsm.fsm.path_formats import as_data, as_text, pytest_source
from agentcp_fsm.fsm.paths import Path, paths


def show_paths(target: str, states: Sequence[str], triggers: Sequence[str], every_source: bool, format: str) -> None:
    """Print the walks to the given states, and to the rows of the given states and triggers; none given means all."""
    if format not in PATH_FORMATS:
        raise ChartError(f"there is no format {format!r} for paths: choose one of {', '.join(PATH_FORMATS)}")
    chart = load_chart(target)
    chart.check()
    wanted_states = named("state", states, [str(name) for name in chart.state_names])
    wanted_triggers = named("trigger", triggers, chart.triggers)

    def wanted(path: Path) -> bool:
        if path.row is None:
            return path.end in wanted_states and not triggers
        return path.source in wanted_states and path.row.trigger in wanted_triggers

    chosen = tuple(filter(wanted, paths(chart, every_source=every_source or bool(states))))
    if format == "json":
        sys.stdout.write(json.dumps(as_data(chart, chosen), indent=2) + "\n")
    elif format == "pytest":
        sys.stdout.write(pytest_source(chart, chosen, target))
    else:
        console = Output().console
        for path in chosen:
            console.print(plain(as_text(path)), soft_wrap=not console.is_terminal)
