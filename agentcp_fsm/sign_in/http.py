"""HTTP with every bound that a sign-in needs: on time, size and trust, and for a caller that abandons the call.

requests bounds the wait for each read, not the whole answer: a server that drips one byte a second holds a thread for
hours.  So every connection made here reads through `_PatientReader`, which gives each read only what is left of the
call's time.  requests cannot cancel a call either.  So the sockets are opened here, and abandoning a call wakes the
thread that waits on its socket, from the first packet on.  Redirects, cookies, netrc and content encodings belong to
requests' sessions; its adapters, the layer below that pools connections, are used directly to avoid them.
"""

import functools
import io
import os
import socket
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.sign_in.budget import Budget, BudgetedFile
from agentcp_fsm.sign_in.call import Call
from agentcp_fsm.sign_in.failures import FAILURES, abandoned, failure
from agentcp_fsm.sign_in.names import look_up
from agentcp_fsm.sign_in.proxies import is_proxy
from agentcp_fsm.sign_in.waits import CONNECTING, readable, system_error, writable
from agentcp_fsm.sign_in.zones import with_zone, without_zone
from agentcp_fsm.support import clock, forking
from agentcp_fsm.support.addresses import near
from agentcp_fsm.support.signals import without_sigpipe

MAX_ANSWER = 64 * 1024
"""Bytes.  The largest answer of the protocol, a challenge with a certificate chain, stays far below."""
KEEP_ALIVE = 2.0
"""Seconds that an idle connection is kept: long enough for the sign-ins that follow a server's restart to share it, and
shorter than it takes, by default, to notice that the network is another (three failed sends: 3 s), when waiting on it
would cost a whole read timeout."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, its body cut off one byte after `MAX_ANSWER`."""

    url: str
    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    body: bytes
    near: str = ""
    """Which kind of address answered (`near`), if not by way of a proxy: loopback is this machine itself."""
    zone: str = ""
    """The number of the interface by whose link it did, where its address is of that link alone."""


class Transport:
    """Kept-alive connections, one adapter for each worker that is in a call; clients and threads may share it.

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
        plain, zone = without_zone(url)
        request = requests.Request("POST", plain, headers=headers, json=content).prepare()
        # The environment's proxy stands outside of this machine and would not find its loopback, nor its links.
        proxies = {} if zone or is_loopback(urlsplit(plain).hostname) else get_environ_proxies(plain)
        proxy = select_proxy(plain, proxies)
        by_proxy = proxy is not None
        if proxy is not None and not is_proxy(proxy):
            raise SignInError(
                FailureKind.NETWORK,
                f"{url}: the environment names a proxy whose URL cannot be used",
                remedy="correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, and escape a password's special characters",
            )

        def send(adapter: HTTPAdapter, exchange: Exchange) -> Answer:
            timeout = (call.patience(call.timeouts.connect), call.patience(call.timeouts.read))
            response = adapter.send(request, stream=True, timeout=timeout, verify=verify, proxies=proxies)
            with closing(response):
                body = read_body(response.raw)
                kind, interface = ("", "") if by_proxy else exchange.answered_by
                return Answer(url, response.status_code, response.headers, body, kind, interface)

        try:
            if not zone:
                with present(call) as exchange, self._adapter(self._idle_adapter()) as adapter:
                    return send(adapter, exchange)
        except FAILURES as error:
            reason = failure(url, call, error)
            if reason.kind is not FailureKind.NETWORK or exchange.connected or exchange.answered:
                raise reason from error
        # The server closed the kept connection, and may not even have seen the request.  It may be sent twice: a
        # sign-out and a query change nothing the second time, and a nonce is good for one sign-in.
        try:
            with present(call, zone) as exchange, self._adapter(_PatientAdapter(), keep=not zone) as adapter:
                return send(adapter, exchange)
        except FAILURES as error:
            # The cause of a proxy's error may quote its URL, with the password, so no traceback may show it.
            raise failure(url, call, error) from (None if by_proxy else error)

    def _idle_adapter(self) -> HTTPAdapter:
        """Return the adapter used last, or a new one; a connection that it kept for too long is closed."""
        if self._process != os.getpid():
            self._idle.clear()
            self._process = os.getpid()
        try:
            adapter, idle_since = self._idle.pop()
        except IndexError:
            return _PatientAdapter()
        if clock.now() - idle_since > KEEP_ALIVE:
            adapter.close()  # its connections; it will make new ones
        return adapter

    @contextmanager
    def _adapter(self, adapter: HTTPAdapter, keep: bool = True) -> Iterator[HTTPAdapter]:
        try:
            yield adapter
        except BaseException:
            adapter.close()
            raise
        if self._closed or not keep:  # the same address may be another host's on another link
            adapter.close()
        else:
            self._idle.append((adapter, clock.now()))


def is_loopback(host: str | None) -> bool:
    """Whether ``host`` is this machine by name or address."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


