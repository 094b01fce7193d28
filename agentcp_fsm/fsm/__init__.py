"""The general engine: a chart is data that is checked, compiled, walked and drawn.  It knows nothing of agents.

It imports nothing of the package but `agentcp_fsm.errors`, and could be published alone.
"""
