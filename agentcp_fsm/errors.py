"""Every error this library raises, under one base class.

Network input never raises one of these past the edge: it is counted and ignored.  What is raised here answers
something that the caller did, and names the value and the remedy.
"""


class AgentCPError(Exception):
    """The base class of all errors of this library."""


class ChartError(AgentCPError, ValueError):
    """A chart contradicts itself, or a model lacks what its chart names; the text names the row."""


class ConfigError(AgentCPError, ValueError):
    """A configured value cannot work; the text names the field, the value and what would be accepted."""


class WireError(AgentCPError, ValueError):
    """Bytes that are no AgentCP datagram, or a message that no datagram can carry."""


class CredentialsError(AgentCPError):
    """A key or certificate on disk cannot be used; the text names the file and the remedy."""


class ServerError(AgentCPError, RuntimeError):
    """The reference server cannot do what was asked now; the text names what stands in the way."""


class ConnectionStateError(AgentCPError, RuntimeError):
    """The connection is in no state to do what was asked, or did not get there in time."""


class SDKError(AgentCPError):
    """The AgentCP SDK is not installed, or not as it is known; the text names the remedy."""


class RendererError(AgentCPError, RuntimeError):
    """A picture cannot be drawn, because its renderer is not installed or failed; the text names the remedy."""


class DiagramFileError(AgentCPError):
    """A file can hold no diagram; the text names the file and the remedy."""
