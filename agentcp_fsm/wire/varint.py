"""Base-128 integers, least significant group first: at most 10 bytes and 64 bits (protocol, "Datagrams").

Zero groups at the end that a shortest form would not have are read, within the 10 bytes, as every other reader of the
format does; what is written is always the shortest form.
"""

from agentcp_fsm.errors import WireError
from agentcp_fsm.wire.codec import U64_MAX, check_integer

MAX_VARINT = 10
"""Bytes of the longest varint."""

_ONE_BYTE = [bytes((value,)) for value in range(0x80)]


def encode_varint(name: str, value: int) -> bytes:
    """Return the shortest varint of `value`.

    Raises `WireError`, naming `name`, if it is no unsigned 64-bit number.
    """
    # One and two bytes, which hold the sequence numbers of a connection's first day, take a third of the loop's time.
    if 0 <= value < 1 << 7:
        return _ONE_BYTE[value]
    if 0 <= value < 1 << 14:
        return bytes((value & 0x7F | 0x80, value >> 7))
    check_integer(name, value)
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def read_varint(data: bytes | memoryview, offset: int) -> tuple[int, int]:
    """Return the varint at `offset` and the offset after it.

    Raises `WireError` if it takes more than 10 bytes or 64 bits, and `IndexError` if `data` ends within it.
    """
    value = data[offset]
    offset += 1
    if value < 0x80:
        return value, offset
    value &= 0x7F
    shift = 7
    while shift < 7 * MAX_VARINT:
        group = data[offset]
        offset += 1
        if group < 0x80:
            value |= group << shift
            if value > U64_MAX:
                raise WireError("a varint has more than 64 bits")
            return value, offset
        value |= (group & 0x7F) << shift
        shift += 7
    raise WireError(f"a varint has more than {MAX_VARINT} bytes")
