"""Makes text from strangers fit to be quoted in a message, and keeps secrets out of it."""

import re
from functools import partial

MAX_QUOTE = 200
"""Characters of a stranger's text that a message quotes."""
MAX_REASON = 1000
"""Characters of a whole reason, which may quote several."""
CUT = "..."
"""In the place of what is cut off.  It is ASCII, as are the escapes: a log may be in any encoding."""

_LOGIN = re.compile(r"(?<![^\s'\"<>])[^\s'\"<>]*@")
"""What may be ``user:password@`` of a URL, however malformed.  It is looked for only where a word begins: from each of
its letters on, a word of 60,000 letters would take seconds."""


def quoted(text: str, limit: int = MAX_QUOTE) -> str:
    """Make the text fit for one line of a log: printable, and at most `limit` characters, escapes included."""
    shown = ""
    # More than `limit` characters are never looked at: the text may be megabytes.
    for character in text[: limit + 1].strip():
        shown += character if character.isprintable() else _escape(character)
    if len(text) > limit or len(shown) > limit:
        shown = shown[: limit - len(CUT)] + CUT
    return shown


def reason_of(error: BaseException, kind: type[BaseException]) -> str:
    """Say what an error says, in one line of bounded length; of all but our own `kind`, with the name of its class."""
    text = str(error) if isinstance(error, kind) else f"{type(error).__name__}: {error}"
    return quoted(text, MAX_REASON)


def without_login(text: str) -> str:
    """Leave out, of each URL in the text, its user and password."""
    return _LOGIN.sub("***@", text)


def shown_url(url: str) -> str:
    """Make what was given as a URL, or its kind, fit for a message: without all that may be a user and a password."""
    before, at, after = url.rpartition("@")
    return quoted(f"***@{after}" if at else before + after)


def name_of(called: object) -> str:
    """Name a function or another callable, without its arguments or its repr, which may hold secrets."""
    while isinstance(called, partial):
        called = called.func
    name = getattr(called, "__qualname__", None) or type(called).__qualname__
    return quoted(str(name))


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
