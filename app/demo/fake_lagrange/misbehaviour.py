"""Misbehaviour of the stand-in, on demand."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

_CHUNK = b"0" * 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The treatment of a request instead of its answer.

    Attributes:
        delay_seconds: Passes first; with nothing else given, the true answer follows.
        status: Answered instead, with no body.
        fault: `reset` cuts the connection; `garbage` is not HTTP; `redirect` leads to `location`;
            `endless` is a body that does not end; `drip` the same, a byte a second.
        location: Of `redirect`.
        retry_after_seconds: Sent with `status`.
        times: How many requests it holds for; None: until it is taken back.
    """

    delay_seconds: float = 0
    status: int | None = None
    fault: Literal["reset", "garbage", "redirect", "endless", "drip"] | None = None
    location: str = "http://169.254.169.254/latest/meta-data/"
    retry_after_seconds: int | None = None
    times: int | None = None


async def answer(behaviour: Behaviour, request: web.Request) -> web.StreamResponse | None:
    """Answer as the behaviour says; None: the true answer is to follow."""
    await asyncio.sleep(behaviour.delay_seconds)
    if behaviour.fault is not None:
        return await _fault(behaviour, request)
    if behaviour.status is None:
        return None
    wait = behaviour.retry_after_seconds
    return web.Response(
        status=behaviour.status, headers={} if wait is None else {"Retry-After": str(wait)}
    )


async def _fault(behaviour: Behaviour, request: web.Request) -> web.StreamResponse:
    if behaviour.fault == "redirect":
        return web.Response(status=302, headers={"Location": behaviour.location})
    if behaviour.fault in {"endless", "drip"}:
        return await _endless(request, dripping=behaviour.fault == "drip")
    if request.transport is not None:
        if behaviour.fault == "garbage":
            request.transport.write(b"\x00\xff not HTTP \r\n\r\n")
            request.transport.close()
        else:
            request.transport.abort()
    return web.Response()


async def _endless(request: web.Request, *, dripping: bool) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    async for chunk in _chunks(dripping=dripping):
        await response.write(chunk)
    return response


async def _chunks(*, dripping: bool) -> AsyncIterator[bytes]:
    while True:
        yield b"0" if dripping else _CHUNK
        await asyncio.sleep(1 if dripping else 0)
