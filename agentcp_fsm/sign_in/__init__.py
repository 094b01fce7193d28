"""Signing in over HTTP: an agent's credentials, the calls of the sign-in service, and what can go wrong with them.

Importing this package imports requests and cryptography; ``import agentcp_fsm`` alone does not.
"""

from agentcp_fsm.sign_in.call import Timeouts
from agentcp_fsm.sign_in.client import AuthClient, ClientOptions
from agentcp_fsm.sign_in.credentials import Credentials
from agentcp_fsm.sign_in.discovery import (
    AccessPointClient,
    AccessPointConfig,
    access_point_url,
)
from agentcp_fsm.sign_in.http import Transport
from agentcp_fsm.sign_in.trust.chain import ChainVerifier
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher
from agentcp_fsm.sign_in.trust.proof import ServerProof, ServerProofPolicy, load_trust_roots, verify_server_proof
from agentcp_fsm.support.abandonment import Abandonment

__all__ = [
    "Abandonment",
    "AccessPointClient",
    "AccessPointConfig",
    "AuthClient",
    "ChainVerifier",
    "ClientOptions",
    "Credentials",
    "IssuerFetcher",
    "ServerProof",
    "ServerProofPolicy",
    "Timeouts",
    "Transport",
    "access_point_url",
    "load_trust_roots",
    "verify_server_proof",
]
