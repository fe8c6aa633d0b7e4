"""What the API server answers: bounded bytes, documents, and statuses as errors."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import urllib3

from k8s.api.errors import (
    ClusterError,
    Conflict,
    Gone,
    NotFound,
    Refused,
    Unavailable,
)

BAD_REQUEST = 400
NOT_FOUND = 404
MAX_ERROR_BYTES = 64 << 10
MAX_BYTES = 64 << 20
MAX_LINE_BYTES = 8 << 20
CHUNK_BYTES = 64 << 10

_REFUSALS: dict[int, type[Refused]] = {NOT_FOUND: NotFound, 409: Conflict, 410: Gone}
_FOR_NOW = {408, 425, 429}
_FIRST_SERVER_ERROR = 500
_ENDING = "NamespaceTerminating"
_MALFORMED = "failed to create typed patch object"  # An apply's schema error, told as a 500.


class _Cause(msgspec.Struct):
    reason: str = ""


class _Details(msgspec.Struct):
    causes: list[_Cause] | None = None


class _Status(msgspec.Struct):
    """The part of a `Status` object that says why."""

    message: str | None = ""
    reason: str | None = ""
    details: _Details | None = None


def check(response: urllib3.BaseHTTPResponse) -> None:
    """Raise what the status means, in the API server's words, unless it is a success."""
    status = response.status
    if status < BAD_REQUEST:
        return
    said = _status(response)
    message = said.message or said.reason or f"the API server answered {status}"
    if _is_for_now(status, said):
        raise Unavailable(
            message, retry_after_seconds=_seconds(response.headers.get("Retry-After"))
        )
    refusal = _REFUSALS.get(status, Refused)
    raise refusal(status=status, reason=said.reason or "", message=message)


def _status(response: urllib3.BaseHTTPResponse) -> _Status:
    body = read(response, MAX_ERROR_BYTES)
    try:
        return msgspec.json.decode(body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Status(message=body[:500].decode(errors="replace").strip())


def _is_for_now(status: int, said: _Status) -> bool:
    if status >= _FIRST_SERVER_ERROR:
        return not (said.message or "").startswith(_MALFORMED)
    causes = said.details.causes if said.details else None
    return status in _FOR_NOW or any(cause.reason == _ENDING for cause in causes or ())


def _seconds(header: str | None) -> float | None:
    with suppress(ValueError):
        return max(0.0, float(header)) if header else None
    return None


def read(response: urllib3.BaseHTTPResponse, limit: int = MAX_BYTES) -> bytes:
    """The whole body; raises `ClusterError` when it is longer than `limit` bytes."""
    try:
        body = response.read(limit + 1)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(f"the API server's answer broke off: {error}") from error
    if len(body) > limit:
        raise ClusterError(f"the API server's answer is longer than {limit:,} bytes")
    return body


def lines(response: urllib3.BaseHTTPResponse, limit: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    """The lines of a body as they come, without their ends, none longer than `limit` bytes."""
    rest = b""
    for part in parts(response):
        *whole, rest = (rest + part).split(b"\n")
        yield from whole
        if len(rest) > limit:
            raise ClusterError(f"the API server sent a line longer than {limit:,} bytes")
    if rest:
        yield rest


def parts(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The bytes of a body as they come, until the API server or a shutdown ends it."""
    try:
        while part := response.read1(CHUNK_BYTES):
            yield part
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(f"the API server's stream broke off: {error}") from error


def document(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"the API server's answer is no JSON object: {error}") from error


def items(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects on a page of a collection, each with its kind, which lists leave out."""
    kind = {
        "apiVersion": page.get("apiVersion", ""),
        "kind": str(page.get("kind", "")).removesuffix("List"),
    }
    return [kind | item for item in page.get("items") or ()]
