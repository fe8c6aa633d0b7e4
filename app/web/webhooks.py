"""`POST /webhooks`: events as Standard Webhooks."""

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.intake import binding, payloads
from app.intake.accept import Arrival, Intake, digest
from app.intake.dispatch import Decision
from app.store import AsyncStore
from app.web import json_body, request_limits, responses
from app.web.authentication import Authentication
from app.web.signed_urls import TaskUrlSigner

_DATA = "/data"


class Envelope(msgspec.Struct, frozen=True):
    """A webhook's body: `timestamp` is ISO 8601, `data` the event's own."""

    type: str
    data: Any
    timestamp: str = ""


class WebhookEndpoint:
    """The receiver: reads a bounded body, verifies, validates, and has the event accepted."""

    def __init__(
        self,
        authentication: Authentication,
        intake: Intake,
        store: AsyncStore,
        task_urls: TaskUrlSigner,
    ) -> None:
        self._authentication = authentication
        self._intake = intake
        self._store = store
        self._task_urls = task_urls

    async def receive(self, request: Request) -> Response:
        """Answer 202 with the task and its status URL, once the event is committed.

        Raises:
            Rejected: 400, 401, 404, 409, 413, 415, 422, 429 or 503; nothing was changed.
        """
        body = await request_limits.body(request, max_bytes=self._authentication.max_body_bytes)
        message_id = self._authentication.webhook(request.headers, body).idempotency_key
        content = digest("webhook", body)
        async with binding.on_refusal(self._store, message_id, content):
            json_body.check_media_type(request)
            envelope = payloads.check(json_body.decode(body), Envelope)
            payload = self._intake.payload(envelope.type, envelope.data, pointer=_DATA)
        arrival = Arrival(
            type=envelope.type,
            payload=payload,
            message_id=message_id,
            digest=content,
            pointer=_DATA,
        )
        receipt = await self._intake.accept(arrival, self._answer, status=HTTPStatus.ACCEPTED)
        return responses.accepted(receipt)

    def _answer(self, decision: Decision) -> dict[str, str]:
        task = decision.task
        return {
            "task_id": task.id,
            "state": task.state,
            "url": task.url,
            "status_url": self._task_urls.url(task.id),
        }
