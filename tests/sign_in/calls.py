"""One agent, and how its calls fail."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in import Abandonment, AuthClient, Credentials, Timeouts
from tests.sign_in.certificates import make_identity
from tests.sign_in.servers import (
    BOUND,
    Respond,
    Server,
    hanging_and_telling,
)

AGENT = "alice.agentid.pub"
IDENTITY = make_identity(AGENT)
CREDENTIALS = Credentials.from_pem(AGENT, IDENTITY.key_pem, IDENTITY.certificate_pem)
SESSION = Session("127.0.0.1", 5000, 7, "the token")
IMPATIENT = Timeouts(connect=2, read=0.2, total=10)
HURRIED = Timeouts(connect=2, read=10, total=0.4)


def failure_of(call: Callable[[], object]) -> SignInError:
    with pytest.raises(SignInError) as caught:
        call()
    return caught.value


def sign_in_failure(respond: Respond, timeouts: Timeouts | None = None) -> SignInError:
    with Server(respond) as server, AuthClient(server.url, timeouts=timeouts) as client:
        return failure_of(lambda: client.sign_in(CREDENTIALS))


def assert_ends_at_once(client: AuthClient, server: Server) -> None:
    """Abandon a sign-in whose first step hangs, long before the read timeout."""
    asked = threading.Event()
    server.respond = hanging_and_telling(asked)
    abandonment = Abandonment()
    with ThreadPoolExecutor(1) as pool:
        result: Future[Session] = pool.submit(client.sign_in, CREDENTIALS, abandonment)
        assert asked.wait(BOUND)
        started = time.monotonic()
        abandonment.abandon()
        failure = failure_of(lambda: result.result(BOUND))
    assert time.monotonic() - started < 5
    assert failure.kind is FailureKind.ABANDONED
    assert len(server.requests) == 1
