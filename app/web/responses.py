"""Answers over HTTP: JSON, and problem documents (RFC 9457) for whatever is refused."""

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from app.errors import Rejected

log = structlog.get_logger()

PROBLEM = "application/problem+json"


def json(document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return raw(msgspec.json.encode(document), status=status, headers=headers)


def raw(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that is JSON already."""
    return Response(body, status, headers, "application/json")


def envelope(data: Any) -> Response:
    """Return a success in the protocol's envelope."""
    return json({"status": "success", "code": 200, "data": data, "message": ""})


def problem(rejected: Rejected) -> Response:
    """Return a refusal as a problem document."""
    document: dict[str, Any] = {
        "type": f"urn:computing-provider:{rejected.code}",
        "title": rejected.status.phrase,
        "status": rejected.status.value,
        "code": rejected.code,
        "detail": rejected.detail,
    }
    if rejected.errors:
        document["errors"] = [
            {"pointer": error.pointer, "detail": error.detail} for error in rejected.errors
        ]
    headers = {"retry-after": str(rejected.retry_after)} if rejected.retry_after else None
    return Response(msgspec.json.encode(document), rejected.status.value, headers, PROBLEM)


async def on_rejected(request: Request, error: Exception) -> Response:
    """Starlette's handler of Rejected."""
    assert isinstance(error, Rejected)  # noqa: S101 - registered for this type alone.
    log.info(
        "request refused",
        method=request.method,
        path=request.scope["path"],
        status=error.status.value,
        code=error.code,
        detail=error.detail,
    )
    return problem(error)
