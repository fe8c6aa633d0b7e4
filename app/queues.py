"""RQ, the wake-up of workers.

An entry only says where to look, the task's record what there is to do.
"""

import math
from collections.abc import Iterator
from functools import cache

import redis
from rq import Queue, Retry

NAME = "work"
ADVANCE = "app.work.advance"
SWEEP = "app.work.sweep"
JOB_TIMEOUT_SECONDS = 1800
_RESULT_TTL_SECONDS = 60
_FAILURE_TTL_SECONDS = 86400
_RETRY_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300)
_RETRY = Retry(max=len(_RETRY_SECONDS), interval=list(_RETRY_SECONDS))


@cache
def _unconnected() -> Queue:
    """A queue that writes entries into pipelines and never speaks to Redis itself."""
    queue = queue_on(redis.Redis())
    queue.redis_server_version = (7, 0, 0)
    return queue


def queue_on(connection: redis.Redis) -> Queue:
    """Return the one queue; its entries are JSON, so that reading one cannot run code."""
    return Queue(
        NAME, connection=connection, serializer="json", default_timeout=JOB_TIMEOUT_SECONDS
    )


def entry(task_id: str, *, work: str = ADVANCE) -> Iterator[tuple[str | int | float | bytes, ...]]:
    """Yield the Redis commands with which RQ would enqueue work on this task."""
    queue = _unconnected()
    pipeline = queue.connection.pipeline()
    queue.enqueue_call(
        work,
        args=(task_id,),
        retry=_RETRY,
        result_ttl=_RESULT_TTL_SECONDS,
        failure_ttl=_FAILURE_TTL_SECONDS,
        description=f"{work} {task_id}",
        pipeline=pipeline,
    )
    for arguments, _ in pipeline.command_stack:
        yield arguments


def retry(asked_seconds: float | None) -> Retry:
    """Return what a function returns to be called again: later each time, or when it was asked to.

    When RQ's patience is over, the clock calls again: see `lifecycle.wake_stalled`.
    """
    if asked_seconds is None:
        return _RETRY
    return Retry(max=_RETRY.max, interval=[max(1, math.ceil(asked_seconds))])


def longest_wait_seconds(asked_seconds: float | None) -> float:
    """Return how long at most it takes until RQ calls again."""
    return max(_RETRY_SECONDS[-1], asked_seconds or 0)
