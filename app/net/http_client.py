"""Outgoing HTTP: fetches of URLs from tenants, calls to servers that the operator configured."""

import asyncio
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Self

import aiohttp
import tenacity
from aiohttp.abc import AbstractResolver
from yarl import URL

from app.errors import Permanent, Temporary
from app.net import response_bodies, ssrf

Session = aiohttp.ClientSession
FormData = aiohttp.FormData
_CONNECT_SECONDS = 10.0
_MAX_SHOWN_CHARACTERS = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_USER_AGENT = "computing-provider"
_UNAVAILABLE = "source_unavailable"

# In order: the first class that an error belongs to gives the reason.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ServerTimeoutError, "it took too long to connect"),
    (aiohttp.ClientConnectorDNSError, "its name cannot be resolved"),
    (aiohttp.ClientSSLError, "its TLS certificate or handshake is not accepted"),
    (aiohttp.ClientConnectorError, "it cannot be connected to"),
    (aiohttp.ClientPayloadError, "its response broke off or is malformed"),
    (aiohttp.ClientResponseError, "its response is not HTTP"),
    (Exception, "the connection broke"),
)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Bounds of one fetch: body in `bytes` (decompressed), everything in `seconds`, redirects.

    `permit` raises Permanent for a URL, or the target of a redirect, that must not be asked.
    """

    bytes: int
    seconds: float
    redirects: int = 3
    permit: Callable[[URL], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer; header names compare without case, the body may have been cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fetcher:
    """Fetches URLs from tenants; an async context manager that holds one session.

    Args:
        allow_private: Fetch from private addresses too; every other check stays.
        closed: Networks (CIDR) that are as closed as private addresses.
        resolver: The system's unless given.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        closed: tuple[str, ...] = (),
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._closed = closed
        self._resolver = resolver

    async def __aenter__(self) -> Self:
        self._session = guarded_client(
            allow_private=self._allow_private, resolver=self._resolver, closed=self._closed
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(
        self, url: str, *, limits: FetchLimits, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the body at a URL; each redirect is checked anew.

        Broken connections and 5xx are retried for about a second, within the limits.

        Args:
            url: As the tenant wrote it; `http` or `https`, any port.
            limits: Of the whole call.
            headers: Sent to the URL's own origin, not to where it redirects.

        Raises:
            Permanent: `source_refused` by the guard; `source_missing` (404, 410);
                `source_denied` (other answers that are not 200); `source_too_large`;
                `source_invalid`, an encoding that was not asked for.
            Temporary: `source_unavailable`: no connection, too slow, 5xx, 408, 425, 429.
        """
        body = io.BytesIO()
        await self.save(url, body, limits=limits, headers=headers)
        return body.getvalue()

    async def save(
        self,
        url: str,
        file: BinaryIO,
        *,
        limits: FetchLimits,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Stream what `get` returns into an empty file; after an error it holds a part.

        Raises:
            OSError: The file cannot be written.
            Permanent: As `get`.
            Temporary: As `get`.
        """
        start = ssrf.permit(url, allow_private=self._allow_private, closed=self._closed)
        with _translated(shown(start), limits.seconds, _UNAVAILABLE):
            async with asyncio.timeout(limits.seconds):
                await _attempts()(self._attempt, start, file, limits, headers or {})

    async def _attempt(
        self, start: URL, file: BinaryIO, limits: FetchLimits, headers: Mapping[str, str]
    ) -> None:
        file.seek(0)
        file.truncate()
        with _translated(shown(start), limits.seconds, _UNAVAILABLE):
            await self._follow(start, file, limits, headers)

    async def _follow(
        self, start: URL, file: BinaryIO, limits: FetchLimits, headers: Mapping[str, str]
    ) -> None:
        current = start
        for _ in range(limits.redirects + 1):
            limits.permit(current)
            sent = headers if current.origin() == start.origin() else {}
            async with self._session.get(current, headers=sent, allow_redirects=False) as response:
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or location is None:
                    response_bodies.check(response, what=shown(start))
                    async for chunk in response_bodies.chunks(
                        response, limits.bytes, what=shown(start)
                    ):
                        file.write(chunk)
                    return
            current = ssrf.redirect(
                current, location, allow_private=self._allow_private, closed=self._closed
            )
        raise Permanent(
            f"{shown(start)} redirects more than {limits.redirects} times", category=ssrf.CATEGORY
        )


def client() -> aiohttp.ClientSession:
    """Open a session for `send`; an async context manager. No cookies, no proxies."""
    return _session(aiohttp.TCPConnector())


def guarded_client(
    *,
    allow_private: bool,
    resolver: AbstractResolver | None = None,
    closed: tuple[str, ...] = (),
) -> aiohttp.ClientSession:
    """Open a session whose connections go to public addresses, whoever chose the URL."""
    connect = partial(ssrf.open_public_socket, closed=closed)
    return _session(
        aiohttp.TCPConnector(
            resolver=ssrf.Resolver(
                resolver or aiohttp.ThreadedResolver(), allow_private=allow_private, closed=closed
            ),
            use_dns_cache=False,
            socket_factory=None if allow_private else connect,
        )
    )


async def send(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    body: bytes | FormData,
    headers: Mapping[str, str],
    timeout_seconds: float,
    max_answer_bytes: int,
) -> Answer:
    """Send one request to a server that the operator configured; redirects are not followed.

    Args:
        session: As `client` opened it.
        method: Of HTTP.
        url: From the configuration.
        body: A form brings its own `content-type`.
        headers: Beside those that every request has.
        timeout_seconds: Of the whole exchange.
        max_answer_bytes: The body is cut there.

    Returns:
        The answer, whatever its status.

    Raises:
        Permanent: `url_invalid`.
        Temporary: `unreachable`: no connection, no whole answer within `timeout_seconds`.
    """
    try:
        target = URL(url)
    except ValueError:
        raise Permanent("the configured URL is malformed", category="url_invalid") from None
    with _translated(shown(target), timeout_seconds, "unreachable"):
        data = io.BytesIO(body) if body and isinstance(body, bytes) else body or None
        async with (
            asyncio.timeout(timeout_seconds),
            session.request(
                method, target, data=data, headers=headers, allow_redirects=False
            ) as response,
        ):
            received = await response_bodies.first(response.content, max_answer_bytes)
            return Answer(response.status, response.headers, received)


def shown(url: URL) -> str:
    """Return a URL that is safe to log: without user, password, query and fragment."""
    text = f"{url.scheme}://{url.host_port_subcomponent or ''}{url.raw_path}"
    return text[:_MAX_SHOWN_CHARACTERS]


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
    )


def _attempts() -> tenacity.AsyncRetrying:
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, Temporary) and error.retry_after is None
        ),
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=1.0, jitter=0.2),
        reraise=True,
    )


@contextmanager
def _translated(what: str, seconds: float, category: str) -> Iterator[None]:
    try:
        yield
    except aiohttp.InvalidURL as error:
        raise Permanent(f"{what} is not a URL", category="url_invalid") from error
    except aiohttp.ClientError as error:
        reason = next(text for kind, text in _REASONS if isinstance(error, kind))
        raise Temporary(f"{what} cannot be read: {reason}", category=category) from error
    except TimeoutError as error:
        message = f"{what} did not answer completely within {seconds:g} s"
        raise Temporary(message, category=category) from error
    except ConnectionError as error:
        raise Temporary(
            f"{what} cannot be read: the connection broke", category=category
        ) from error
