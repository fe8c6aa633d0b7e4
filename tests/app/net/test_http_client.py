"""Outgoing HTTP, against real sockets that behave badly."""

import asyncio
import gzip
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from app.errors import Permanent, Temporary
from app.net import addresses, http_client
from app.net.http_client import Fetcher, FetchLimits
from app.net.response_bodies import retry_after

LIMITS = FetchLimits(bytes=1000, seconds=5)
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
    assert time.monotonic() - started < 1.5


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


async def test_redirects_are_followed() -> None:
    """A redirect is followed, without the headers when it leaves the origin."""
    target, target_heads = answering(answer("200 OK", b"there"))
    async with serving(target) as there:
        away = f"Location: http://127.0.0.1:{there}/y"
        start, heads = answering(
            answer("302 Found", b"", "Location: /x"), answer("307 Temporary", b"", away)
        )
        async with serving(start) as here, Fetcher(allow_private=True) as fetcher:
            url = f"http://127.0.0.1:{here}/"
            assert await fetcher.get(url, limits=LIMITS, headers={"X-Own": "1"}) == b"there"
    assert [b"X-Own" in head for head in heads + target_heads] == [True, True, False]


async def test_redirects_end() -> None:
    """A circle of redirects ends at the limit."""
    handler, heads = answering(answer("302 Found", b"", "Location: /"))
    async with serving(handler) as port:
        with pytest.raises(Permanent, match="redirects more than 3 times"):
            await fetch(port)
    assert len(heads) == 4


@pytest.fixture
def _loopback_2_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 127.0.0.2 stand for the public internet."""
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.2")


@pytest.mark.usefixtures("_loopback_2_is_public")
@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/", "http://localhost:{port}/"])
async def test_redirect_to_a_private_address(location: str) -> None:
    """A redirect from a public server to a private one is refused, by address or by name."""
    private, private_heads = answering(answer("200 OK", b"secret"))
    async with serving(private) as port:
        where = f"Location: {location.format(port=port)}"
        public, _ = answering(answer("302 Found", b"", where))
        names = Names("127.0.0.2", "127.0.0.1")
        async with serving(public, "127.0.0.2") as there, Fetcher(resolver=names) as fetcher:
            with pytest.raises(Permanent) as caught:
                await fetcher.get(f"http://public.example:{there}/", limits=LIMITS)
    assert caught.value.category == "source_refused"
    assert private_heads == []


@pytest.mark.usefixtures("_loopback_2_is_public")
async def test_rebinding() -> None:
    """A name is resolved once per connection, and that address alone is connected to."""
    handler, _ = answering(answer("200 OK", b"public"))
    names = Names("127.0.0.2", "127.0.0.1")
    async with serving(handler, "127.0.0.2") as port, Fetcher(resolver=names) as fetcher:
        url = f"http://rebound.example:{port}/"
        assert await fetcher.get(url, limits=LIMITS) == b"public"
        assert names.asked == 1
        with pytest.raises(Permanent, match=r"rebound\.example is not on the public internet"):
            await fetcher.get(url, limits=LIMITS)


@pytest.mark.usefixtures("_loopback_2_is_public")
async def test_one_private_address_among_public_ones() -> None:
    """A name with a private address beside a public one is refused."""
    async with Fetcher(resolver=Names("127.0.0.2 127.0.0.1")) as fetcher:
        with pytest.raises(Permanent):
            await fetcher.get("http://mixed.example/", limits=LIMITS)


async def test_private_names_are_refused() -> None:
    """A name that the system resolves to a private address is refused by default."""
    async with Fetcher() as fetcher:
        with pytest.raises(Permanent):
            await fetcher.get("http://localhost:1/", limits=LIMITS)


async def test_unknown_names_are_temporary() -> None:
    """A name that cannot be resolved may be known later."""
    async with Fetcher() as fetcher:
        with pytest.raises(Temporary, match="cannot be resolved"):
            await fetcher.get("http://nowhere.invalid/", limits=LIMITS)


async def _send(port: int, path: str = "/", body: bytes = b"{}") -> http_client.Answer:
    async with http_client.client() as session:
        return await http_client.send(
            session,
            "POST",
            f"http://127.0.0.1:{port}{path}",
            body=body,
            headers={"X-Own": "1"},
            timeout_seconds=0.5,
            max_answer_bytes=10,
        )


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "404 Not Found", "500 Oops"])
async def test_send_returns_any_answer(status: str) -> None:
    """Every status is an answer; redirects are not followed and long bodies are cut."""
    handler, heads = answering(answer(status, b"0123456789abc", "Location: /x", "Retry-After: 3"))
    async with serving(handler) as port:
        found = await _send(port)
    assert (found.status, found.body) == (int(status[:3]), b"0123456789")
    assert retry_after(found.headers) == 3
    assert len(heads) == 1
    assert b"X-Own: 1" in heads[0]


async def test_send_is_bounded_in_time() -> None:
    """A server that does not answer in time is unreachable, and its URL's secrets are not shown."""

    async def sleep(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(sleep) as port:
        with pytest.raises(Temporary) as caught:
            await _send(port, "/x?token=secret")
    assert caught.value.category == "unreachable"
    assert "secret" not in str(caught.value)


async def test_send_to_a_malformed_url() -> None:
    """A malformed URL is the operator's error."""
    async with http_client.client() as session:
        for url in ("http://[::1", "http:///x", "nonsense"):
            with pytest.raises(Permanent):
                await http_client.send(
                    session,
                    "GET",
                    url,
                    body=b"",
                    headers={},
                    timeout_seconds=1,
                    max_answer_bytes=1,
                )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 12 ", 12.0),
        ("99999999999999999999", 86400.0),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2215 07:28:00 GMT", 86400.0),
        ("Wed, 21 Oct 99999999 07:28:00 GMT", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    """`Retry-After` is read as seconds or as a date, within a day."""
    assert retry_after({"Retry-After": text}) == seconds


def test_shown() -> None:
    """Messages show a URL without user, password, query or fragment."""
    url = URL("https://user:pw@example.com:8443/path?token=x#frag")
    assert http_client.shown(url) == "https://example.com:8443/path"
