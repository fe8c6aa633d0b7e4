"""Outgoing HTTP, against real sockets that behave badly."""

import asyncio
import gzip
import socket
import time

import pytest
from yarl import URL

from app.errors import Permanent, Temporary
from app.net import http_client
from app.net.http_client import FetchLimits
from tests.support.raw_http import answer, answering, fetch, serving


async def test_get() -> None:
    """A fetch returns the body, and sends the path and query as they were written."""
    handler, heads = answering(answer("200 OK", b"hello"))
    async with serving(handler) as port:
        assert await fetch(port, "/%7Ea?x=%2b&y=a%20b") == b"hello"
    assert heads[0].startswith(b"GET /%7Ea?x=%2b&y=a%20b HTTP/1.1\r\n")
    assert b"Accept-Encoding: identity" in heads[0]


async def test_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies of the environment are not used."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    handler, _ = answering(answer("200 OK", b"hello"))
    async with serving(handler) as port:
        assert await fetch(port) == b"hello"


@pytest.mark.parametrize(
    ("status", "category"),
    [
        ("204 No Content", "source_denied"),
        ("300 Multiple Choices", "source_denied"),
        ("304 Not Modified", "source_denied"),
        ("302 Found", "source_denied"),
        ("400 Bad", "source_denied"),
        ("403 Forbidden", "source_denied"),
        ("404 Not Found", "source_missing"),
        ("410 Gone", "source_missing"),
    ],
)
async def test_permanent_answers(status: str, category: str) -> None:
    """An answer that a retry cannot change is permanent, and is asked for once."""
    handler, heads = answering(answer(status))
    async with serving(handler) as port:
        with pytest.raises(Permanent) as caught:
            await fetch(port, "/x?token=secret")
    assert caught.value.category == category
    assert "secret" not in str(caught.value)
    assert len(heads) == 1


@pytest.mark.parametrize("status", ["408 Timeout", "425 Early", "429 Many", "503 Down"])
async def test_temporary_answers(status: str) -> None:
    """An answer that asks to come again is temporary and keeps the time that it asks for."""
    handler, heads = answering(answer(status, b"", "Retry-After: 7"))
    async with serving(handler) as port:
        with pytest.raises(Temporary) as caught:
            await fetch(port)
    assert caught.value.retry_after == 7
    assert len(heads) == 1


async def test_short_outages_are_ridden_out() -> None:
    """A 500 and a broken connection are retried, and nothing of them stays in the body."""
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    handler, heads = answering(answer("500 Oops"), cut, answer("200 OK", b"ok"))
    async with serving(handler) as port:
        assert await fetch(port) == b"ok"
    assert len(heads) == 3


async def test_connection_reset() -> None:
    """A server that resets every connection is a temporary failure."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with serving(reset) as port:
        with pytest.raises(Temporary, match="the connection broke"):
            await fetch(port)


async def test_refused_connection() -> None:
    """A port that nobody listens on is a temporary failure."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Temporary, match="cannot be connected to"):
            await fetch(unused.getsockname()[1])


async def test_not_http() -> None:
    """An answer that is not HTTP is a temporary failure."""
    handler, _ = answering(b"\x00\xff garbage\r\n\r\n")
    async with serving(handler) as port:
        with pytest.raises(Temporary, match="not HTTP"):
            await fetch(port)


async def test_endless_headers() -> None:
    """Headers without end are given up."""

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: %s\r\n" % (b"a" * 1000))
            await writer.drain()

    async with serving(shout) as port:
        with pytest.raises(Temporary):
            await fetch(port)


async def test_too_large_by_its_own_word() -> None:
    """A body that says that it is too large is refused before it comes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")
        await reader.read()

    async with serving(handle) as port:
        with pytest.raises(Permanent) as caught:
            await fetch(port)
    assert caught.value.category == "source_too_large"


async def test_endless_body() -> None:
    """A body without a length is cut off at the limit."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"400\r\n" + b"x" * 0x400 + b"\r\n")
            await writer.drain()

    async with serving(handle) as port:
        with pytest.raises(Permanent) as caught:
            await fetch(port)
    assert caught.value.category == "source_too_large"


async def test_exactly_the_limit() -> None:
    """A body of exactly the limit is no error, one byte more is."""
    handler, _ = answering(answer("200 OK", b"x" * 1000))
    async with serving(handler) as port:
        assert len(await fetch(port)) == 1000
        with pytest.raises(Permanent):
            await fetch(port, limits=FetchLimits(bytes=999, seconds=5))


async def test_slow_drip() -> None:
    """A body that drips ends at the deadline of the whole fetch."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as port:
        started = time.monotonic()
        with pytest.raises(Temporary, match=r"within 0\.3 s"):
            await fetch(port, limits=FetchLimits(bytes=1000, seconds=0.3))
    assert time.monotonic() - started < 5  # The whole body would take ten.


async def test_gzip() -> None:
    """Gzip that came unasked is decompressed."""
    body = gzip.compress(b"hello")
    handler, _ = answering(answer("200 OK", body, "Content-Encoding: gzip"))
    async with serving(handler) as port:
        assert await fetch(port) == b"hello"


@pytest.mark.parametrize(
    ("body", "encoding", "category"),
    [
        (gzip.compress(b"0" * 50_000_000, compresslevel=9), "gzip", "source_too_large"),
        (gzip.compress(b"hello")[:-4], "gzip", "source_invalid"),
        (gzip.compress(b"hello") + b"more", "gzip", "source_invalid"),
        (b"not gzip", "gzip", "source_invalid"),
        (b"x", "br", "source_invalid"),
    ],
    ids=["bomb", "cut", "trailing", "plain", "brotli"],
)
async def test_bad_encodings(body: bytes, encoding: str, category: str) -> None:
    """A gzip bomb, broken gzip and other encodings are refused."""
    handler, _ = answering(answer("200 OK", body, f"Content-Encoding: {encoding}"))
    async with serving(handler) as port:
        with pytest.raises(Permanent) as caught:
            await fetch(port, limits=FetchLimits(bytes=100_000, seconds=5))
    assert caught.value.category == category


def test_shown() -> None:
    """Messages show a URL without user, password, query or fragment."""
    url = URL("https://user:pw@example.com:8443/path?token=x#frag")
    assert http_client.shown(url) == "https://example.com:8443/path"
