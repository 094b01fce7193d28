"""The methods of every codec, and the bounds that all of them keep."""

import reprlib
from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol

from agentcp_fsm.errors import WireError
from agentcp_fsm.wire.messages import Message

MAX_DATAGRAM = 1536
"""Bytes of the longest datagram: clients read no more (protocol, "Datagrams")."""

U16_MAX = 2**16 - 1
U64_MAX = 2**64 - 1
I64_MIN, I64_MAX = -(2**63), 2**63 - 1

HeartbeatEncoder = Callable[[int], bytes]
"""From MessageSeq (unsigned 64 bits) to one session's heartbeat request; raises `WireError` for another number."""


class Codec(Protocol):
    """Messages to datagrams and back.

    A codec holds no state of a connection, so any number of connections and threads may share one.
    """

    def encode(self, message: Message) -> bytes:
        """Return the datagram of `message`.

        Raises `WireError` for a number out of its range, text that is no Unicode, or more than `MAX_DATAGRAM` bytes.
        """

    def decode(self, data: bytes | memoryview) -> Message:
        """Return the message that the datagram `data` (a memoryview: of bytes) holds.

        Raises `WireError`, and nothing else, for all other bytes.
        """

    def heartbeat_encoder(self, agent_id: str, sign_cookie: int) -> HeartbeatEncoder:
        """Prepare a session's heartbeat requests, of which only MessageSeq differs: `encode` for the hot path.

        Raises `WireError` as `encode` does, here and now also for what would only not fit at the longest MessageSeq.
        """

    def decode_heartbeat_response(self, data: bytes | memoryview) -> tuple[int, int] | None:
        """Return MessageSeq and NextBeat of a heartbeat response: `decode` for the hot path, which builds no message.

        Returns None if `data` begins as another message, which `decode` decodes.  Raises `WireError` as `decode` does.
        """


def check_integer(name: str, value: int, low: int = 0, high: int = U64_MAX) -> int:
    """Return `value`, or raise `WireError` if it is not between `low` and `high`."""
    if low <= value <= high:
        return value
    raise WireError(f"{name} is {value}; use a number from {low} to {high}")


def encode_text(name: str, text: str) -> bytes:
    """Return `text` as UTF-8, or raise `WireError` if it has lone surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise WireError(
            f"{name} is {reprlib.repr(text)}; use text without lone surrogates (position {error.start}): UTF-8 has none"
        ) from error


def received_too_long(size: int) -> WireError:
    """Return the error for a received datagram of `size` bytes, more than `MAX_DATAGRAM`."""
    return WireError(f"the datagram has {size} bytes, more than {MAX_DATAGRAM}")


def check_sent_size(message: Message, size: int) -> None:
    """Raise `WireError`, naming the longest text of `message`, if its datagram of `size` bytes would be too long."""
    if size > MAX_DATAGRAM:
        fields = asdict(message)
        fields |= fields.pop("invitation", {})
        texts = {name: value for name, value in fields.items() if isinstance(value, str)}
        longest = max(texts, key=lambda name: len(texts[name].encode()))
        raise WireError(
            f"{longest} is {reprlib.repr(texts[longest])}, which makes a datagram of {size} bytes; "
            f"shorten it: a datagram has at most {MAX_DATAGRAM}"
        )
