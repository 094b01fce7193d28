"""The proxies that the environment names."""

from __future__ import annotations

import urllib3
from requests.utils import prepend_scheme_if_needed

PROXY_SCHEMES = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})
"""Those that requests supports; SOCKS with PySocks."""


def is_proxy(url: str) -> bool:
    """Whether the URL of a proxy can be used; the libraries' errors would quote it, with its password."""
    try:
        parts = urllib3.util.parse_url(prepend_scheme_if_needed(url, "http"))  # type: ignore[no-untyped-call]
    except ValueError:
        return False
    return (
        parts.scheme in PROXY_SCHEMES
        and bool(parts.host)
        and "@" not in f"{parts.host}{parts.path or ''}{parts.query or ''}{parts.fragment or ''}"
    )
