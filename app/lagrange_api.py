"""The endpoints of v0.3.0 and v1.1.5 (protocol section 2), authenticated, answered in their own shapes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import answers, bounded, links, rules, schema
from app.authentication import Authentication
from app.config import Config
from app.errors import Rejected
from app.events import Decision
from app.intake import Answer, Arrival, Intake, digest
from app.models import Task
from app.receiver import decoded, refuse_other_media
from app.schema import JobData
from app.store import AsyncStore

log = structlog.get_logger()

BASE = "/api/v1/computing"
JOBS = f"{BASE}/lagrange/jobs"
EXPIRED = "The job was terminated due to its expiration date"
_GONE = ("job_uuid", "task_uuid", "space_uuid")


@dataclass(frozen=True, slots=True)
class _Claim:
    """Whose request it is: the idempotency key, what must not change, and whether the key never ages."""

    message_id: str
    digest: str
    for_ever: bool


class LagrangeApi:
    """Four events in the words of the old endpoints."""

    def __init__(
        self, authentication: Authentication, intake: Intake, store: AsyncStore, config: Config
    ) -> None:
        self._authentication = authentication
        self._intake = intake
        self._store = store
        self._config = config
        self.routes = [
            Route(JOBS, partial(self._job, "job.assigned"), methods=["POST"]),
            Route(f"{JOBS}/redeploy", partial(self._job, "job.redeployed"), methods=["POST"]),
            Route(f"{JOBS}/renew", self._renew, methods=["POST"]),
            Route(JOBS, self._delete, methods=["DELETE"]),
        ]

    async def _job(self, event: str, request: Request) -> Response:
        """Assign or redeploy: JobData in, the same JobData out, completed."""
        body = await self._body(request)
        if _is_webhook(request):
            claim = self._webhook_claim(request, body)
            refuse_other_media(request)
            document = decoded(body)
        else:
            document = decoded(body)
            claim = self._job_claim(event, document)
            refuse_other_media(request)
        by_space = _is_webhook(request)
        completed = partial(self._completed, document, by_space)
        return await self._taken(event, document, claim, completed)

    async def _renew(self, request: Request) -> Response:
        """More seconds; an expired task is an answer here and no error."""
        body = await self._body(request)
        claim = self._webhook_claim(request, body)
        refuse_other_media(request)
        try:
            return await self._taken("job.renewed", decoded(body), claim, _said("success"))
        except Rejected as rejected:
            if rejected.code != "expired":
                raise
            return answers.json({"status": "failed", "message": EXPIRED})

    async def _delete(self, request: Request) -> Response:
        """The end of a job; one that is gone already is deleted with success."""
        body = await self._body(request)
        document = {name: value for name in _GONE if (value := request.query_params.get(name))}
        signature = request.query_params.get("node_id_task_uuid_signature", "")
        signed_by_key = not _is_webhook(request) and bool(signature)
        task_uuid = document.get("task_uuid", "")
        if signed_by_key:
            document = {"task_uuid": task_uuid}
            message_id = self._authentication.orchestrator(task_uuid, signature)
            claim = _Claim(message_id, digest("delete", task_uuid.lower()), for_ever=True)
        else:
            claim = self._webhook_claim(request, body)
        try:
            answer = await self._taken("job.terminated", document, claim, _said("deleted success"))
        except Rejected as rejected:
            if rejected.code != "unknown_task":
                raise
            return answers.raw(_envelope("deleted success"))
        if signed_by_key:
            await self._refuse_spent(task_uuid)
        return answer

    async def _refuse_spent(self, task_uuid: str) -> None:
        """A signature without time or nonce ends what it ended first, and no later job of the same name."""
        for task in await self._store.find(task_uuid.lower()):
            if not task.ended and not task.stopping:
                raise Rejected(
                    HTTPStatus.CONFLICT,
                    "signature_spent",
                    f"this signature ended an earlier job; end job {task.id} by a Standard Webhooks request",
                )

    async def _body(self, request: Request) -> bytes:
        return await bounded.body(request, max_bytes=self._authentication.max_body_bytes)

    def _webhook_claim(self, request: Request, body: bytes) -> _Claim:
        message = self._authentication.webhook(request.headers, body)
        said = digest(request.method, request.url.path, request.url.query, body)
        return _Claim(f"webhook:{message.id}", said, for_ever=False)

    def _job_claim(self, event: str, document: Any) -> _Claim:
        """An EIP-191 signature covers the source alone: what else was said binds at its first use."""
        fields = document if isinstance(document, dict) else {}
        source = fields.get("job_source_uri")
        signature = fields.get("node_id_job_source_uri_signature")
        message_id = self._authentication.orchestrator(
            source if isinstance(source, str) else "",
            signature if isinstance(signature, str) else "",
        )
        try:
            job = schema.check(document, JobData)
        except schema.Invalid as invalid:
            raise Rejected(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", str(invalid), errors=invalid.errors
            ) from None
        return _Claim(message_id, digest(event, rules.meaning(job)), for_ever=True)

    async def _taken(
        self, event: str, document: Any, claim: _Claim, answered: Callable[[Decision], Answer]
    ) -> Response:
        arrival = Arrival(
            type=event,
            data=document,
            message_id=claim.message_id,
            digest=claim.digest,
            pointer="",
            for_ever=claim.for_ever,
        )
        answer = await self._intake.take(arrival, answered)
        log.info("event accepted", type=event, message=claim.message_id)
        return answers.raw(answer.body, status=answer.status)

    def _completed(self, document: dict[str, Any], by_space: bool, decision: Decision) -> Answer:  # noqa: FBT001 - partial's
        task = decision.task
        body = document | {
            "status": "submitted",
            "updated_at": str(int(time.time())),
            "job_real_uri": task.url,
            "job_result_uri": "",
            "build_log": self._log_url(task, "build", by_space=by_space),
            "container_log": self._log_url(task, "container", by_space=by_space),
        }
        return Answer(HTTPStatus.OK, msgspec.json.encode(body))

    def _log_url(self, task: Task, kind: str, *, by_space: bool) -> str:
        which = (
            f"space_id={task.space_uuid}" if by_space and task.space_uuid else f"job_uuid={task.id}"
        )
        domain, port = self._config.api.domain, links.port(self._config)
        return f"wss://log.{domain}:{port}{BASE}/lagrange/spaces/log?{which}&type={kind}"


def _is_webhook(request: Request) -> bool:
    return "webhook-signature" in request.headers


def _said(data: str) -> Callable[[Decision], Answer]:
    return lambda _: Answer(HTTPStatus.OK, _envelope(data))


def _envelope(data: Any) -> bytes:
    return msgspec.json.encode({"status": "success", "code": 200, "data": data, "message": ""})
