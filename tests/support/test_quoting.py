"""Text of strangers in messages: one line, printable, bounded, without secrets."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.support.quoting import MAX_QUOTE, MAX_REASON, name_of, quoted, reason_of, shown_url, without_login

ANY = st.text(st.characters(codec=None), max_size=2 * MAX_QUOTE)


@given(ANY)
def test_any_text_becomes_one_bounded_line(text: str) -> None:
    shown = quoted(text)
    assert shown.isprintable()
    assert len(shown) <= MAX_QUOTE


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=MAX_QUOTE))
def test_what_can_be_shown_is_shown_as_it_is(text: str) -> None:
    assert quoted(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202ex", r"\u202ex"),
        ("\ud800", r"\ud800"),
        ("智能体", "智能体"),
        ("  x \n", "x"),
        ("x" * (MAX_QUOTE + 1), "x" * (MAX_QUOTE - 3) + "..."),
    ],
)
def test_what_steers_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_megabytes_are_not_looked_at() -> None:
    assert len(quoted("\x1b" * 10**8)) <= MAX_QUOTE


def test_a_reason_is_one_line() -> None:
    assert reason_of(AgentCPError("a\nb"), AgentCPError) == r"a\nb"
    assert reason_of(KeyError("a\nb"), AgentCPError) == r"KeyError: 'a\nb'"
    assert len(reason_of(OSError("x" * 10**6), AgentCPError)) == MAX_REASON


SECRET = "pass word/#?:[]\u00e9"
MALFORMED = (
    "http://user:{}@proxy.example:3128",
    "http:/user:{}@proxy.example",
    "http:user:{}@proxy.example",
    "//user:{}@proxy.example",
    "user:{}@proxy.example:99999",
    "https://user:{}@",
    "ftp://user:{}@[::1",
    "http://user:{}@proxy.example@evil.example",
)


@pytest.mark.parametrize("url", MALFORMED)
def test_a_url_is_shown_without_its_login(url: str) -> None:
    shown = shown_url(url.format(SECRET))
    assert "user" not in shown
    for part in ("pass", "word"):
        assert part not in shown
    assert shown.startswith("***@")


def test_a_login_within_words_is_left_out() -> None:
    assert without_login("cannot parse 'http://user:secret@host:x/'") == "cannot parse '***@host:x/'"
    assert without_login("nothing to hide") == "nothing to hide"


class Callable:
    def method(self) -> None:
        """Bound, in a partial."""

    def __call__(self) -> None:
        """As a handler."""

    def __repr__(self) -> str:
        return "SECRET"


def test_a_callable_is_named_without_its_repr() -> None:
    assert name_of(partial(partial(print, "SECRET"), "SECRET")) == "print"
    assert name_of(Callable()) == "Callable"
    assert name_of(Callable().method) == "Callable.method"
    assert name_of(test_a_login_within_words_is_left_out) == "test_a_login_within_words_is_left_out"
