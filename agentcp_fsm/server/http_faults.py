"""What the server's faults do to its HTTP answers."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from agentcp_fsm.server.faults import Faults, SignInFault

HUGE = 100 * 1024**2
"""Bytes of padding in a huge answer."""
CHUNK = 64 * 1024
"""Bytes of padding written at a time."""


async def strike(fault: SignInFault, faults: Faults, request: web.BaseRequest) -> web.StreamResponse | None:
    """Do what `fault` does in place of the call; None means that the call goes on."""
    match fault:
        case SignInFault.DOWN:
            raise ConnectionResetError("a fault")
        case SignInFault.HANG:
            await _hang()
        case SignInFault.HANG_AFTER_HEADERS:
            await web.StreamResponse(headers={"Content-Type": "application/json"}).prepare(request)
            await _hang()
        case SignInFault.STATUS:
            return error_answer(
                faults.status, "a fault", {"Retry-After": faults.retry_after} if faults.retry_after else None
            )
        case SignInFault.REDIRECT:
            return web.Response(status=302, headers={"Location": "/elsewhere" + request.path})
        case SignInFault.NOT_JSON:
            return web.Response(
                text="<!DOCTYPE html><title>Welcome</title><h1>It works!</h1>", content_type="text/html"
            )
    return None


async def _hang() -> None:
    """Wait until the client or the server gives up, which cancels the call."""
    await asyncio.get_running_loop().create_future()


async def answer_as_faulty(
    answer: dict[str, Any], fault: SignInFault, faults: Faults, request: web.BaseRequest
) -> web.StreamResponse:
    """Return the answer as `fault` changes it."""
    is_challenge = "nonce" in answer
    if fault is SignInFault.MISSING_FIELD and not (faults.field == "signature" and is_challenge):
        answer.pop(faults.field, None)
    if fault is SignInFault.PORT_OUT_OF_RANGE and not is_challenge:
        answer["port"] = faults.port
    text = json.dumps(answer)
    match fault:
        case SignInFault.SLOW:
            return await _drip(text.encode(), faults.slow_seconds, request)
        case SignInFault.HUGE:
            return await _inflate(text, request)
        case SignInFault.TRUNCATED:
            text = text[: len(text) // 2]
    return web.Response(text=text, content_type="application/json")


async def _drip(body: bytes, seconds: float, request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for written in range(len(body)):
        await response.write(body[written : written + 1])
        await asyncio.sleep(begun + seconds * (written + 1) / len(body) - loop.time())
    return response


async def _inflate(text: str, request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(text.removesuffix("}").encode() + b', "padding": "')
    for _ in range(HUGE // CHUNK):
        await response.write(b"x" * CHUNK)
    await response.write(b'"}')
    return response


def error_answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an answer that refuses the call."""
    return web.json_response({"error": {"code": status, "message": text}}, status=status, headers=headers)
