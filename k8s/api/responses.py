"""Responses of the API server: bounded bytes, JSON objects, and statuses as errors."""

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
_TEMPORARY_STATUSES = {408, 425, 429}
_FIRST_SERVER_ERROR = 500
_NAMESPACE_TERMINATING = "NamespaceTerminating"
_MALFORMED = "failed to create typed patch object"  # A schema error of an apply, reported as a 500.


class _Cause(msgspec.Struct):
    reason: str = ""


class _Details(msgspec.Struct):
    causes: list[_Cause] | None = None


class _Status(msgspec.Struct):
    """The part of a `Status` object that gives the reason."""

    message: str | None = ""
    reason: str | None = ""
    details: _Details | None = None


def check(response: urllib3.BaseHTTPResponse) -> None:
    """Raise the error that a status stands for, with the API server's message."""
    status = response.status
    if status < BAD_REQUEST:
        return
    failure = _read_status(response)
    message = failure.message or failure.reason or f"the API server answered {status}"
    if _is_temporary(status, failure):
        raise Unavailable(
            message, retry_after_seconds=_retry_after_seconds(response.headers.get("Retry-After"))
        )
    refusal = _REFUSALS.get(status, Refused)
    raise refusal(status=status, reason=failure.reason or "", message=message)


def _read_status(response: urllib3.BaseHTTPResponse) -> _Status:
    body = read(response, MAX_ERROR_BYTES)
    try:
        return msgspec.json.decode(body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Status(message=body[:500].decode(errors="replace").strip())


def _is_temporary(status: int, failure: _Status) -> bool:
    if status >= _FIRST_SERVER_ERROR:
        return not (failure.message or "").startswith(_MALFORMED)
    causes = failure.details.causes if failure.details else None
    return status in _TEMPORARY_STATUSES or any(
        cause.reason == _NAMESPACE_TERMINATING for cause in causes or ()
    )


def _retry_after_seconds(header: str | None) -> float | None:
    with suppress(ValueError):
        return max(0.0, float(header)) if header else None
    return None


def read(response: urllib3.BaseHTTPResponse, limit: int = MAX_BYTES) -> bytes:
    """Read the whole body; raise `ClusterError` when it is longer than `limit` bytes."""
    try:
        body = response.read(limit + 1)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(f"the API server's answer broke off: {error}") from error
    if len(body) > limit:
        raise ClusterError(f"the API server's answer is longer than {limit:,} bytes")
    return body


def lines(response: urllib3.BaseHTTPResponse, limit: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    """Yield the lines of a body as they arrive, without line ends, at most `limit` bytes each."""
    rest = b""
    for chunk in chunks(response):
        *complete, rest = (rest + chunk).split(b"\n")
        yield from complete
        if len(rest) > limit:
            raise ClusterError(f"the API server sent a line longer than {limit:,} bytes")
    if rest:
        yield rest


def chunks(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Yield the bytes of a body as they arrive, until the API server or a shutdown ends it."""
    try:
        while chunk := response.read1(CHUNK_BYTES):
            yield chunk
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(f"the API server's stream broke off: {error}") from error


def decode_object(body: bytes) -> dict[str, Any]:
    """Decode the JSON object in `body`."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"the API server's answer is not a JSON object: {error}") from error


def items(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the objects on a page of a collection, each with its kind, which lists omit."""
    kind = {
        "apiVersion": page.get("apiVersion", ""),
        "kind": str(page.get("kind", "")).removesuffix("List"),
    }
    return [kind | item for item in page.get("items") or ()]
