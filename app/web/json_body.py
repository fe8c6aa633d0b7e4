"""Request bodies that have to be JSON."""

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request

from app.errors import Rejected


def check_media_type(request: Request) -> None:
    """Check that the request declares its body as JSON.

    Raises:
        Rejected: 415.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Rejected(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", "send Content-Type: application/json"
        )


def decode(body: bytes) -> Any:
    """Return a body as decoded JSON.

    Raises:
        Rejected: 400.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(
            HTTPStatus.BAD_REQUEST, "not_json", f"the body is not JSON: {error}"
        ) from None
