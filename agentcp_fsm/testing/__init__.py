"""For tests of what is built on this library, and of the library itself.

- `agentcp_fsm.testing.monitor`: an observer that holds a machine to the specification's invariants, step by step;
- `agentcp_fsm.testing.simulator`: a deterministic world around one machine, with switches for its faults;
- `agentcp_fsm.testing.agents`: virtual agents, which share a clock (`clock`), a network with its weather (`network`,
  `tcp`) and a server with its habits (`servers`);
- `Walk` (of `agentcp_fsm.fsm.walk`): a chart walked event by event; the test answers its guards;
- `agentcp_fsm.testing.strategies` and `agentcp_fsm.testing.machine`: Hypothesis strategies, and a
  `RuleBasedStateMachine` over them; these two need the extra ``testing``.
"""

from agentcp_fsm.errors import InvariantError, WalkError
from agentcp_fsm.fsm.walk import Walk
from agentcp_fsm.testing.books import Observation
from agentcp_fsm.testing.monitor import Monitor, Watched
from agentcp_fsm.testing.simulator import World

__all__ = ["InvariantError", "Monitor", "Observation", "Walk", "WalkError", "Watched", "World"]
