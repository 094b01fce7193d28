"""Signing in over HTTP: an agent's credentials, the calls of the sign-in service, and what can go wrong with them.

Importing this package imports requests and cryptography; ``import agentcp_fsm`` alone does not.
"""

from agentcp_fsm.abandonment import Abandonment
from agentcp_fsm.auth.chain import ChainVerifier
from agentcp_fsm.auth.client import AuthClient, ClientOptions
from agentcp_fsm.auth.credentials import Credentials
from agentcp_fsm.auth.discovery import (
    AccessPointClient,
    AccessPointConfig,
    DiscoveryError,
    DiscoveryStep,
    access_point_url,
)
from agentcp_fsm.auth.failures import FailureKind, SignInError
from agentcp_fsm.auth.issuers import IssuerFetcher
from agentcp_fsm.auth.proof import ServerProof, ServerProofPolicy, load_trust_roots, verify_server_proof
from agentcp_fsm.auth.transport import Timeouts, Transport

__all__ = [
    "Abandonment",
    "AccessPointClient",
    "AccessPointConfig",
    "AuthClient",
    "ChainVerifier",
    "ClientOptions",
    "Credentials",
    "DiscoveryError",
    "DiscoveryStep",
    "FailureKind",
    "IssuerFetcher",
    "ServerProof",
    "ServerProofPolicy",
    "SignInError",
    "Timeouts",
    "Transport",
    "access_point_url",
    "load_trust_roots",
    "verify_server_proof",
]
