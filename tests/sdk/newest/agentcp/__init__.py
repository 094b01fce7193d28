"""The layout of the SDK's newest source: no leftover modules beside the packages."""

__version__ = "newest"

from agentcp.agentcp import AgentCP, AgentID

__all__ = ["AgentCP", "AgentID", "__version__"]
