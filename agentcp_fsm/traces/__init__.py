"""Traces: what happened to one machine, in a file that can be shown, replayed and compared."""

from agentcp_fsm.traces.coding import read_trace, write_trace
from agentcp_fsm.traces.recorder import Recorder, record
from agentcp_fsm.traces.replaying import Difference, replay
from agentcp_fsm.traces.story import difference_lines, played, replay_lines, story_lines
from agentcp_fsm.traces.trace import Step, Trace

__all__ = [
    "Difference",
    "Recorder",
    "Step",
    "Trace",
    "difference_lines",
    "played",
    "read_trace",
    "record",
    "replay",
    "replay_lines",
    "story_lines",
    "write_trace",
]
