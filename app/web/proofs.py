"""`POST /lagrange/cp/proof`: a signed order of a Kubernetes Job, answered with the Job's log."""

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

from app.errors import Rejected
from app.intake import binding, payloads
from app.intake.accept import digest
from app.store import AsyncStore, redis_keys, rq_queue
from app.store.leases import AsyncLease
from app.store.records import Proof
from app.tasks.steps.prove import KEPT
from app.web import json_body, request_limits, responses
from app.web.authentication import Authentication

DEADLINE = timedelta(seconds=280)
MAX_WAIT_SECONDS = 300
MAX_BLOCK_DATA = 16384
_LEASE_SECONDS = MAX_WAIT_SECONDS + 10
_POLL_SECONDS = 0.25
_RETRY_AFTER_SECONDS = 30


class ProofOrder(msgspec.Struct, frozen=True):
    """The body of an order."""

    method: Literal["mine"]
    block_data: Annotated[str, Meta(max_length=MAX_BLOCK_DATA)]
    exp: Annotated[int, Meta(ge=0, le=250)]


class ProofEndpoint:
    """Takes orders, has a worker carry them out, and waits for the log."""

    def __init__(self, authentication: Authentication, store: AsyncStore) -> None:
        self._authentication = authentication
        self._store = store

    async def prove(self, request: Request) -> Response:
        """Carry out one order of each signer at a time; a repeated message waits for its proof.

        Raises:
            Rejected: The order was refused, or its proof failed or did not end in time.
        """
        body = await request_limits.body(request, max_bytes=self._authentication.max_body_bytes)
        message = self._authentication.webhook(request.headers, body)
        await binding.bind(self._store, message.idempotency_key, digest("proof", body))
        json_body.check_media_type(request)
        order = _order(body)
        proof_id = hashlib.sha256(f"{message.key}:{message.id}".encode()).hexdigest()[:32]
        earlier = await self._read(proof_id)
        if earlier is None:
            return _response(await self._ordered(message.key, proof_id, order))
        return _response(await self._ended(proof_id))

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
            return await self._ended(proof_id)
        finally:
            await lease.release()

    async def _ended(self, proof_id: str) -> Proof:
        """Wait until a proof is over."""
        until = time.monotonic() + MAX_WAIT_SECONDS
        while time.monotonic() < until:
            proof = await self._read(proof_id)
            if proof is None:
                break
            if proof.is_over:
                return proof
            await asyncio.sleep(_POLL_SECONDS)
        raise Rejected(
            HTTPStatus.GATEWAY_TIMEOUT, "proof_late", "the proof did not end in time; order another"
        )

    async def _read(self, proof_id: str) -> Proof | None:
        content = await self._store.value(redis_keys.proof(proof_id))
        return msgspec.json.decode(content, type=Proof) if content else None


def _order(body: bytes) -> Proof:
    order = payloads.check(json_body.decode(body), ProofOrder)
    return Proof(
        method=order.method,
        block_data=order.block_data,
        exp=order.exp,
        deadline=time.time() + DEADLINE.total_seconds(),
    )


def _response(proof: Proof) -> Response:
    if proof.state == "done":
        return responses.success(proof.log)
    raise Rejected(HTTPStatus.BAD_GATEWAY, "proof_failed", f"the proof failed: {proof.message}")
