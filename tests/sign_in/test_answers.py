import json
import math
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in.answers import MAX_RETRY_AFTER, Fields, check_status, retry_after
from agentcp_fsm.sign_in.http import MAX_ANSWER, Answer
from agentcp_fsm.support.quoting import MAX_QUOTE, quoted

URL = "https://heartbeat.example/sign_in"
SESSION = {"server_ip": "192.0.2.1", "port": 5000, "sign_cookie": 7, "signature": "the token"}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
json_values = st.recursive(
    scalars, lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3), max_leaves=6
)


def answer(body: bytes, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(URL, status, CaseInsensitiveDict(named), body)


def session_of(**changes: Any) -> Session:
    return Fields(URL, {**SESSION, **changes}).session()


def failure_of(**changes: Any) -> SignInError:
    with pytest.raises(SignInError) as caught:
        session_of(**changes)
    return caught.value


class TestFields:
    @given(st.integers(1, 65_535), st.integers(0, 2**64 - 1), st.booleans(), st.booleans())
    def test_numbers_may_be_written_as_text(
        self, port: int, cookie: int, port_is_text: bool, cookie_is_text: bool
    ) -> None:
        session = session_of(
            port=str(port) if port_is_text else port, sign_cookie=str(cookie) if cookie_is_text else cookie
        )
        assert session == Session("192.0.2.1", port, cookie, "the token")

    @given(st.integers(max_value=0) | st.integers(65_536) | st.floats() | st.booleans())
    def test_a_port_out_of_range(self, port: Any) -> None:
        for value in (port, str(port)):
            failure = failure_of(port=value)
            assert (failure.kind, failure.field) == (FailureKind.INVALID_FIELD, "port")

    @given(st.integers(max_value=-1) | st.integers(2**64) | st.floats() | st.booleans())
    def test_a_cookie_out_of_range(self, cookie: Any) -> None:
        for value in (cookie, str(cookie)):
            failure = failure_of(sign_cookie=value)
            assert (failure.kind, failure.field) == (FailureKind.INVALID_FIELD, "sign_cookie")

    @pytest.mark.parametrize("port", ["", " 80", "+80", "8_0", "٨٠", "²", "0x50", "80.0", "1" * 5000, [80], {}])
    def test_what_is_no_decimal_number(self, port: Any) -> None:
        assert failure_of(port=port).field == "port"

    @pytest.mark.parametrize(
        "host",
        ["192.0.2.1", "2001:db8::1", "heartbeat.example", "heartbeat.example.", "my_host", "a" * 63, "xn--9ca.x"],
    )
    def test_hosts(self, host: str) -> None:
        assert session_of(server_ip=host).host == host

    @pytest.mark.parametrize(
        "host",
        [
            "",
            ".",
            "a..b",
            "a b",
            "a\0b",
            "é.example",
            "a" * 64,
            "a." * 127 + "ab",
            "[::1]",
            "fe80::1%eth0",
            "h:80",
            "a\n",
        ],
    )
    def test_what_is_no_host(self, host: str) -> None:
        assert failure_of(server_ip=host).field == "server_ip"

    @pytest.mark.parametrize("value", ["", 0, True, ["x"], "half a pair \ud800"])
    def test_what_is_no_token(self, value: Any) -> None:
        assert failure_of(signature=value).field == "signature"

    @pytest.mark.parametrize("name", list(SESSION))
    def test_a_missing_field_is_named(self, name: str) -> None:
        failure = failure_of(**{name: None})
        assert (failure.kind, failure.field) == (FailureKind.MISSING_FIELD, name)
        assert repr(name) in str(failure)
        assert not failure.permanent

    @pytest.mark.parametrize(
        ("error", "text"),
        [("no seat left", "no seat left"), ({"code": 7, "message": "full"}, "7: full"), ({"message": "full"}, "full")],
    )
    def test_an_error_with_status_200_is_a_rejection(self, error: Any, text: str) -> None:
        with pytest.raises(SignInError, match=f"the server says: {text}$") as caught:
            Fields(URL, {"error": error}).text("nonce")
        assert caught.value.kind is FailureKind.REJECTED

    @pytest.mark.parametrize("error", [None, "", 5, [], {}, {"code": None}, {"message": ["x"]}])
    def test_an_error_without_words_is_a_missing_field(self, error: Any) -> None:
        with pytest.raises(SignInError) as caught:
            Fields(URL, {"error": error}).text("nonce")
        assert caught.value.kind is FailureKind.MISSING_FIELD

    @given(st.dictionaries(st.sampled_from([*SESSION, "error", "x"]), json_values))
    def test_nothing_but_a_valid_session_or_a_failure(self, content: dict[str, Any]) -> None:
        try:
            session = Fields.of(answer(json.dumps(content).encode())).session()
        except SignInError:
            return
        assert session.host == content["server_ip"]
        assert 1 <= session.port <= 65_535
        assert 0 <= session.cookie < 2**64
        assert session.token.encode() == content["signature"].encode()

    def test_a_failure_shows_no_secret(self) -> None:
        for name in SESSION:
            failure = failure_of(**{**dict.fromkeys(SESSION, "s3cret"), "server_ip": "h", "port": 1, name: ["s3cret"]})
            assert "s3cret" not in f"{failure} {failure!r}"


class TestJSON:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b'"text"',
            b"null",
            b"[" * MAX_ANSWER,
            b'{"a":' * 10_000,
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b'{"a": ' + b"1" * 5000 + b"}",
            '{"a": "é"}'.encode("latin-1"),
            '{"a": 1}'.encode("utf-16"),
            b'{"nonce": "x"',
            b"<html><title>Log in</title></html>",
        ],
    )
    def test_anything_else_is_not_json(self, body: bytes) -> None:
        with pytest.raises(SignInError) as caught:
            Fields.of(answer(body))
        assert caught.value.kind is FailureKind.NOT_JSON

    @given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
    def test_what_is_not_refused_is_what_was_sent(self, body: bytes) -> None:
        try:
            fields = Fields.of(answer(body))
        except SignInError:
            return
        assert json.loads(body) == fields.content

    def test_the_failure_tells_what_came_instead(self) -> None:
        with pytest.raises(SignInError, match="26 bytes of text/html; charset=utf-8") as caught:
            Fields.of(answer(b"<html>the secret</html>...", content_type="text/html; charset=utf-8"))
        assert "secret" not in str(caught.value)

    def test_size(self) -> None:
        largest = b'{"a": "' + b"x" * (MAX_ANSWER - 9) + b'"}'
        assert len(largest) == MAX_ANSWER
        Fields.of(answer(largest))
        with pytest.raises(SignInError) as caught:
            Fields.of(answer(largest + b" "))
        assert caught.value.kind is FailureKind.TOO_LARGE


