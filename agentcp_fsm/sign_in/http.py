"""HTTP with every bound that a sign-in needs: time, size, trust, and a caller who may lose interest.

requests bounds the wait for each read, not the whole answer: a server that drips one byte a second holds a thread for
hours.  So every connection made here reads through `_PatientReader`, which gives each read only what is left of the
call's time.  Nor can a call of theirs be taken back.  So the sockets are opened here, and whoever abandons a call wakes
the thread that waits on one, from its first packet on.  Redirects, cookies, netrc and content encodings belong to
requests' sessions, so its adapters, the part below them that pools connections, are used directly.
"""

import errno
import functools
import io
import os
import socket
import ssl
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, fields
from http.client import HTTPResponse
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.util import wait_for_write

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.lifecycle.config import check_seconds
from agentcp_fsm.sign_in.budget import Budget, BudgetedFile, ExcessiveAnswerError
from agentcp_fsm.support import forking
from agentcp_fsm.support.abandonment import Abandonment

MAX_ANSWER = 64 * 1024
"""Bytes.  The largest answer of the protocol, a challenge with a certificate chain, stays far below."""
KEEP_ALIVE = 2.0
"""Seconds that an idle connection is kept: long enough for the sign-ins that follow a server's restart to share it, and
shorter than it takes, by default, to notice that the network is another (three failed sends: 3 s), when waiting on it
would cost a whole read timeout."""
LONGEST_WAIT = 1e6
"""Seconds.  The system's calls count milliseconds in 31 bits, so a socket waits no longer (11 days) for one thing."""

FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What requests and urllib3 raise when an exchange fails."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a call may take, each in seconds; raises `ConfigError` for a time that no `Config` could hold either.

    Resolving the server's name is the system's and outside these bounds; ``connect`` counts for each of its addresses.
    """

    connect: float = 3.0
    """Until a connection stands, and again until TLS stands on it."""
    read: float = 10.0
    """Until the next byte of the answer."""
    total: float = 30.0
    """For the whole call, which is two requests for a sign-in."""

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            check_seconds(f"the timeout {name}", getattr(self, name))


@dataclass(frozen=True, slots=True)
class Call:
    """The patience of one call, which may make several requests."""

    timeouts: Timeouts
    deadline: float
    """Monotonic seconds."""
    abandonment: Abandonment | None

    @classmethod
    def begin(cls, timeouts: Timeouts, abandonment: Abandonment | None = None) -> "Call":
        """Start the clock."""
        return cls(timeouts, time.monotonic() + timeouts.total, abandonment)

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for this call any more."""
        return self.abandonment is not None and self.abandonment.abandoned

    def patience(self, seconds: float) -> float:
        """Return ``seconds``, what is left of the call's time or `LONGEST_WAIT`, whichever is least.

        Raises TimeoutError at the end of the call's time.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the answer was not complete within {self.timeouts.total:g} s")
        return min(seconds, left, LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, its body cut off one byte after `MAX_ANSWER`."""

    url: str
    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    body: bytes


