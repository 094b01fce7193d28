"""``python -m agentcp_fsm`` is ``agentcp-fsm``."""

from agentcp_fsm.cli import main

main()