@dataclass(slots=True)
class Exchange:
    """One request and its answer, within a call."""

    call: Call
    zone: str = ""
    """The interface by whose link the host is reached, if it matters."""
    connected: bool = False
    """Whether a connection was made for it, rather than a kept one used."""
    answered: bool = False
    """Whether a byte of the answer was read."""
    answered_by: tuple[str, str] = ("", "")
    """Which kind of address is at the other end of the connection, and its zone."""


_present: ContextVar[Exchange] = ContextVar("_present")
"""The exchange of the running thread: urllib3 makes connections and readers, and passes nothing of ours on to them."""


@contextmanager
def present(call: Call, zone: str = "") -> Iterator[Exchange]:
    """Have the answers that this thread reads meanwhile keep to the bounds of `call`."""
    exchange = Exchange(call, zone)
    token = _present.set(exchange)
    try:
        with without_sigpipe():
            yield exchange
    finally:
        _present.reset(token)
        if call.abandonment is not None:
            call.abandonment.release()


class _PatientReader(io.RawIOBase):
    """Reads a connection, giving each read no more time than its call has left."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, exchange: Exchange, budget: Budget) -> None:
        super().__init__()
        self._raw = raw
        self._connection = connection
        self._exchange = exchange
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._budget.spend_read()
        call = self._exchange.call
        seconds = call.patience(call.timeouts.read)
        self._connection.settimeout(seconds)
        readable(self._connection, seconds, call)
        with forking.waiting():
            count = self._raw.readinto(buffer)
        self._exchange.answered |= bool(count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PatientResponse(HTTPResponse):
    """An answer that is read, from its first byte on, under the running thread's call and a budget of its own."""

    fp: Any = None  # for `close`, which Python 3.13 calls even if there was no descriptor left to make the file with

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        exchange = _present.get()
        if (abandonment := exchange.call.abandonment) is not None:
            abandonment.watch(sock)  # first: it may fail for want of descriptors, and nothing may be open then
        super().__init__(sock, *arguments, **options)
        exchange.answered_by = _other_end(sock)
        budget = Budget()
        self._file = self.fp = BudgetedFile(_PatientReader(self.fp.detach(), sock, exchange, budget), budget)

    def begin(self) -> None:
        """Read the head, of which only what is used is kept."""
        with self._file.head() as used:
            super().begin()
        for name, value in used:
            self.headers[name] = value
        if self.chunked:  # which prevails, says HTTP; urllib3 would log each answer that has both
            del self.headers["Content-Length"]


def _other_end(connection: Any) -> tuple[str, str]:
    """Return which kind of address is at the other end, and its zone."""
    try:
        # That of pyOpenSSL, in the place of the system's TLS, is no socket, but has one.
        host, _, *more = getattr(connection, "socket", connection).getpeername()
    except OSError:  # it is gone; what was received may be read all the same
        return "", ""
    return near(str(host)), str(more[1]) if any(more[1:]) else ""


def _open_connection(connection: Any) -> socket.socket:
    """Connect as urllib3's connections do, in the time that the running thread's call has left, until it is abandoned.

    Raises what theirs raise.
    """
    exchange = _present.get()
    call = exchange.call
    sys.audit("http.client.connect", connection, connection.host, connection.port)
    try:
        found = look_up(with_zone(connection._dns_host, exchange.zone), connection.port, call)
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
        del refusal  # its traceback holds this frame, and the frame holds it


def _connect(opened: socket.socket, address: Any, seconds: float, call: Call) -> None:
    seconds = call.patience(seconds)
    opened.setblocking(False)
    failure = opened.connect_ex(address)
    if failure in (0, *CONNECTING) and call.abandonment is not None:
        call.abandonment.watch(opened)  # not before: what is not yet connecting cannot be woken from it
    if failure in CONNECTING:
        if not writable(opened, seconds, call):
            raise TimeoutError(f"not connected within {seconds:g} s")
        failure = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure:
        raise system_error(failure)
    opened.settimeout(seconds)  # for the TLS handshake, too


@functools.cache
def patient(connection: type[Any]) -> type[Any]:
    """Return the class of connection, for any scheme or proxy, with patient answers."""
    if connection.response_class is _PatientResponse:
        return connection

    def connect(self: Any) -> None:
        _present.get().connected = True
        connection.connect(self)

    changes: dict[str, Any] = {"response_class": _PatientResponse, "connect": connect}
    if connection._new_conn is urllib3.connection.HTTPConnection._new_conn:  # else it goes through a SOCKS proxy
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
    """Read a body up to one byte more than `MAX_ANSWER`; an error's body may break off, as its status says enough."""
    body = b""
    try:
        # urllib3 reports that an answer broke off only when it is asked for what comes after.
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
