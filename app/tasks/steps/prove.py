"""A proof from its order to its log: each call looks once, so that it never holds up a worker."""

import time
from datetime import timedelta

import msgspec
import structlog
from msgspec.structs import replace

from app.context import Context
from app.errors import Permanent
from app.store import redis_keys
from app.store.records import Proof
from app.tasks.steps.apply import translated
from k8s.jobs import proof

log = structlog.get_logger()

KEPT = timedelta(minutes=15)


def prove(context: Context, proof_id: str) -> bool:
    """Take a proof one step further; return whether there is more to do in a moment.

    The Job of one that is over, or forgotten, is removed.

    Raises:
        Permanent: The cluster does not let it be removed.
        Temporary: Redis or the cluster is away.
    """
    content = context.store.value(redis_keys.proof(proof_id))
    order = msgspec.json.decode(content, type=Proof) if content else None
    if order and not order.is_over:
        try:
            order = _step(context, proof_id, order)
        except Permanent as error:
            order = replace(order, state="failed", message=error.message)
        context.store.set_value(redis_keys.proof(proof_id), msgspec.json.encode(order), KEPT)
    if order and not order.is_over:
        return True
    log.info("proof over", proof=proof_id, state=order.state if order else "forgotten")
    with translated():
        proof.remove(context.cluster, proof_id)
    return False


def _step(context: Context, proof_id: str, order: Proof) -> Proof:
    if time.time() > order.deadline:
        return replace(order, state="failed", message="it did not end in time")
    with translated():
        if order.state == "wanted":
            _start(context, proof_id, order)
            return replace(order, state="started")
        ended = proof.look(context.cluster, proof_id)
    if ended is None:
        return order
    state = "done" if ended.succeeded else "failed"
    return replace(order, state=state, message=ended.message, log=ended.log)


def _start(context: Context, proof_id: str, order: Proof) -> None:
    templates = context.folder / "templates"
    table = context.config.cluster
    proof.start(
        context.cluster,
        proof.ProofJob(
            id=proof_id,
            image=table.proof_image,
            method=order.method,
            block_data=order.block_data,
            exp=order.exp,
            runtime_class=table.runtime_class,
        ),
        overrides=templates if templates.is_dir() else None,
    )
