"""The zone of an IPv6 address in a URL, ``http://[fe80::1%25eth0]/``: the interface of this machine (RFC 6874).

It is nobody else's business: it stands in no Host header, in no certificate and in no name that a proxy is given.  The
libraries below disagree on how it is written, so they never see it, except for the system's own look-up.
"""

import re

_ZONED = re.compile(r"(https?://\[[0-9a-f:.]+)%(?:25)?([A-Za-z0-9._~-]+)(?=\])", re.IGNORECASE)


def without_zone(url: str) -> tuple[str, str]:
    """Return the URL without its zone, and the zone; empty if it has none."""
    if (found := _ZONED.match(url)) is None:
        return url, ""
    return found[1] + url[found.end() :], found[2]


def with_zone(host: str, zone: str) -> str:
    """Write a host as the system's look-up takes it."""
    return f"{host}%{zone}" if zone else host
