"""`POST /webhooks`: events as Standard Webhooks."""

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.errors import Rejected
from app.intake.accept import (
    Answer,
    Arrival,
    Intake,
    digest,
)
from app.intake.dispatch import Decision, Event
from app.net import typed_json
from app.web import request_limits, responses, signed_urls
from app.web.authentication import Authentication


class Receiver:
    """Takes webhooks in: bounds, verifies, decodes, and hands over to the intake."""

    def __init__(
        self, authentication: Authentication, intake: Intake, signer: signed_urls.Signer
    ) -> None:
        self._authentication = authentication
        self._intake = intake
        self._links = signer
        self.routes = [Route("/webhooks", self.receive, methods=["POST"])]

    async def receive(self, request: Request) -> Response:
        """Answer 202 with the task and where to read it, once the event is written down.

        Raises:
            Rejected: 400, 401, 404, 409, 413, 415, 422, 429 or 503; nothing was changed.
        """
        body = await request_limits.body(request, max_bytes=self._authentication.max_body_bytes)
        message = self._authentication.webhook(request.headers, body)
        refuse_other_media(request)
        event = _event(decoded(body))
        arrival = Arrival(
            type=event.type,
            data=event.data,
            message_id=f"webhook:{message.id}",
            digest=digest("webhook", body),
        )
        answer = await self._intake.take(arrival, self._answered)
        return responses.raw(answer.body, status=answer.status)

    def _answered(self, decision: Decision) -> Answer:
        task = decision.task
        document = {
            "task_id": task.id,
            "state": task.state,
            "url": task.url,
            "status_url": self._links.task(task.id),
        }
        return Answer(HTTPStatus.ACCEPTED, msgspec.json.encode(document))


def refuse_other_media(request: Request) -> None:
    """Check that the body is said to be JSON.

    Raises:
        Rejected: 415.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Rejected(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", "send Content-Type: application/json"
        )


def decoded(body: bytes) -> Any:
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


def _event(document: Any) -> Event:
    try:
        return typed_json.check(document, Event)
    except typed_json.Invalid as invalid:
        raise Rejected(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", str(invalid), errors=invalid.errors
        ) from None
