"""Upload of a task's result document to Multichain Storage, beside the task's own steps."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from app.context import Context
from app.errors import Failure, Permanent, Temporary
from app.lagrange import multichain_storage
from app.net import http_client
from app.store import Conflict, leases, redis_keys, rq_queue
from app.store.records import Task
from app.tasks import transitions

log = structlog.get_logger()

AT_ONCE = 5
_LOOK_AGAIN = timedelta(minutes=5)
_PAUSE = timedelta(minutes=1)
_AFTER_REFUSAL = timedelta(hours=1)
_ATTEMPTS = 5
_FOLDER = "jobs"


def upload_due(context: Context) -> int:
    """Queue the uploads that are due; return how many.

    Raises:
        Temporary: Redis does not answer.
    """
    if not context.config.mcs.api_key or _is_paused(context):
        return 0
    now = time.time()
    due = context.store.due(redis_keys.UPLOADS, now, limit=AT_ONCE)
    for task_id in due:
        context.store.postpone(redis_keys.UPLOADS, task_id, now + _LOOK_AGAIN.total_seconds())
        context.store.call(rq_queue.UPLOAD, task_id)
    return len(due)


def _is_paused(context: Context) -> bool:
    return context.store.value(redis_keys.UPLOADS_PAUSED) is not None


def upload(context: Context, task_id: str) -> None:
    """Upload a task's result document and save its URL; idempotent.

    A failed upload is retried by `upload_due`; it pauses all uploads for a while.

    Raises:
        Temporary: Redis does not answer, or another worker holds the lock.
    """
    with leases.held(context.redis, f"upload:{task_id}"):
        task = context.store.get(task_id)
        if task is None or not task.owes_result:
            return
        if _is_paused(context):
            return
        try:
            url = asyncio.run(_uploaded(context, task))
        except Failure as error:
            _put_off(context, task, error)
            return
        _write_down(context, task_id, url)


async def _uploaded(context: Context, task: Task) -> str:
    async with http_client.client() as session:
        storage = multichain_storage.MultichainStorage(session, context.config.mcs)
        return await storage.upload(_FOLDER, f"{task.id}.json", document(task))


def _put_off(context: Context, task: Task, error: Failure) -> None:
    wait = _AFTER_REFUSAL if isinstance(error, Permanent) else _PAUSE
    asked = error.retry_after or 0 if isinstance(error, Temporary) else 0
    seconds = max(wait.total_seconds(), min(asked, _AFTER_REFUSAL.total_seconds()))
    log.warning("result not uploaded", task=task.id, error=error.message, again_in_seconds=seconds)
    context.store.postpone(redis_keys.UPLOADS, task.id, time.time() + seconds)
    context.store.set_value(redis_keys.UPLOADS_PAUSED, b"", timedelta(seconds=seconds))


def _write_down(context: Context, task_id: str, url: str) -> None:
    for _ in range(_ATTEMPTS):
        task = context.store.get(task_id)
        if task is None or not task.owes_result:
            return
        try:
            context.store.commit(transitions.uploaded(task, url, now=time.time()))
        except Conflict:
            continue
        log.info("result uploaded", task=task_id, url=url)
        return


def document(task: Task) -> bytes:
    """Return the answer to the task's assignment as a public file: the same bytes each time.

    Without log URLs and signatures, since anybody can read it.
    """
    private = {"build_log": "", "container_log": "", "node_id_job_source_uri_signature": ""}
    result: dict[str, Any] = msgspec.to_builtins(task.job)
    result |= private
    result |= {
        "status": "submitted",
        "updated_at": str(int(task.created_at)),
        "job_real_uri": task.url,
        "job_result_uri": "",
    }
    return msgspec.json.encode(result)
