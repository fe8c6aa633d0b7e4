"""The endpoints of v0.3.0 and v1.1.5 (protocol section 2): authenticated, in their own shapes."""

import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.errors import Rejected
from app.intake import checks
from app.intake.accept import (
    Answer,
    Arrival,
    Intake,
    digest,
)
from app.intake.dispatch import Decision
from app.net import typed_json
from app.store import AsyncStore
from app.store.job_data import JobData
from app.web import (
    authentication,
    request_limits,
    responses,
    signed_urls,
)
from app.web.authentication import Authentication
from app.web.webhooks import decoded, refuse_other_media

BASE = "/api/v1/computing"
JOBS = f"{BASE}/lagrange/jobs"
EXPIRED = "The job was terminated due to its expiration date"
_NAMES = ("job_uuid", "task_uuid", "space_uuid")


class LagrangeApi:
    """Four events in the words of the old endpoints."""

    def __init__(
        self,
        authentication: Authentication,
        intake: Intake,
        store: AsyncStore,
        logs: signed_urls.LogSigner,
    ) -> None:
        self._authentication = authentication
        self._intake = intake
        self._store = store
        self._logs = logs
        self.routes = [
            Route(JOBS, partial(self._job, "job.assigned"), methods=["POST"]),
            Route(f"{JOBS}/redeploy", partial(self._job, "job.redeployed"), methods=["POST"]),
            Route(f"{JOBS}/renew", self._renew, methods=["POST"]),
            Route(JOBS, self._delete, methods=["DELETE"]),
        ]

    async def _job(self, event: str, request: Request) -> Response:
        """Assign or redeploy: JobData in, the same JobData out, completed."""
        body = await self._body(request)
        by_space = _is_webhook(request)
        if by_space:
            arrival = self._webhook(event, request, body)
        else:
            arrival = self._signed_job(event, request, body)
        completed = partial(self._completed, arrival.data, by_space)
        return _given(await self._intake.take(arrival, completed))

    async def _renew(self, request: Request) -> Response:
        """More seconds; an expired task is an answer here and no error."""
        arrival = self._webhook("job.renewed", request, await self._body(request))
        try:
            return _given(await self._intake.take(arrival, _said("success")))
        except Rejected as rejected:
            if rejected.code != "expired":
                raise
            return responses.json({"status": "failed", "message": EXPIRED})

    async def _delete(self, request: Request) -> Response:
        """The end of a job; one that is gone already is deleted with success."""
        body = await self._body(request)
        signature = request.query_params.get("node_id_task_uuid_signature", "")
        if _is_webhook(request) or not signature:
            return await self._terminated(self._webhook_deletion(request, body))
        arrival = self._signed_deletion(request, signature)
        answer = await self._terminated(arrival)
        await self._refuse_spent(arrival.data["task_uuid"])
        return answer

    async def _terminated(self, arrival: Arrival) -> Response:
        deleted = _said("deleted success")
        try:
            return _given(await self._intake.take(arrival, deleted))
        except Rejected as rejected:
            if rejected.code != "unknown_task":
                raise
            answer = Answer(HTTPStatus.OK, _envelope("deleted success"))
            return _given(await self._intake.remember(arrival, answer))

    async def _refuse_spent(self, task_uuid: str) -> None:
        """A signature without time or nonce ends what it ended first, and no later job."""
        for task in await self._store.find(task_uuid.lower()):
            if task.task_uuid == task_uuid.lower() and not checks.is_over(task):
                raise Rejected(
                    HTTPStatus.CONFLICT,
                    "signature_spent",
                    f"this signature ended an earlier job; end job {task.id} by Standard Webhooks",
                )

    async def _body(self, request: Request) -> bytes:
        return await request_limits.body(request, max_bytes=self._authentication.max_body_bytes)

    def _webhook(self, event: str, request: Request, body: bytes) -> Arrival:
        message = self._authentication.webhook(request.headers, body)
        refuse_other_media(request)
        return _arrival(event, decoded(body), f"webhook:{message.id}", digest(event, body))

    def _webhook_deletion(self, request: Request, body: bytes) -> Arrival:
        """The signature covers the body, not the query: what was asked binds at its first use."""
        message = self._authentication.webhook(request.headers, body)
        if body:
            decoded(body)  # So that no other reading of `id.timestamp.body` is a request too.
        named = {name: value for name in _NAMES if (value := request.query_params.get(name))}
        said = digest("job.terminated", *(word for item in named.items() for word in item))
        return _arrival("job.terminated", named, f"webhook:{message.id}", said)

    def _signed_job(self, event: str, request: Request, body: bytes) -> Arrival:
        """An EIP-191 signature covers the source alone: all else binds at its first use."""
        document = _document(body)
        source = document.get("job_source_uri")
        signature = document.get("node_id_job_source_uri_signature")
        if not isinstance(source, str) or not isinstance(signature, str):
            authentication.refuse("unsigned: neither headers nor node_id_job_source_uri_signature")
        message_id = self._authentication.orchestrator(source, signature)
        refuse_other_media(request)
        said = digest(event, checks.meaning(_job_data(document)))
        return _arrival(event, document, message_id, said, for_ever=True)

    def _signed_deletion(self, request: Request, signature: str) -> Arrival:
        task_uuid = request.query_params.get("task_uuid", "")
        message_id = self._authentication.orchestrator(task_uuid, signature)
        said = digest("delete", task_uuid.lower())
        named = {"task_uuid": task_uuid}
        return _arrival("job.terminated", named, message_id, said, for_ever=True)

    def _completed(self, document: dict[str, Any], by_space: bool, decision: Decision) -> Answer:  # noqa: FBT001 - partial's
        task = decision.task
        known = bool(task.space_uuid)
        body = document | {
            "status": "submitted",
            "updated_at": str(int(time.time())),
            "job_real_uri": task.url,
            "job_result_uri": task.result_url,
            "build_log": self._logs.url(task, "build", by_space=by_space and known),
            "container_log": self._logs.url(task, "container", by_space=by_space and known),
        }
        return Answer(HTTPStatus.OK, msgspec.json.encode(body))


def _is_webhook(request: Request) -> bool:
    return "webhook-signature" in request.headers


def _arrival(
    event: str, data: Any, message_id: str, said: str, *, for_ever: bool = False
) -> Arrival:
    return Arrival(
        type=event, data=data, message_id=message_id, digest=said, pointer="", for_ever=for_ever
    )


def _document(body: bytes) -> dict[str, Any]:
    """Return a body that holds its own signature; one that holds none is unsigned."""
    try:
        document = decoded(body)
    except Rejected:
        document = None
    return document if isinstance(document, dict) else {}


def _job_data(document: Any) -> JobData:
    try:
        return typed_json.check(document, JobData)
    except typed_json.Invalid as invalid:
        raise Rejected(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", str(invalid), errors=invalid.errors
        ) from None


def _given(answer: Answer) -> Response:
    return responses.raw(answer.body, status=answer.status)


def _said(data: str) -> Callable[[Decision], Answer]:
    return lambda _: Answer(HTTPStatus.OK, _envelope(data))


def _envelope(data: Any) -> bytes:
    return msgspec.json.encode({"status": "success", "code": 200, "data": data, "message": ""})
