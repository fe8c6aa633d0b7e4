"""RQ, the wake-up of workers.

An entry only says where to look, the task's record what there is to do.
"""

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
_RETRY = Retry(max=8, interval=[1, 2, 5, 10, 30, 60, 120, 300])


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
