"""For tests of what is built on this library, and of the library itself.

- `agentcp_fsm.testing.monitor`: an observer that holds a machine to the specification's invariants, step by step;
- `agentcp_fsm.testing.simulator`: a deterministic world around one machine, with switches for its faults;
- `agentcp_fsm.testing.agents`: virtual agents, which share a clock (`clock`), a network with its weather (`network`,
  `tcp`) and a server with its habits (`servers`);
- `Walk` (of `agentcp_fsm.fsm.walk`): a chart walked event by event; the test answers its guards;
- `paths` (of `agentcp_fsm.fsm.paths`): a shortest walk to each state and each row of a chart;
- `chart_machine` (of `agentcp_fsm.testing.fuzzing`): a Hypothesis state machine for any chart and its model;
- `agentcp_fsm.testing.strategies` and `agentcp_fsm.testing.machine`: Hypothesis strategies, and a
  `RuleBasedStateMachine` over them; these two and `chart_machine` need the extra ``testing``.
"""

from typing import TYPE_CHECKING, Any

from agentcp_fsm.errors import InvariantError, WalkError
from agentcp_fsm.fsm.paths import paths
from agentcp_fsm.fsm.walk import Walk
from agentcp_fsm.testing.books import Observation
from agentcp_fsm.testing.monitor import Monitor, Watched
from agentcp_fsm.testing.simulator import World

if TYPE_CHECKING:
    from agentcp_fsm.testing.fuzzing import chart_machine

__all__ = [
    "InvariantError",
    "Monitor",
    "Observation",
    "Walk",
    "WalkError",
    "Watched",
    "World",
    "chart_machine",
    "paths",
]


def __getattr__(name: str) -> Any:
    if name != "chart_machine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from agentcp_fsm.testing.fuzzing import chart_machine

    return chart_machine