class Transport:
    """Kept-alive connections, one adapter for each worker that is in a call; shared by clients and threads at will.

    A forked child starts without its parent's connections.
    """

    def __init__(self) -> None:
        self._idle: deque[tuple[HTTPAdapter, float]] = deque()
        self._process = os.getpid()
        self._closed = False

    def close(self) -> None:
        """Drop the idle connections now, and those of calls under way when they end."""
        self._closed = True
        with suppress(IndexError):  # empty
            while True:
                self._idle.pop()[0].close()

    def post(
        self, url: str, content: Mapping[str, object], headers: Mapping[str, str], call: Call, verify: bool | str
    ) -> Answer:
        """Send ``content`` as JSON and return the answer, whatever its status.

        ``verify`` is True for the usual certificate authorities, else the path of a CA file or folder.
        Raises `SignInError` of kind NETWORK, TIMEOUT, UNPROVEN_SERVER or ABANDONED.
        """
        if call.abandoned:
            raise abandoned(url)
        request = requests.Request("POST", url, headers=headers, json=content).prepare()
        # The environment's proxy stands outside of this machine and would not find its loopback.
        proxies = {} if is_loopback(urlsplit(url).hostname) else get_environ_proxies(url)
        try:
            timeout = (call.patience(call.timeouts.connect), call.patience(call.timeouts.read))
            with self._adapter() as adapter, present(call):
                response = adapter.send(request, stream=True, timeout=timeout, verify=verify, proxies=proxies)
                with closing(response):
                    return Answer(url, response.status_code, response.headers, read_body(response.raw))
        except FAILURES as error:
            raise failure(url, call, error) from error

    @contextmanager
    def _adapter(self) -> Iterator[HTTPAdapter]:
        if self._process != os.getpid():
            self._idle.clear()
            self._process = os.getpid()
        try:
            adapter, idle_since = self._idle.pop()
        except IndexError:
            adapter = _PatientAdapter()
        else:
            if time.monotonic() - idle_since > KEEP_ALIVE:
                adapter.close()  # its connections; it will make new ones
        try:
            yield adapter
        except BaseException:
            adapter.close()
            raise
        if self._closed:
            adapter.close()
        else:
            self._idle.append((adapter, time.monotonic()))


def is_loopback(host: str | None) -> bool:
    """Whether ``host`` is this machine by name or address."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def abandoned(url: str) -> SignInError:
    """Return the failure of a call that nobody waits for any more."""
    return SignInError(FailureKind.ABANDONED, f"the call of {url} was abandoned")


_present_call: ContextVar[Call] = ContextVar("_present_call")
"""The call of the running thread: urllib3 makes the reader, and passes nothing of ours on to it."""


@contextmanager
def present(call: Call) -> Iterator[None]:
    """Have the answers that this thread reads meanwhile keep to the bounds of `call`."""
    token = _present_call.set(call)
    try:
        yield
    finally:
        _present_call.reset(token)
        if call.abandonment is not None:
            call.abandonment.release()


class _PatientReader(io.RawIOBase):
    """Reads a connection, giving each read no more time than its call has left."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, call: Call, budget: Budget) -> None:
        super().__init__()
        self._raw = raw
        self._connection = connection
        self._call = call
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._budget.spend_read()
        self._connection.settimeout(self._call.patience(self._call.timeouts.read))
        with forking.waiting():
            return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PatientResponse(HTTPResponse):
    """An answer that is read, from its first byte on, under the running thread's call and a budget of its own."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        call = _present_call.get()
        if call.abandonment is not None:
            call.abandonment.watch(sock)  # first: it may fail for want of descriptors, and nothing may be open then
        super().__init__(sock, *arguments, **options)
        budget = Budget()
        self._file = self.fp = BudgetedFile(_PatientReader(self.fp.detach(), sock, call, budget), budget)

    def begin(self) -> None:
        """Read the head, of which only what is used is kept."""
        with self._file.head() as used:
            super().begin()
        for name, value in used:
            self.headers[name] = value
        if self.chunked:  # which prevails, says HTTP; urllib3 would log each answer that has both
            del self.headers["Content-Length"]


def _open_connection(connection: Any) -> socket.socket:
    """Connect as urllib3's connections do, in the time that the running thread's call has left, until it is abandoned.

    Raises what theirs raise.
    """
    call = _present_call.get()
    sys.audit("http.client.connect", connection, connection.host, connection.port)
    try:
        with forking.waiting():
            found = socket.getaddrinfo(connection._dns_host, connection.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise urllib3.exceptions.NameResolutionError(connection.host, connection, error) from error
    except UnicodeError as error:
        raise urllib3.exceptions.LocationParseError(f"{connection.host!r} is no host's name") from error
    refusal = OSError(f"{connection.host} has no address")
    for family, kind, protocol, _, address in found:
        try:
            opened = socket.socket(family, kind, protocol)
        except OSError as error:
            refusal = error
            continue
        try:
            for option in connection.socket_options or ():
                opened.setsockopt(*option)
            _connect(opened, address, connection.timeout, call)
        except OSError as error:
            opened.close()
            refusal = error
        else:
            return opened
    try:
        if isinstance(refusal, TimeoutError):
            raise urllib3.exceptions.ConnectTimeoutError(connection, str(refusal)) from refusal
        raise urllib3.exceptions.NewConnectionError(connection, str(refusal)) from refusal
    finally:
        del refusal  # whose traceback holds this frame, and the frame it


def _connect(opened: socket.socket, address: Any, seconds: float, call: Call) -> None:
    seconds = call.patience(seconds)
    opened.setblocking(False)
    failure = opened.connect_ex(address)
    if failure in (0, errno.EINPROGRESS) and call.abandonment is not None:
        call.abandonment.watch(opened)  # not before: what is not yet connecting cannot be woken from it
    if failure == errno.EINPROGRESS:
        with forking.waiting():
            connected = wait_for_write(opened, timeout=seconds)
        if not connected:
            raise TimeoutError(f"not connected within {seconds:g} s")
        failure = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure:
        raise OSError(failure, os.strerror(failure))
    opened.settimeout(seconds)  # for the TLS handshake, too


@functools.cache
def patient(connection: type[Any]) -> type[Any]:
    """Return the class of connection, for whatever scheme or proxy, with patient answers."""
    if connection.response_class is _PatientResponse:
        return connection
    changes: dict[str, Any] = {"response_class": _PatientResponse}
    if connection._new_conn is urllib3.connection.HTTPConnection._new_conn:  # else it goes by way of a SOCKS proxy
        changes["_new_conn"] = _open_connection
    return type(f"Patient{connection.__name__}", (connection,), changes)


class _PatientAdapter(HTTPAdapter):
    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Return what is used of an answer; requests itself would parse its cookies and guess its encoding."""
        response = requests.Response()
        response.raw, response.status_code, response.headers = resp, resp.status, resp.headers
        return response

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        pool.ConnectionCls = patient(pool.ConnectionCls)
        return pool