class TestStatus:
    @given(st.integers(100, 999).filter(lambda status: status != 200), st.binary(max_size=50), st.text(max_size=20))
    def test_every_other_status_is_a_failure(self, status: int, body: bytes, header: str) -> None:
        with pytest.raises(SignInError, match=f"HTTP status {status}") as caught:
            check_status(answer(body, status, retry_after=header, location=header))
        failure = caught.value
        assert failure.status == status
        assert failure.permanent == (status in (400, 403, 404))
        assert (failure.kind is FailureKind.REDIRECTED) == (300 <= status <= 399)
        assert (failure.kind is FailureKind.REJECTED) == (status in (400, 401, 403, 404))

    def test_200_is_none(self) -> None:
        check_status(answer(b"", 200))

    def test_the_servers_words_are_quoted(self) -> None:
        body = json.dumps({"error": {"code": "E7", "message": "agent\nunknown " + "x" * 999}}).encode()
        with pytest.raises(
            SignInError, match=r"HTTP status 403 \(E7: agent\\nunknown x+\.\.\.\): ask the server's"
        ) as caught:
            check_status(answer(body, 403))
        assert len(str(caught.value)) < MAX_QUOTE + 200

    @given(st.text())
    def test_quotes_are_one_bounded_line(self, text: str) -> None:
        assert quoted(text).isprintable()
        assert len(quoted(text)) <= MAX_QUOTE


class TestRetryAfter:
    @given(st.integers(0, 86_400))
    def test_seconds(self, seconds: int) -> None:
        assert retry_after({"Retry-After": f" {seconds} "}) == seconds

    @given(st.integers(-(10**6), 10**6))
    def test_a_date_is_counted_from_the_answers_own(self, seconds: int) -> None:
        date = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
        headers = {"Date": format_datetime(date), "Retry-After": format_datetime(date + timedelta(seconds=seconds))}
        assert retry_after(headers) == min(max(seconds, 0), MAX_RETRY_AFTER)

    def test_a_date_without_the_answers_own(self) -> None:
        soon = datetime.now(UTC) + timedelta(seconds=600)
        assert retry_after({"Retry-After": format_datetime(soon)}) == pytest.approx(600, abs=30)

    @pytest.mark.parametrize(
        "date", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
    )
    def test_the_three_forms_of_a_date(self, date: str) -> None:
        assert retry_after({"Date": "Sun, 06 Nov 1994 08:49:07 GMT", "Retry-After": date}) == 30.0

    @pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "nan", "inf", "1e3", "²", "٥", "5, 5"])
    def test_anything_else_is_none(self, value: str) -> None:
        assert retry_after({"Retry-After": value}) is None

    @given(st.text(), st.text())
    @example("9" * 400, "")
    @example("Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359")
    @example("Sun, 06 Nov 1994 08:49:37 +99999999999999", "")
    def test_whatever_comes_is_finite_and_not_negative(self, value: str, date: str) -> None:
        seconds = retry_after({"Retry-After": value, "Date": date})
        assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= MAX_RETRY_AFTER)


def test_a_failure_survives_pickling() -> None:
    failure = SignInError(FailureKind.HTTP_STATUS, "text", status=503, retry_after=2.0)
    copy = pickle.loads(pickle.dumps(failure))
    assert (copy.kind, str(copy), copy.status, copy.retry_after, copy.field) == (
        FailureKind.HTTP_STATUS,
        "text",
        503,
        2.0,
        None,
    )
