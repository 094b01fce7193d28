"""What an HTTP answer may cost, whatever it is made of; see also `tests.benchmarks.test_hostile_answers`."""

import json
import socket
import tracemalloc
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.sign_in import AuthClient, Timeouts
from agentcp_fsm.sign_in.budget import MAX_AROUND, MAX_LINES, MAX_READS, Budget, ExcessiveAnswerError
from agentcp_fsm.sign_in.call import Call
from agentcp_fsm.sign_in.http import Transport
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher
from tests.faults.rogue import ANSWERS, Rogue
from tests.sign_in.calls import CREDENTIALS, failure_of
from tests.sign_in.servers import Request, Server, SignInService, as_json, sending

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")

MEMORY = 2_000_000
"""Bytes, at most, that an answer takes at a time."""
WITHOUT_END = [name for name in ANSWERS if "without end" in name or "of one byte" in name or "98 cookies" in name]
OF_ANOTHER_KIND = {
    "a body without end, of an error": FailureKind.HTTP_STATUS,
    "redirects without end": FailureKind.REDIRECTED,
    "early hints without end": FailureKind.HTTP_STATUS,
    "a date without end": FailureKind.HTTP_STATUS,
}
"""Those that are over at once: their status is what failed."""


@pytest.fixture(scope="module")
def rogue() -> Iterator[Rogue]:
    with Rogue() as running:
        yield running


def post(url: str) -> tuple[bytes, Mapping[str, str]]:
    transport = Transport()
    try:
        answer = transport.post(f"{url}/x", {}, {}, Call.begin(Timeouts(5, 5, 10)), verify=True)
    finally:
        transport.close()
    return answer.body, answer.headers


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_takes_much_memory(name: str, rogue: Rogue) -> None:
    rogue.answer = name
    with AuthClient(rogue.url, timeouts=Timeouts(5, 0.5, 5)) as client:
        failure_of(lambda: client.sign_in(CREDENTIALS))  # what is loaded once is loaded
        tracemalloc.start()
        try:
            failure = failure_of(lambda: client.sign_in(CREDENTIALS))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < MEMORY
    assert len(str(failure)) < 1000


@pytest.mark.parametrize("name", WITHOUT_END)
def test_what_has_no_end_is_too_large(name: str, rogue: Rogue) -> None:
    """It is so long before the time for it is over."""
    rogue.answer = name
    with AuthClient(rogue.url, timeouts=Timeouts(60, 60, 60)) as client:
        failure = failure_of(lambda: client.sign_in(CREDENTIALS))
    assert failure.kind is OF_ANOTHER_KIND.get(name, FailureKind.TOO_LARGE)


@pytest.mark.parametrize("name", WITHOUT_END)
def test_an_issuers_certificate_has_the_same_budget(name: str, rogue: Rogue) -> None:
    rogue.answer = name
    fetcher = IssuerFetcher(verify=True, allow_insecure_private=True)
    with pytest.raises(SignInError) as caught:
        fetcher.fetch(f"{rogue.url}/ca", Call.begin(Timeouts(60, 60, 60)))
    assert caught.value.kind is FailureKind.UNPROVEN_SERVER


@pytest.mark.parametrize(
    ("name", "limit"), [("X-Much", MAX_AROUND), ("Set-Cookie", MAX_AROUND), ("Location", MAX_AROUND)]
)
def test_the_bytes_of_a_head(name: str, limit: int) -> None:
    begin, end = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n", b"\r\n\r\n"
    line = f"{name}: ".encode()
    most = limit - len(begin + line + end)
    for size, kind in ((most, FailureKind.REDIRECTED), (most + 1, FailureKind.TOO_LARGE)):
        with Server(sending(begin + line + b"x" * size + end)) as server, AuthClient(server.url) as client:
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is kind


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_the_lines_of_a_head(before: bytes) -> None:
    begin = before + b"HTTP/1.1 204 No\r\n"
    most = MAX_LINES - begin.count(b"\n") - 1
    for number, kind in ((most, FailureKind.HTTP_STATUS), (most + 1, FailureKind.TOO_LARGE)):
        answer = begin + b"X: y\r\n" * number + b"\r\n"
        with Server(sending(answer)) as server, AuthClient(server.url) as client:
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is kind


def test_reads_are_counted() -> None:
    """Each costs the same, however little it brings."""
    budget = Budget()
    for _ in range(MAX_READS):
        budget.spend_read()
    with pytest.raises(ExcessiveAnswerError, match=f"more than {MAX_READS} pieces"):
        budget.spend_read()


def test_an_answer_that_drips_all_of_itself(server: Server, service: SignInService) -> None:
    """Byte by byte, each by itself, an honest answer is taken."""

    def drip(request: Request, connection: socket.socket) -> bytes | None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in service(request, connection) or b"":
            connection.send(bytes([byte]))
        return b""

    server.respond = drip
    with AuthClient(server.url) as client:
        assert client.sign_in(CREDENTIALS).port == service.session["port"]


def test_only_what_is_used_of_a_head_is_kept() -> None:
    used = {"content-type": "text/x", "date": "now", "location": "there", "retry-after": "soon"}
    lines = [f"{name.title()}: {value}" for name, value in used.items()]
    answer = as_json({}, "200 OK", "Set-Cookie: a=b", "Server: x", "X-Y: z", *lines[1:])
    with Server(sending(answer)) as server:
        body, headers = post(server.url)
    assert json.loads(body) == {}
    assert {name.lower() for name in headers} == {"content-length", *used}
    assert headers["LOCATION"] == "there"


def test_the_headers_of_an_answer_before_the_answer_are_not_its_own() -> None:
    answer = b"HTTP/1.1 100 Continue\r\nLocation: elsewhere\r\n\r\n" + as_json({}, "200 OK", "Date: now")
    with Server(sending(answer)) as server:
        _, headers = post(server.url)
    assert "Location" not in headers
    assert headers["Date"] == "now"


token = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20).map(lambda name: f"x-{name}")
value = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=100)


@st.composite
def honest(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An answer such as servers and proxies make, and its body."""
    body = json.dumps(draw(st.dictionaries(st.text(), st.text(max_size=200)))).encode()
    headers = b"".join(f"{name}: {text}\r\n".encode() for name, text in draw(st.lists(st.tuples(token, value))))
    interim = b"HTTP/1.1 100 Continue\r\n%s\r\n" % headers * draw(st.integers(0, 2))
    begin = interim + b"HTTP/1.1 200 OK\r\n" + headers
    match draw(st.sampled_from(["length", "chunks", "close"])):
        case "length":
            return begin + b"content-length: %d\r\n\r\n%s" % (len(body), body), body
        case "close":
            return begin + b"Connection: close\r\n\r\n" + body, body
    size = draw(st.integers(10, 1000))
    extension = draw(st.sampled_from([b"", b";a=b"]))
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts)
    trailer = draw(st.sampled_from([b"", b"X-Checksum: 1\r\n"]))
    return begin + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n", body


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(honest())
def test_an_honest_answer_is_read_as_it_is(server: Server, answer: tuple[bytes, bytes]) -> None:
    text, body = answer
    server.respond = sending(text, then_close=True)
    assert post(server.url)[0] == body
