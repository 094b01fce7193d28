"""The agent that is examined."""

from collections.abc import Callable
from pathlib import Path

from agentcp_fsm.doctor import Finding, Outcome
from tests.sign_in.certificates import Identity, key_pem

AGENT = "alice.agentid.pub"
PASSWORD = "sésame, open"


OK, WARNING, FAILED, SKIPPED = Outcome

Examine = Callable[..., dict[str, Finding]]


def outcomes(found: dict[str, Finding]) -> dict[str, Outcome]:
    return {step: finding.outcome for step, finding in found.items() if finding.outcome is not OK}


def store(folder: Path, identity: Identity) -> None:
    """Put another identity in the place of the throwaway one."""
    certs = folder / AGENT / "private" / "certs"
    (certs / f"{AGENT}.key").write_text(key_pem(identity.key, PASSWORD))
    (certs / f"{AGENT}.crt").write_text(identity.certificate_pem)
