"""`POST /lagrange/cp/proof`: a signed order of a Kubernetes Job, answered with its log."""

import asyncio
import hashlib
import time
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.errors import Rejected
from app.intake.accept import digest
from app.net import typed_json
from app.store import AsyncStore, redis_keys, rq_queue
from app.store.leases import AsyncLease
from app.store.records import Proof
from app.tasks.steps.prove import KEPT
from app.web import request_limits, responses
from app.web.authentication import Authentication
from app.web.legacy_jobs import BASE
from app.web.webhooks import decoded, refuse_other_media

DEADLINE = timedelta(seconds=280)
_PATIENCE_SECONDS = 300
_LEASE_SECONDS = _PATIENCE_SECONDS + 10
_POLL_SECONDS = 0.25
_RETRY_AFTER_SECONDS = 30
_MAX_BLOCK_DATA = 16384


class ProofOrder(msgspec.Struct, frozen=True):
    """What is to be proven."""

    method: Literal["mine"]
    block_data: Annotated[str, Meta(max_length=_MAX_BLOCK_DATA)]
    exp: Annotated[int, Meta(ge=0, le=250)]


class Proofs:
    """Takes orders in, has a worker carry them out, and waits for the log."""

    def __init__(self, authentication: Authentication, store: AsyncStore) -> None:
        self._authentication = authentication
        self._store = store
        self.routes = [Route(f"{BASE}/lagrange/cp/proof", self._prove, methods=["POST"])]

    async def _prove(self, request: Request) -> Response:
        """One order of each signer at a time; the same message again waits for the same proof."""
        body = await request_limits.body(request, max_bytes=self._authentication.max_body_bytes)
        message = self._authentication.webhook(request.headers, body)
        refuse_other_media(request)
        order = _order(body)
        named = f"{message.key}:{message.id}"
        proof_id = hashlib.sha256(named.encode()).hexdigest()[:32]
        found = await self._found(proof_id)
        if found is None:
            return _answered(await self._ordered(message.key, proof_id, order))
        if found.digest != order.digest:
            raise Rejected(
                HTTPStatus.CONFLICT,
                "message_differs",
                "this message id was used before with other content; nothing was changed",
            )
        return _answered(await self._awaited(proof_id))

    async def _ordered(self, signer: str, proof_id: str, order: Proof) -> Proof:
        key = redis_keys.lock(f"prover:{signer}")
        lease = await AsyncLease.take(self._store.connection, key, seconds=_LEASE_SECONDS)
        if lease is None:
            raise Rejected(
                HTTPStatus.TOO_MANY_REQUESTS,
                "busy",
                "a proof that this key has ordered is under way; wait for its answer",
                retry_after=_RETRY_AFTER_SECONDS,
            )
        try:
            content = msgspec.json.encode(order)
            await self._store.order(
                rq_queue.PROVE, proof_id, redis_keys.proof(proof_id), content, KEPT
            )
            return await self._awaited(proof_id)
        finally:
            await lease.release()

    async def _awaited(self, proof_id: str) -> Proof:
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            found = await self._found(proof_id)
            if found is None or found.is_over:
                break
            await asyncio.sleep(_POLL_SECONDS)
        if found and found.is_over:
            return found
        raise Rejected(
            HTTPStatus.GATEWAY_TIMEOUT, "proof_late", "the proof did not end in time; order another"
        )

    async def _found(self, proof_id: str) -> Proof | None:
        content = await self._store.value(redis_keys.proof(proof_id))
        return msgspec.json.decode(content, type=Proof) if content else None


def _order(body: bytes) -> Proof:
    try:
        asked = typed_json.check(decoded(body), ProofOrder)
    except typed_json.Invalid as invalid:
        raise Rejected(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", str(invalid), errors=invalid.errors
        ) from None
    return Proof(
        digest=digest("proof", body),
        method=asked.method,
        block_data=asked.block_data,
        exp=asked.exp,
        deadline=time.time() + DEADLINE.total_seconds(),
    )


def _answered(found: Proof) -> Response:
    if found.state == "done":
        return responses.envelope(found.log)
    raise Rejected(HTTPStatus.BAD_GATEWAY, "proof_failed", f"the proof failed: {found.message}")
