"""RQ jobs: the functions that workers call by name, with a task's id as their one argument."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import structlog
from rq import Retry

from app.context import Context, open_context
from app.errors import Failure, Temporary
from app.lagrange import result_upload
from app.store import redis_keys, rq_queue
from app.tasks import advance as task_advance
from app.tasks.adoption import adopt as adoption
from app.tasks.cleanup import image_gc, namespaces, pull_secrets
from app.tasks.steps import prove as prove_step
from app.tasks.steps import remove

log = structlog.get_logger()

_PROOF_STEP_SECONDS = 1
_AFTER_FAILURE_SECONDS = 5


@cache
def _context() -> Context:
    """Return the context of the process, opened before RQ forks."""
    return open_context()


def prepare() -> None:
    """Open what every job needs, so that forks share it."""
    _ = _context().cluster


def begin() -> None:
    """Bring pull secrets up to date with the configuration; `clean` retries what fails now."""
    try:
        pull_secrets.refresh(_context())
    except Failure as error:
        log.warning("registry credentials not renewed", error=error.message)


def advance(task_id: str) -> Retry | None:
    """Take a task as far as it goes."""
    return _tried(task_advance.advance, task_id)


def sweep(task_id: str) -> Retry | None:
    """Remove what is left of a task that is over."""
    return _tried(remove.sweep, task_id)


def upload(task_id: str) -> Retry | None:
    """Upload a task's result document."""
    return _tried(result_upload.upload, task_id)


def clean(_: str) -> Retry | None:
    """Garbage-collect namespaces and images, and bring pull secrets up to date."""
    steps = namespaces.clean, image_gc.prune, pull_secrets.refresh
    return next(filter(None, (_tried(step, "") for step in steps)), None)


def adopt(_: str) -> Retry | None:
    """Adopt the jobs that v0.3.0 left behind."""
    try:
        adoption.adopt(_context(), "")
    except Temporary as error:
        log.warning("adoption not finished", category=error.category, error=error.message)
        return rq_queue.again(_AFTER_FAILURE_SECONDS)
    return None


def claim(task_id: str) -> Retry | None:
    """Label the pods that replaced those of an adopted task."""
    return _tried(adoption.claim, task_id)


def prove(proof_id: str) -> Retry | None:
    """Take a proof one step further; retry until it is over."""
    try:
        under_way = prove_step.prove(_context(), proof_id)
    except Temporary as error:
        log.warning("proof postponed", proof=proof_id, error=error.message)
        return rq_queue.again(_AFTER_FAILURE_SECONDS)
    return rq_queue.again(_PROOF_STEP_SECONDS) if under_way else None


def _tried(operation: Callable[[Context, str], object], task_id: str) -> Retry | None:
    """Run an operation; on Temporary return when RQ is to retry it."""
    context = _context()
    try:
        operation(context, task_id)
    except Temporary as error:
        log.warning("work postponed", task=task_id, category=error.category, error=error.message)
        return _postponed(context, task_id, error)
    return None


def _postponed(context: Context, task_id: str, error: Temporary) -> Retry:
    until = time.time() + rq_queue.longest_wait_seconds(error.retry_after)
    with suppress(Temporary):
        context.store.postpone(redis_keys.PENDING, task_id, until)
    return rq_queue.retry(error.retry_after)
