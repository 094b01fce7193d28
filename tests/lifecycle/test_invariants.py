"""S1 to S10 after every step of any life."""

from agentcp_fsm.testing.machine import ConnectionMachine

TestConnection = ConnectionMachine.TestCase
"""S1 to S10, which the monitor checks after every step."""
