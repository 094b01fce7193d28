"""Judges the addresses to which a stranger may send this machine.

The tables are this library's own, not those of `ipaddress`, which differ between Python's versions.  They follow IANA's
registries of special-purpose addresses.
"""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(IPv6Network(text) if ":" in text else IPv4Network(text) for text in texts)


_NEAR = {
    "loopback": _networks("127.0.0.0/8", "::1/128"),
    "unspecified": _networks("0.0.0.0/8", "::/128"),
    "link-local": _networks("169.254.0.0/16", "fe80::/10"),
    "multicast": _networks("224.0.0.0/4", "ff00::/8"),
    "broadcast": _networks("255.255.255.255/32"),
}
"""Addresses that mean another host, or several, on each machine and link."""
_NOT_PUBLIC = (
    *(network for networks in _NEAR.values() for network in networks),
    *_networks(
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # of carriers; the metadata service of a cloud is among them (100.100.100.200)
        "168.63.129.16/32",  # services of a cloud for its machines
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # of protocols, such as those of a router; a metadata service, too (192.0.0.192)
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112: anycast, by whom a network likes
        "192.52.193.0/24",  # AMT: relays, likewise
        "192.88.99.0/24",  # 6to4: relays, likewise
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # measurements
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "240.0.0.0/4",  # reserved
        "2001::/23",  # of protocols: Teredo and others
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: the IPv4 address of a relay
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    ),
)
_ALLOCATED = IPv6Network("2000::/3")
"""The range of the internet's unicast addresses in IPv6; the rest has, or had, other uses."""
_NAT64 = IPv6Network("64:ff9b::/96")
_HOLDING = (_NAT64, *_networks("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96"))
"""Networks whose addresses end with the IPv4 address that they stand for: translated, mapped, or compatible."""
_6TO4 = IPv6Network("2002::/16")


def address_in(host: str) -> Address | None:
    """Return the address that `host` spells, in any way that a resolver understands; None if it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return ip_address(socket.inet_aton(host))  # 127.1, 0x7f000001, 017700000001
    except (OSError, ValueError):  # a text that is not ASCII, or has a null, is refused by ValueErrors
        return None


def near(host: str) -> str:
    """Return the kind of an address that means another host on each machine; empty if `host` is no such address.

    The kinds are loopback (also by its names), unspecified, link-local, multicast and broadcast.
    """
    address = address_in(host)
    if address is None:
        name = host.removesuffix(".").lower()
        return "loopback" if name == "localhost" or name.endswith(".localhost") else ""
    meant = {address, *_held(address)}
    for kind, networks in _NEAR.items():
        if any(each in network for each in meant for network in networks):
            return kind
    return ""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; of an IPv6 address that holds one of IPv4, that counts."""
    number = ip_address(address)
    if isinstance(number, IPv6Address) and number not in _ALLOCATED:
        if number.ipv4_mapped is None and number not in _NAT64:
            return False
        number = IPv4Address(int(number) & 0xFFFF_FFFF)
    return not any(number in network for network in _NOT_PUBLIC)


def _held(address: Address) -> list[IPv4Address]:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address) or int(address) <= 1:
        return []
    if address in _6TO4:
        return [IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)]
    return [IPv4Address(int(address) & 0xFFFF_FFFF)] if any(address in network for network in _HOLDING) else []
