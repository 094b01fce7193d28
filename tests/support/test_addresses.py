"""Which addresses a stranger may have this machine turn to, however they are written."""

import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.support.addresses import address_in, is_public, near

NEAR = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "169.254.169.254": "link-local",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "255.255.255.255": "broadcast",
}
FAR = ["8.8.8.8", "10.0.0.1", "192.168.1.1", "100.64.0.1", "203.0.113.255", "128.0.0.1", "126.255.255.255"]


def written(address: IPv4Address) -> list[str]:
    """An IPv4 address in the ways that resolvers and sockets understand."""
    number = int(address)
    first, second, third, fourth = address.packed
    high, low = number >> 16, number & 0xFFFF
    six_to_four = IPv6Address(0x2002 << 112 | number << 80)
    return [
        str(address),
        str(number),
        f"{number:#x}",
        f"0{number:o}",
        f"{first}.{number & 0xFFFFFF}",
        f"{first}.{second}.{low}",
        f"{first:#x}.{second:#o}.{third}.{fourth}".replace("0o", "0"),
        f"::ffff:{address}",
        f"::ffff:{high:x}:{low:x}",
        f"64:ff9b::{high:x}:{low:x}",
        f"::ffff:0:{high:x}:{low:x}",
        str(six_to_four),
    ]


@pytest.mark.parametrize(("address", "kind"), NEAR.items())
def test_what_is_near_however_it_is_written(address: str, kind: str) -> None:
    for text in written(IPv4Address(address)):
        assert near(text) == kind, text
        assert not is_public(str(address_in(text))), text


@pytest.mark.parametrize("address", FAR)
def test_what_is_far_however_it_is_written(address: str) -> None:
    for text in written(IPv4Address(address)):
        assert near(text) == "", text


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("::1", "loopback"),
        ("0:0:0:0:0:0:0:1", "loopback"),
        ("::1%lo", "loopback"),
        ("::7f00:1", "loopback"),
        ("::", "unspecified"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("febf::1", "link-local"),
        ("ff02::1", "multicast"),
        ("ff02::1%lo", "multicast"),
        ("localhost", "loopback"),
        ("LocalHost.", "loopback"),
        ("printer.localhost", "loopback"),
        ("fc00::1", ""),
        ("2001:db8::1", ""),
        ("localhost.example", ""),
        ("heartbeat.example", ""),
        ("1.2.3.4.5", ""),
        ("", ""),
        ("\N{ARABIC-INDIC DIGIT ONE}.2.3.4", ""),
        ("127.0.0.1\0", ""),
    ],
)
def test_other_hosts(host: str, kind: str) -> None:
    assert near(host) == kind


@given(st.ip_addresses(v=4))
def test_what_a_socket_would_take_for_loopback_is_near(address: IPv4Address) -> None:
    """Judged by the system's own reading of each way to write it."""
    for text in written(address)[:7]:
        meant = socket.inet_ntoa(socket.inet_aton(text))
        assert (near(text) == "loopback") == meant.startswith("127."), text


@pytest.mark.parametrize(
    "address",
    [
        "192.0.0.192",  # a cloud's metadata
        "168.63.129.16",  # another's
        "100.100.100.200",  # another's
        "169.254.169.254",
        "192.0.0.9",  # a router's port control
        "192.0.0.10",
        "192.88.99.1",  # 6to4's relay
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "198.18.0.1",
        "240.0.0.1",
        "2002:101:101::1",  # 6to4: by way of a relay
        "2001::1",  # Teredo
        "2001:1::1",  # a router's port control
        "2001:20::1",
        "2001:db8::1",
        "3fff::1",
        "2620:4f:8000::1",
        "64:ff9b::a83f:8110",  # 168.63.129.16, by way of a translator
        "::ffff:192.0.0.192",
        "fd00:ec2::254",
    ],
)
def test_special_addresses_are_not_public_on_any_python(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses())
def test_what_is_public_is_so_for_python_too(address: IPv4Address | IPv6Address) -> None:
    """The table may refuse more than `ipaddress` does, but not less."""
    if is_public(str(address)) and not (isinstance(address, IPv6Address) and str(address).startswith("64:ff9b")):
        assert address.is_global or (isinstance(address, IPv6Address) and address.ipv4_mapped is not None)
        assert not address.is_multicast
