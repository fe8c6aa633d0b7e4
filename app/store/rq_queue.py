"""RQ, the wake-up of workers.

An entry names the task; the task's record says what there is to do.
"""

import math
import secrets
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import chain

import msgspec
import redis
from rq import Queue, Retry
from rq.job import Job

NAME = "work"
ADVANCE = "app.processes.rq_jobs.advance"
SWEEP = "app.processes.rq_jobs.sweep"
UPLOAD = "app.processes.rq_jobs.upload"
CLEAN = "app.processes.rq_jobs.clean"
PROVE = "app.processes.rq_jobs.prove"
ADOPT = "app.processes.rq_jobs.adopt"
CLAIM = "app.processes.rq_jobs.claim"
JOB_TIMEOUT_SECONDS = 6 * 3600
_RESULT_TTL_SECONDS = 60
_FAILURE_TTL_SECONDS = 86400
_WINDOW_BITS = 9
_MOST_STEPS = 10_000
_RETRY_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300)
_RETRY = Retry(max=len(_RETRY_SECONDS), interval=list(_RETRY_SECONDS))


@cache
def _unconnected() -> Queue:
    """A queue without a connection, which only names keys and makes entries."""
    queue = queue_on(redis.Redis())
    queue.redis_server_version = (7, 0, 0)
    return queue


def queue_on(connection: redis.Redis) -> Queue:
    """Return the one queue; its entries are JSON, so that reading one cannot run code."""
    return Queue(
        NAME, connection=connection, serializer="json", default_timeout=JOB_TIMEOUT_SECONDS
    )


@cache
def _pattern(work: str) -> dict[str, str | int | float | bytes]:
    """The fields that RQ itself would write of an entry that calls `work`; slow to make."""
    job = _unconnected().create_job(
        work, retry=_RETRY, result_ttl=_RESULT_TTL_SECONDS, failure_ttl=_FAILURE_TTL_SECONDS
    )
    return {field: value for field, value in job.to_dict().items() if value != ""}


def entry(task_id: str, *, work: str = ADVANCE) -> Iterator[tuple[str | int | float | bytes, ...]]:
    """Yield the Redis commands with which RQ would enqueue work on this task."""
    queue, name, at = _unconnected(), secrets.token_hex(16), _now()
    fields = _pattern(work) | {
        "data": _compressed(msgspec.json.encode((work, None, (task_id,), {}))),
        "description": f"{work} {task_id}",
        "created_at": at,
        "enqueued_at": at,
    }
    yield "SADD", queue.redis_queues_keys, queue.key
    yield "HSET", Job.key_for(name), *chain.from_iterable(fields.items())
    yield "RPUSH", queue.key, name


def _now() -> str:
    """The time as RQ formats it; `strftime` takes as long as all the rest."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _compressed(data: bytes) -> bytes:
    """Data as RQ reads it, stored only: so few bytes do not shrink, and compressing is slow."""
    compressor = zlib.compressobj(level=0, wbits=_WINDOW_BITS, memLevel=1)
    return compressor.compress(data) + compressor.flush()


def retry(asked_seconds: float | None) -> Retry:
    """Return the result of a function that is to be called again: later each time, or as asked.

    When RQ gives up, the clock calls again: see `tasks.deadlines.wake_stalled`.
    """
    if asked_seconds is None:
        return _RETRY
    return Retry(max=_RETRY.max, interval=[max(1, math.ceil(asked_seconds))])


def again(seconds: int) -> Retry:
    """Return the result of a function that is to be called again every few seconds, for hours."""
    return Retry(max=_MOST_STEPS, interval=[seconds])


def longest_wait_seconds(asked_seconds: float | None) -> float:
    """Return the longest time until RQ calls again."""
    return max(_RETRY_SECONDS[-1], asked_seconds or 0)
