"""Explores every situation that a connection's machine can be in, in a hostile world, and proves the rules there.

`explore` does it for one configuration, `agentcp_fsm.verification.matrix` for many; the command is ``agentcp-fsm
verify``.  What is found comes as a script, which `replay` carries out again.
"""

from agentcp_fsm.verification.explorer import Result, Violation, explore
from agentcp_fsm.verification.liveness import check_liveness
from agentcp_fsm.verification.script import Step, replay

__all__ = ["Result", "Step", "Violation", "check_liveness", "explore", "replay"]
