"""Chains of certificates, and how they are judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import strategies as st

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.sign_in import Credentials, Timeouts
from agentcp_fsm.sign_in.call import Call
from agentcp_fsm.sign_in.trust.chain import ChainVerifier
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher
from agentcp_fsm.support.abandonment import Abandonment
from tests.sign_in.certificates import Identity, make_identity, usage

AGENT = "alice.agentid.pub"
CREDENTIALS = Credentials.from_pem(AGENT, (_alice := make_identity(AGENT)).key_pem, _alice.certificate_pem)
ROOT = make_identity("root", authority=True)
BEFORE = timedelta(hours=-1)


def verifier(*roots: Identity, name: str | None = None, private: bool = True) -> ChainVerifier:
    fetcher = IssuerFetcher(verify=True, allow_insecure_private=private)
    return ChainVerifier([root.certificate for root in roots or (ROOT,)], name, fetcher)


def call(total: float = 20.0, abandonment: Abandonment | None = None) -> Call:
    return Call.begin(Timeouts(connect=2, read=10, total=total), abandonment)


def verify(chain: ChainVerifier, *sent: Identity, within: Call | None = None) -> None:
    chain.verify([each.certificate for each in sent], within or call())


def refusal(chain: ChainVerifier, *sent: Identity, within: Call | None = None) -> SignInError:
    with pytest.raises(SignInError) as caught:
        verify(chain, *sent, within=within)
    return caught.value


def assert_unproven(failure: SignInError, says: str) -> None:
    assert failure.kind is FailureKind.UNPROVEN_SERVER
    assert failure.permanent
    assert says in str(failure)


@dataclass(frozen=True, slots=True)
class Link:
    """One authority of a chain, and what is wrong with it."""

    is_sent: bool
    path_length: int | None
    fault: str


links = st.builds(
    Link,
    st.booleans(),
    st.none() | st.integers(0, 3),
    st.sampled_from(["none"] * 6 + ["expired", "no authority", "may not issue", "agents only", "stranger's", "lost"]),
)


def make_link(link: Link, name: str, above: Identity | None, urls: Sequence[str]) -> Identity:
    if link.fault == "stranger's" and above is not None:  # of the same name, but with another key
        above = make_identity(above.certificate.subject.rfc4514_string().removeprefix("CN="), authority=True)
    purposes = [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])] if link.fault == "agents only" else []
    return make_identity(
        name,
        above,
        authority=link.fault != "no authority",
        path_length=None if link.fault == "no authority" else link.path_length,
        key_usage=usage(key_cert_sign=False) if link.fault == "may not issue" else None,
        valid_until=BEFORE if link.fault == "expired" else timedelta(days=1),
        issuer_urls=urls,
        more=purposes,
    )
