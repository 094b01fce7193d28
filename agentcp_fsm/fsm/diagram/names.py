"""Names for other programs' formats, made from names that may be any text."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

_NAME = re.compile(r"[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u3001-\ud7ff]\w*")
"""A name in XML, ECMAScript and Python alike, to which no format gives a meaning of its own."""
_RESERVED = frozenset(
    {*keyword.kwlist, *keyword.softkwlist, "break", "case", "catch", "const", "constructor", "debugger", "default"}
    | {"delete", "do", "done", "enum", "error", "export", "extends", "false", "function", "implements", "In", "init"}
    | {"instanceof", "interface", "let", "new", "null", "package", "prepared", "private", "protected", "prototype"}
    | {"Date", "Infinity", "JSON", "Math", "NaN", "Object", "arguments", "async", "await", "console", "eval", "getattr"}
    | {"globalThis", "isNaN", "len", "log", "print", "raise", "system", "undefined", "window", "yield"}
    | {"add_listener", "allowed_events", "cls", "configuration", "current_state", "datamodel", "event", "events"}
    | {"is_active", "model", "os", "self", "send", "states", "sys", "transitions"}
    | {"public", "static", "super", "switch", "this", "throw", "true", "typeof", "undefined", "var", "void", "xstate"}
)
"""Words and names of ECMAScript and Python, names that interpreters of SCXML use themselves, and the first parts of
events that SCXML, XState and our own export raise."""

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def identifiers(names: Iterable[str], kind: str) -> dict[str, str]:
    """For each name, one that every format accepts: the name itself if possible, else `kind` and a number.

    No two are alike.  Names come back as plain strings, those of an enumeration too.
    """
    plain = [str(name) for name in names]
    taken = {name for name in plain if _is_identifier(name)}
    found: dict[str, str] = {}
    for index, name in enumerate(plain):
        chosen = name if name in taken else f"{kind}{index}"
        while chosen != name and chosen in taken:
            chosen += "_"
        found[name] = chosen
        taken.add(chosen)
    return found


def _is_identifier(name: str) -> bool:
    return (
        _NAME.fullmatch(name) is not None
        and name.isidentifier()
        and name not in _RESERVED
        and unicodedata.normalize("NFKC", name) == name
    )


def xml_text(text: str) -> str:
    """A text for XML: a character that XML cannot hold becomes U+FFFD."""
    return _NO_XML.sub("\ufffd", text)
