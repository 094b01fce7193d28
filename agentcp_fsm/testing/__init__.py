"""For tests of what is built on this library, and of the library itself.  Its page is docs/testing.md.

For an agent (the extra ``testing`` brings all it needs; the fixtures are in `agentcp_fsm.pytest_plugin`):

- `BreakableServer`: a heartbeat server on loopback, with faults as contexts;
- `FAST`: a configuration with which a test takes seconds;
- `World`: a deterministic world around one machine, with a virtual clock and switches for its faults;
- `agentcp_fsm.testing.agents`: virtual agents, which share a clock (`clock`), a network with its weather (`network`,
  `tcp`) and a server with its habits (`servers`);
- `ConnectionMachine` and `connection_machine`: Hypothesis leads a connection's machine through any life;
- `strategies`: Hypothesis strategies for configurations, events, sessions, datagrams, weather and charts;
- `Watched` and `Monitor`: an observer that holds a machine to the specification's invariants, step by step;
- `Script`: a life as a program, to be read, replayed and shortened.

For a chart:

- `Walk`: a chart walked event by event; the test answers its guards;
- `paths`: a shortest walk to each state and each row of a chart;
- `chart_machine`: a Hypothesis state machine for any chart and its model.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from agentcp_fsm.errors import InvariantError, WalkError
from agentcp_fsm.fsm.paths import paths
from agentcp_fsm.fsm.walk import Walk
from agentcp_fsm.testing.books import Observation
from agentcp_fsm.testing.monitor import Monitor, Watched
from agentcp_fsm.testing.script import Script
from agentcp_fsm.testing.simulator import World
from agentcp_fsm.testing.timing import FAST

if TYPE_CHECKING:
    from agentcp_fsm.testing.breakable import BreakableServer
    from agentcp_fsm.testing.fuzzing import chart_machine
    from agentcp_fsm.testing.machine import ConnectionMachine, connection_machine

__all__ = [
    "FAST",
    "BreakableServer",
    "ConnectionMachine",
    "InvariantError",
    "Monitor",
    "Observation",
    "Script",
    "Walk",
    "WalkError",
    "Watched",
    "World",
    "chart_machine",
    "connection_machine",
    "paths",
]

_MODULE_OF = {
    "BreakableServer": "breakable",
    "ConnectionMachine": "machine",
    "chart_machine": "fuzzing",
    "connection_machine": "machine",
}
"""What is loaded when it is first used, for it needs the extra."""


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
