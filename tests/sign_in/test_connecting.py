"""Before a request: an abandoned call does not wait for a connection or a TLS handshake that is never answered."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.sign_in import AuthClient, Timeouts
from agentcp_fsm.sign_in.call import Call
from agentcp_fsm.sign_in.trust import issuers
from agentcp_fsm.support.abandonment import Abandonment
from tests.sign_in.certificates import make_identity
from tests.sign_in.chains import CREDENTIALS, ROOT, verifier
from tests.sign_in.servers import BOUND
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")

PATIENT = Timeouts(connect=2 * BOUND, read=2 * BOUND, total=2 * BOUND)
"""Longer than it is waited for here that a call ends."""
HURRIED = Timeouts(connect=0.3, read=2 * BOUND, total=2 * BOUND)

Listening = Callable[[], Iterator[tuple[int, Callable[[], None]]]]
"""Yields a port and what waits until somebody who connects there is waiting."""


def a_queue_that_is_full() -> Iterator[tuple[int, Callable[[], None]]]:
    """The next one's SYN goes unanswered."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as queued:
        queued.connect(listener.getsockname())
        port: int = listener.getsockname()[1]

        def connecting() -> bool:
            lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            return any(fields[2].endswith(f":{port:04X}") and fields[3] == "02" for fields in lines)  # SYN_SENT

        yield port, lambda: until(connecting, BOUND)


def a_server_that_says_nothing() -> Iterator[tuple[int, Callable[[], None]]]:
    """The connection stands; TLS never does."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as accepted:

        def hear_the_client() -> None:
            connection = accepted.enter_context(listener.accept()[0])
            connection.settimeout(BOUND)
            assert connection.recv(1)

        listener.settimeout(BOUND)
        yield listener.getsockname()[1], hear_the_client


listening = pytest.mark.parametrize("listening", [a_queue_that_is_full, a_server_that_says_nothing])


def sign_in(port: int, timeouts: Timeouts, abandonment: Abandonment) -> None:
    with AuthClient(f"https://127.0.0.1:{port}", timeouts=timeouts) as client:
        client.sign_in(CREDENTIALS, abandonment)


def fetch_issuer(port: int, timeouts: Timeouts, abandonment: Abandonment) -> None:
    middle = make_identity("middle", ROOT, authority=True)
    server = make_identity("server", middle, issuer_urls=[f"https://127.0.0.1:{port}/ca"])
    verifier().verify([server.certificate], Call.begin(timeouts, abandonment))


calls = pytest.mark.parametrize("connect", [sign_in, fetch_issuer])


@calls
@listening
def test_an_abandoned_call_ends_at_once(
    connect: Callable[..., None], listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuers, "FETCH_TIME", PATIENT.total)
    abandonment = Abandonment()
    with contextmanager(listening)() as (port, wait), ThreadPoolExecutor(1) as pool:
        result = pool.submit(connect, port, PATIENT, abandonment)
        wait()
        abandonment.abandon()
        failure = result.exception(BOUND)
    assert isinstance(failure, SignInError)
    assert failure.kind is FailureKind.ABANDONED


@calls
@listening
def test_a_connection_has_its_time(connect: Callable[..., None], listening: Listening) -> None:
    started = time.monotonic()
    with contextmanager(listening)() as (port, _), pytest.raises(SignInError) as caught:
        connect(port, HURRIED, Abandonment())
    assert time.monotonic() - started < BOUND
    assert caught.value.kind is FailureKind.TIMEOUT


def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refusing: int = listener.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (refusing, listener.getsockname()[1])
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        listener.settimeout(BOUND)
        abandonment = Abandonment()
        with ThreadPoolExecutor(1) as pool:
            result = pool.submit(sign_in, 1, PATIENT, abandonment)
            with listener.accept()[0] as connection:
                assert connection.recv(1)
                abandonment.abandon()
                assert isinstance(result.exception(BOUND), SignInError)
