"""The endpoints of v0.3.0 and v1.1.5 (protocol section 2): authenticated, in their own formats."""

import time
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.errors import Rejected
from app.intake import binding, checks
from app.intake.accept import Arrival, Intake, digest
from app.intake.dispatch import Decision
from app.store import AsyncStore
from app.web import authentication, json_body, request_limits, responses
from app.web.authentication import Authentication
from app.web.signed_urls import LogUrlSigner

EXPIRED = "The job was terminated due to its expiration date"
_REFERENCES = ("job_uuid", "task_uuid", "space_uuid")


class LegacyJobEndpoints:
    """Four events by the old endpoints."""

    def __init__(
        self,
        authentication: Authentication,
        intake: Intake,
        store: AsyncStore,
        log_urls: LogUrlSigner,
    ) -> None:
        self._authentication = authentication
        self._intake = intake
        self._store = store
        self._log_urls = log_urls

    async def assign(self, request: Request) -> Response:
        """Accept `job.assigned`."""
        return await self._job("job.assigned", request)

    async def redeploy(self, request: Request) -> Response:
        """Accept `job.redeployed`."""
        return await self._job("job.redeployed", request)

    async def renew(self, request: Request) -> Response:
        """Accept `job.renewed`; that a task has expired is an answer here and no error."""
        body = await self._body(request)
        event, message_id = "job.renewed", self._webhook_id(request, body)
        content = digest(event, body)
        async with binding.on_refusal(self._store, message_id, content):
            json_body.check_media_type(request)
            payload = self._intake.payload(event, json_body.decode(body))
        arrival = Arrival(type=event, payload=payload, message_id=message_id, digest=content)
        answer = responses.envelope("success")
        try:
            return responses.accepted(await self._intake.accept(arrival, lambda _: answer))
        except Rejected as rejected:
            if rejected.code != "expired":
                raise
            return responses.json({"status": "failed", "message": EXPIRED})

    async def delete(self, request: Request) -> Response:
        """Accept `job.terminated`; the deletion of an unknown job succeeds."""
        body = await self._body(request)
        signature = request.query_params.get("node_id_task_uuid_signature", "")
        if _is_webhook(request) or not signature:
            return await self._terminate(await self._webhook_termination(request, body))
        task_uuid = request.query_params.get("task_uuid", "")
        arrival = self._signed_termination(task_uuid, signature)
        await self._refuse_question(task_uuid.lower())
        response = await self._terminate(arrival)
        await self._refuse_spent(task_uuid.lower())
        return response

    async def _job(self, event: str, request: Request) -> Response:
        """Take JobData and answer with the same JobData, completed."""
        body = await self._body(request)
        is_webhook, content = _is_webhook(request), digest(event, body)
        if is_webhook:
            message_id = self._webhook_id(request, body)
        else:
            message_id = self._orchestrator_id(_document(body))
        async with binding.on_refusal(self._store, message_id, content, for_ever=not is_webhook):
            json_body.check_media_type(request)
            document = json_body.decode(body)
            job = self._intake.payload(event, document)
        arrival = Arrival(
            type=event,
            payload=job,
            message_id=message_id,
            # An EIP-191 signature covers the source alone: all else is bound by its first use.
            digest=content if is_webhook else digest(event, checks.content(job)),
            for_ever=not is_webhook,
        )
        answer = partial(self._completed, document, by_space=is_webhook)
        return responses.accepted(await self._intake.accept(arrival, answer))

    async def _terminate(self, arrival: Arrival) -> Response:
        answer = responses.envelope("deleted success")
        try:
            return responses.accepted(await self._intake.accept(arrival, lambda _: answer))
        except Rejected as rejected:
            if rejected.code != "unknown_task":
                raise
            return responses.accepted(await self._intake.acknowledge(arrival, answer))

    async def _refuse_question(self, task_uuid: str) -> None:
        """Let the signature of a question, which is over the same text, end nothing."""
        if await self._store.get(task_uuid):
            raise Rejected(
                HTTPStatus.CONFLICT,
                "signature_spent",
                f"this signature also reads job {task_uuid}; end jobs of this uuid by Standard"
                " Webhooks",
            )

    async def _refuse_spent(self, task_uuid: str) -> None:
        """Let a signature without time or nonce end the job that it ended first, and no later."""
        for task in await self._store.find(task_uuid):
            if task.task_uuid == task_uuid and not checks.is_over(task):
                raise Rejected(
                    HTTPStatus.CONFLICT,
                    "signature_spent",
                    f"this signature ended an earlier job; end job {task.id} by Standard Webhooks",
                )

    async def _body(self, request: Request) -> bytes:
        return await request_limits.body(request, max_bytes=self._authentication.max_body_bytes)

    def _webhook_id(self, request: Request, body: bytes) -> str:
        return self._authentication.webhook(request.headers, body).idempotency_key

    def _orchestrator_id(self, document: dict[str, Any]) -> str:
        source = document.get("job_source_uri")
        signature = document.get("node_id_job_source_uri_signature")
        if not isinstance(source, str) or not isinstance(signature, str):
            authentication.refuse("unsigned: neither headers nor node_id_job_source_uri_signature")
        return self._authentication.orchestrator(source, signature)

    async def _webhook_termination(self, request: Request, body: bytes) -> Arrival:
        """The signature covers the body, which has to repeat the query.

        The target of an empty body is bound by its first use.
        """
        event, message_id = "job.terminated", self._webhook_id(request, body)
        query = request.query_params
        references = {name: query[name] for name in _REFERENCES if query.get(name)}
        pairs = (text for pair in references.items() for text in pair)
        content = digest(event, body) if body else digest(event, *pairs)
        async with binding.on_refusal(self._store, message_id, content):
            if body:
                _refuse_other_target(json_body.decode(body), references)
            payload = self._intake.payload(event, references)
        return Arrival(type=event, payload=payload, message_id=message_id, digest=content)

    def _signed_termination(self, task_uuid: str, signature: str) -> Arrival:
        message_id = self._authentication.orchestrator(task_uuid, signature)
        return Arrival(
            type="job.terminated",
            payload=self._intake.payload("job.terminated", {"task_uuid": task_uuid}),
            message_id=message_id,
            digest=digest("delete", task_uuid.lower()),
            for_ever=True,
        )

    def _completed(
        self, document: dict[str, Any], decision: Decision, *, by_space: bool
    ) -> dict[str, Any]:
        task = decision.task
        by_space = by_space and bool(task.space_uuid)
        return document | {
            "status": "submitted",
            "updated_at": str(int(time.time())),
            "job_real_uri": task.url,
            "job_result_uri": task.result_url,
            "build_log": self._log_urls.url(task, "build", by_space=by_space),
            "container_log": self._log_urls.url(task, "container", by_space=by_space),
        }


def _refuse_other_target(document: Any, references: dict[str, str]) -> None:
    """Check that the signed body of a termination is its query: bytes of another meaning are not.

    Raises:
        Rejected: 422, code `target_differs`.
    """
    if isinstance(document, dict):
        document = {name: str(uuid).lower() for name, uuid in document.items()}
    if document == {name: uuid.lower() for name, uuid in references.items()}:
        return
    raise Rejected(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "target_differs",
        "the body has to be empty or a JSON object of the query's fields; nothing was changed",
    )


def _is_webhook(request: Request) -> bool:
    return "webhook-signature" in request.headers


def _document(body: bytes) -> dict[str, Any]:
    """Return a body that contains its own signature; one that cannot is empty, hence unsigned."""
    try:
        document = json_body.decode(body)
    except Rejected:
        document = None
    return document if isinstance(document, dict) else {}
