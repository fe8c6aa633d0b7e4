"""Responses to fetches: statuses checked, bodies read within limits whatever headers claim."""

import zlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp

from app.errors import Permanent, Temporary

_GZIP_WBITS = 31
_MAX_RETRY_AFTER_SECONDS = 86400.0
_RETRIED = frozenset({408, 425, 429})


def check(response: aiohttp.ClientResponse, *, what: str) -> None:
    """Check the status of a fetch.

    Raises:
        Permanent: `source_missing` (404, 410); `source_denied`, any other that is not 200.
        Temporary: `source_unavailable`: 5xx, 408, 425, 429, with their `Retry-After`.
    """
    status = response.status
    if status == HTTPStatus.OK:
        return
    message = f"{what} answered {status}"
    if status in _RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = retry_after(response.headers)
        raise Temporary(message, category="source_unavailable", retry_after=wait)
    missing = status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
    raise Permanent(message, category="source_missing" if missing else "source_denied")


async def chunks(
    response: aiohttp.ClientResponse, limit: int, *, what: str
) -> AsyncIterator[bytes]:
    """Yield a whole body piece by piece, decompressed when it came as gzip.

    Args:
        response: Of a session that does not decompress.
        limit: In bytes, decompressed.
        what: The name of the fetch in messages.

    Raises:
        Permanent: `source_too_large`; `source_invalid`, an encoding that was not asked for or
            broken gzip.
        aiohttp.ClientError: The connection broke.
    """
    if (response.content_length or 0) > limit:
        raise _too_large(what, limit)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"gzip", "identity"}:
        message = f"{what} came encoded as {encoding[:20]!r}, which was not asked for"
        raise Permanent(message, category="source_invalid")
    inflater = _Inflater(what) if encoding == "gzip" else None
    left = limit
    async for chunk in response.content.iter_any():
        plain = inflater.inflate(chunk, left + 1) if inflater else chunk
        left -= len(plain)
        if left < 0:
            raise _too_large(what, limit)
        yield plain
    if inflater:
        inflater.finish()


async def first(stream: aiohttp.StreamReader, count: int) -> bytes:
    """Return the first `count` bytes of a body, or all of a shorter one."""
    body = bytearray()
    async for chunk in stream.iter_any():
        body += chunk
        if len(body) >= count:
            break
    return bytes(body[:count])


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a `Retry-After` header asks to wait, 0 to a day, or None."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _MAX_RETRY_AFTER_SECONDS)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER_SECONDS)


class _Inflater:
    """Decompresses one gzip member; data after it is an error."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._object = zlib.decompressobj(_GZIP_WBITS)

    def inflate(self, chunk: bytes, most: int) -> bytes:
        try:
            plain = self._object.decompress(chunk, most)
        except zlib.error:
            raise self._broken() from None
        if self._object.unused_data:
            raise self._broken()
        return plain

    def finish(self) -> None:
        if not self._object.eof:
            raise self._broken()

    def _broken(self) -> Permanent:
        return Permanent(f"{self._what} is broken gzip", category="source_invalid")


def _too_large(what: str, limit: int) -> Permanent:
    return Permanent(f"{what} is larger than {limit} bytes", category="source_too_large")
