"""Responses: JSON, and problem documents (RFC 9457) for refusals."""

from typing import Any

import msgspec
from starlette.responses import Response

from app.errors import Rejected
from app.store.records import Receipt

_JSON = "application/json"
_PROBLEM = "application/problem+json"


def json(document: Any) -> Response:
    """Return a document as JSON."""
    return Response(msgspec.json.encode(document), media_type=_JSON)


def accepted(receipt: Receipt) -> Response:
    """Return the answer to an event, as its receipt has it."""
    return Response(receipt.body, receipt.status, media_type=_JSON)


def success(data: Any) -> Response:
    """Return a success in the envelope of v0.3.0."""
    return json(envelope(data))


def envelope(data: Any) -> dict[str, Any]:
    """Return the document of a success in the envelope of v0.3.0."""
    return {"status": "success", "code": 200, "data": data, "message": ""}


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
    return Response(msgspec.json.encode(document), rejected.status.value, headers, _PROBLEM)
