"""HTTP servers that send exactly the bytes they are told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp.abc import AbstractResolver, ResolveResult

from app.net.http_client import Fetcher, FetchLimits

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Serve raw connections on a free port."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(guarded, host, port) as server:
        yield int(server.sockets[0].getsockname()[1])


def answering(*answers: bytes) -> tuple[Handler, list[bytes]]:
    """Answer one connection after the other; also return the heads of the requests."""
    heads: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answers[min(len(heads), len(answers)) - 1])
        await writer.drain()

    return handle, heads


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Write out an answer that closes its connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


LIMITS = FetchLimits(bytes=1000, seconds=5)


class Names(AbstractResolver):
    """Resolves every name to the next of its addresses."""

    def __init__(self, *found: str) -> None:
        self.found = list(found)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Answer with the next address, or several of one line."""
        address = self.found[min(self.asked, len(self.found) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=one,
                port=port,
                family=family or socket.AF_INET,
                proto=0,
                flags=0,
            )
            for one in address.split()
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def fetch(port: int, path: str = "/", limits: FetchLimits = LIMITS) -> bytes:
    """Fetch from a local port."""
    async with Fetcher(allow_private=True) as fetcher:
        return await fetcher.get(f"http://127.0.0.1:{port}{path}", limits=limits)
