"""Checks the requests of agents: their origin, their form, and the fields of the body.

A browser on the same machine can reach the server too, and any web page can have it send requests.  Three things that a
page cannot choose distinguish them from those of agents: the host, which is a name of the page's own even if that leads
to this machine (DNS rebinding), the content type, and the headers in which a browser names a request's origin.
"""

import asyncio
import json
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http import HttpProcessingError

from agentcp_fsm.support.lookups import is_address

MAX_AGENT_ID = 255
"""Bytes of UTF-8: agent ids are DNS-like names."""
MAX_REQUEST_ID = 128
"""Bytes of UTF-8; a uuid4 in hex has 32."""
READ_TIMEOUT = 10.0
"""Seconds that a client may take to send its request's body."""

BROKEN_BODY = (web.RequestPayloadError, HttpProcessingError)
"""The errors of aiohttp's parsers for a body that is not encoded as it says."""

JSONObject = dict[str, Any]


class Refused(Exception):  # noqa: N818 - it is no error of the server's but an outcome, answered to the client
    """A call that is answered with an HTTP error; the text says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Malformed(Refused):
    """A request that is not what the protocol has."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(status, text)


def check_origin(request: web.BaseRequest, names: Collection[str]) -> None:
    """Raise `Malformed` for a request that a web page may have made.

    The host that is asked must be an IP address, localhost or one of `names`, which are in lower case.
    """
    if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise Malformed("this is no server for web pages", 403)
    try:
        host = urlsplit(f"//{request.headers['Host']}").hostname or ""
    except (KeyError, ValueError):
        host = ""
    bare = host.removesuffix(".")
    if not (host in names or bare == "localhost" or bare.endswith(".localhost") or is_address(bare)):
        raise Malformed(
            "this server does not have the name in Host: use its IP address, or give it the name (--name)", 421
        )


async def read_object(request: web.BaseRequest) -> JSONObject:
    """Return the body, which must be a JSON object, and must say so; raises `Malformed`."""
    if request.content_type != "application/json":
        raise Malformed("the content type is not application/json", 415)
    try:
        async with asyncio.timeout(READ_TIMEOUT):
            body = json.loads(await request.read())
    except web.HTTPRequestEntityTooLarge as error:
        raise Malformed("the request is too large", 413) from error
    except TimeoutError as error:
        raise Malformed(f"the request was not complete within {READ_TIMEOUT:g} s", 408) from error
    except BROKEN_BODY as error:
        raise Malformed("the request's body is broken") from error
    except (ValueError, RecursionError) as error:
        raise Malformed("the request is not JSON") from error
    if not isinstance(body, dict):
        raise Malformed("the request is no JSON object")
    return body


def identifier(body: JSONObject, name: str, limit: int = MAX_AGENT_ID) -> str:
    """Return a field that is shown in lists and logs, so must be printable; raises `Malformed`."""
    value = text(body, name, limit)
    if not value.isprintable():
        raise Malformed(f"{name} has characters that cannot be shown")
    return value


def text(body: JSONObject, name: str, limit: int | None = None) -> str:
    """Return a field that must be there; `limit` is in bytes of UTF-8.  Raises `Malformed`."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} is missing or no text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise Malformed(f"{name} is no Unicode text") from error
    if limit is not None and size > limit:
        raise Malformed(f"{name} is longer than {limit} bytes")
    return value