def read_body(response: urllib3.BaseHTTPResponse) -> bytes:
    """Read a body up to one byte more than `MAX_ANSWER`; that of an error may break off, for its status says enough."""
    body = b""
    try:
        # urllib3 tells that an answer broke off only when asked for what comes after it.
        while left := MAX_ANSWER + 1 - len(body):
            part = response.read(left, decode_content=False)
            if not part:
                break
            body += part
    except FAILURES:
        if response.status == 200:
            raise
        return b""  # the status is failure enough to report
    return body


def failure(url: str, call: Call, error: Exception) -> SignInError:
    """Say what one of `FAILURES` means, and what a person can do about it."""
    if call.abandoned:
        return abandoned(url)
    behind = tuple(causes(error))
    for cause in behind:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return SignInError(
                FailureKind.UNPROVEN_SERVER,
                f"{url}: the TLS certificate cannot be trusted ({cause.verify_message}): check the server's URL and"
                " this machine's clock; for a private certificate authority give its file as verify (--ca-file)",
            )
        if isinstance(cause, ExcessiveAnswerError):
            return SignInError(
                FailureKind.TOO_LARGE,
                f"{url}: the answer is larger than any of a sign-in server ({cause})",
                remedy="check the server's URL, and whether something on the way answers in its place",
            )
    # Not urllib3's TimeoutError, for its NewConnectionError, a refused connection, is one.
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
    return SignInError(
        FailureKind.NETWORK, f"{url}: {reason or type(root).__name__}", remedy="check the network and the server's URL"
    )


_TLS_FAULTS = {
    "WRONG_VERSION_NUMBER": "what answers speaks no TLS",
    "HTTP_REQUEST": "what answers speaks no TLS",
    "UNSUPPORTED_PROTOCOL": "the server speaks no version of TLS that is still safe",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server speaks no version of TLS that is still safe",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server refuses the TLS handshake",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know its own name, as the URL has it",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server asks for a TLS certificate of the client, which nobody has here",
}
"""By OpenSSL's reason."""


def tls_fault(error: ssl.SSLError) -> str:
    """Say in words what went wrong with TLS, with OpenSSL's as the detail."""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the connection was closed in the midst of TLS"
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
