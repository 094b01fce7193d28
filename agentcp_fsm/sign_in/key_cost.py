"""How much work a private key in PEM asks for, judged before any of it is done.

An encrypted key says itself how often its password is to be hashed, and a key of another kind than AgentCP's may have
numbers of any length to be checked.  A damaged or manipulated file could take hours.
"""

import base64
import math
from collections.abc import Iterator

MAX_KEY = 16 * 1024
"""Bytes of a private key in PEM; an elliptic-curve key has less than 2 KB."""
MAX_ITERATIONS = 5_000_000
"""Rounds of hashing for a password: some seconds of work, and several times what is recommended."""
MAX_SCRYPT = 2**20
"""The product of scrypt's cost, block size and parallelisation; 128 bytes of memory for each."""

_ENCRYPTED = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"-----END ENCRYPTED PRIVATE KEY-----")
_INTEGER, _OBJECT_ID, _SEQUENCE = 0x02, 0x06, 0x30
_SCRYPT = bytes.fromhex("2b06010401da47040b")
"""Its object identifier (RFC 7914, section 7)."""


def excess(key: bytes) -> str:
    """Say why the key cannot be opened in bounded time; empty if it can, or if it is damaged anyway."""
    if len(key) > MAX_KEY:
        return f"it has {len(key)} bytes, and a key at most {MAX_KEY}"
    try:
        iterations, scrypt = _derivation(key)
    except (ValueError, IndexError):  # the parser proper will say what is wrong
        return ""
    if iterations > MAX_ITERATIONS:
        return f"its password is to be hashed {iterations} times, and {MAX_ITERATIONS} is the most"
    if scrypt > MAX_SCRYPT:
        return f"its password is to be hashed at scrypt's cost of {scrypt}, and {MAX_SCRYPT} is the most"
    return ""


def _derivation(key: bytes) -> tuple[int, int]:
    """Return the most iterations, and scrypt's cost, that the key asks for; raises ValueError or IndexError."""
    begin, end = _ENCRYPTED
    der = base64.b64decode(key.partition(begin)[2].partition(end)[0])
    iterations = scrypt = 0
    # The algorithm, without the key itself, which is all that follows: each number in here is one of the hash or of the
    # cipher, and the cipher's are small.
    waiting = [content for _, outer in _elements(der) for _, content in list(_elements(outer))[:1]]
    while waiting:
        inner = list(_elements(waiting.pop()))
        if inner[:1] == [(_OBJECT_ID, _SCRYPT)]:
            numbers = [_number(content) for _, content in _elements(inner[1][1])]
            scrypt = max(scrypt, math.prod(numbers[1:4]))  # after the salt; a length of the key may follow
        else:
            iterations = max(iterations, *(_number(content) for tag, content in inner if tag == _INTEGER), 0)
            waiting += [content for tag, content in inner if tag == _SEQUENCE]
    return iterations, scrypt


def _number(content: bytes) -> int:
    return int.from_bytes(content, "big")


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element; raises ValueError or IndexError if they are cut off."""
    position = 0
    while position < len(der):
        tag, length = der[position], der[position + 1]
        position += 2
        if length >= 0x80:
            octets = length - 0x80
            length = int.from_bytes(der[position : position + octets], "big")
            position += octets
        if position + length > len(der):
            raise ValueError("cut off")
        yield tag, der[position : position + length]
        position += length
