"""Why an HTTP call failed, in terms that the lifecycle and a person can act on."""

import ssl
from collections.abc import Iterator

import requests
import urllib3

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.sign_in.budget import ExcessiveAnswerError
from agentcp_fsm.sign_in.call import Call
from agentcp_fsm.support.quoting import quoted, without_login

FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What requests and urllib3 raise when an exchange fails."""


def abandoned(url: str) -> SignInError:
    """Return the failure of an abandoned call."""
    return SignInError(FailureKind.ABANDONED, f"the call of {url} was abandoned")


def failure(url: str, call: Call, error: Exception) -> SignInError:
    """Say what one of `FAILURES` means, and what a person can do about it."""
    if call.abandoned:
        return abandoned(url)
    behind = tuple(causes(error))
    for cause in behind:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return SignInError(
                FailureKind.UNPROVEN_SERVER,
                f"{url}: the TLS certificate cannot be trusted ({quoted(cause.verify_message)}): check the server's URL"
                " and this machine's clock; for a private certificate authority give its file as verify (--ca-file)",
            )
        if isinstance(cause, ExcessiveAnswerError):
            return SignInError(
                FailureKind.TOO_LARGE,
                f"{url}: the answer is larger than any of a sign-in server ({cause})",
                remedy="check the server's URL, and whether something on the way answers in its place",
            )
    # Not urllib3's TimeoutError, because its NewConnectionError, a refused connection, is one.
    if any(
        isinstance(cause, TimeoutError | requests.Timeout | urllib3.exceptions.ReadTimeoutError) for cause in behind
    ):
        limits = call.timeouts
        return SignInError(
            FailureKind.TIMEOUT,
            f"{url}: no complete answer in time (connecting may take {limits.connect:g} s, each read {limits.read:g} s,"
            f" all of it {limits.total:g} s)",
            remedy="check the network, and whether the server is overloaded",
        )
    for cause in behind:
        if isinstance(cause, ssl.SSLError):
            return SignInError(
                FailureKind.NETWORK,
                f"{url}: {tls_fault(cause)}",
                remedy="check the server's URL and port, and whether something on the way takes its place",
            )
    root = next((cause for cause in reversed(behind) if isinstance(cause, OSError) and cause.strerror), behind[-1])
    reason = root.strerror if isinstance(root, OSError) and root.strerror else str(root)
    # It may quote the server, or the URL of a proxy.
    shown = quoted(without_login(reason)) or type(root).__name__
    return SignInError(FailureKind.NETWORK, f"{url}: {shown}", remedy="check the network and the server's URL")


_TLS_FAULTS = {
    "WRONG_VERSION_NUMBER": "what answers speaks no TLS",
    "HTTP_REQUEST": "what answers speaks no TLS",
    "UNSUPPORTED_PROTOCOL": "the server speaks no version of TLS that is still safe",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server speaks no version of TLS that is still safe",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server refuses the TLS handshake",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know its own name, as the URL has it",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server asks for a TLS certificate of the client, and there is none",
}
"""By OpenSSL's reason."""


def tls_fault(error: ssl.SSLError) -> str:
    """Say in words what went wrong with TLS, with OpenSSL's as the detail."""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the connection was closed in the middle of TLS"
    reason = error.reason or ""
    detail = f" (OpenSSL: {reason.replace('_', ' ').lower()})" if reason else ""
    return f"{_TLS_FAULTS.get(reason, 'TLS failed')}{detail}"


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and what lies behind it, outermost first: urllib3 and requests wrap in more ways than one."""
    seen: list[BaseException] = []
    found: list[object] = [error]
    while found:
        cause = found.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            yield cause
            found += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
