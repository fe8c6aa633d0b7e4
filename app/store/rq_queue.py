"""RQ's queue, which wakes workers up.

An entry names one of `FUNCTIONS` and what it is about; what there is to do stands in the task's
record. Whoever can write to Redis can write entries: `QueuedJob` reads nothing else out of them.
"""

import math
import secrets
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from typing import Any

import msgspec
import redis
import structlog
from rq import Queue, Retry
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.registry import ScheduledJobRegistry
from rq.timeouts import JobTimeoutException

from app.store import redis_keys

log = structlog.get_logger()

# Raised in a job that runs for longer than `JOB_TIMEOUT_SECONDS`.
TimedOut = JobTimeoutException
NAME = "work"
ADVANCE = "app.processes.rq_jobs.advance"
SWEEP = "app.processes.rq_jobs.sweep"
UPLOAD = "app.processes.rq_jobs.upload"
CLEAN = "app.processes.rq_jobs.clean"
PROVE = "app.processes.rq_jobs.prove"
ADOPT = "app.processes.rq_jobs.adopt"
CLAIM = "app.processes.rq_jobs.claim"
FUNCTIONS = frozenset({ADVANCE, SWEEP, UPLOAD, CLEAN, PROVE, ADOPT, CLAIM})
JOB_TIMEOUT_SECONDS = 6 * 3600
REFUSED = "queue_entries:refused"
_RESULT_TTL_SECONDS = 60
_FAILURE_TTL_SECONDS = 86400
_WINDOW_BITS = 9
_MAX_ENTRY_BYTES = 1024
# What RQ keeps of an entry beside its call, and may read back: times, retries, the state.
_FIELDS = frozenset(
    {
        *("created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat"),
        *("status", "origin", "description", "worker_name"),
        *("number_of_retries", "retries_left", "retry_intervals"),
    }
)
_MOST_STEPS = 10_000
_RETRY_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300)
_RETRY = Retry(max=len(_RETRY_SECONDS), interval=list(_RETRY_SECONDS))


# Function, instance, arguments, options.
_Call = tuple[str, None, tuple[str], dict[str, Any]]


class QueuedJob(Job):
    """An entry of the queue: a call of one of `FUNCTIONS` with one text, and nothing else.

    RQ imports and calls what an entry names: a function, a method's instance, callbacks, webhooks.
    None of that is read back here; an entry that asks for it does not exist for RQ.
    """

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        """Read an entry out of Redis.

        Raises:
            NoSuchJobError: It is none of ours; it is deleted, logged and counted.
        """
        fields = {name.decode(errors="replace"): value for name, value in raw_data.items()}
        try:
            _check_call(fields.get("data", b""))
            wanted = {name: fields[name] for name in fields.keys() & {"data", *_FIELDS}}
            super().restore({name.encode(): value for name, value in wanted.items()})
            self.timeout = JOB_TIMEOUT_SECONDS
            self.result_ttl, self.failure_ttl = _RESULT_TTL_SECONDS, _FAILURE_TTL_SECONDS
        except (ValueError, TypeError, KeyError, RecursionError, zlib.error) as error:
            log.error("queue entry refused", entry=self.id[:100], error=str(error))  # noqa: TRY400 - a traceback shows nothing more.
            self.connection.delete(self.key)
            self.connection.hincrby(redis_keys.METRICS, REFUSED, 1)
            raise NoSuchJobError(f"not one of ours: {error}") from None


def _check_call(data: bytes) -> None:
    """Raise ValueError unless this is the call of one of `FUNCTIONS` with one text."""
    decompressor = zlib.decompressobj()
    content = decompressor.decompress(data, _MAX_ENTRY_BYTES)
    function, _, _, options = msgspec.json.decode(content, type=_Call)
    if function not in FUNCTIONS:
        raise ValueError(f"{function!r:.100} is no function of the queue")
    if options or decompressor.unconsumed_tail:
        raise ValueError("a call takes one text")


@cache
def _unconnected() -> Queue:
    """A queue without a connection, which only names keys and makes entries."""
    queue = queue_on(redis.Redis())
    queue.redis_server_version = (7, 0, 0)
    return queue


def queue_on(connection: redis.Redis) -> Queue:
    """Return the one queue; see `QueuedJob` for what its entries may say."""
    return Queue(
        NAME,
        connection=connection,
        serializer="json",
        job_class=QueuedJob,
        default_timeout=JOB_TIMEOUT_SECONDS,
    )


def release_due(queue: Queue) -> None:
    """Put entries whose retry is due back on the queue; harmless in several processes at once."""
    registry = ScheduledJobRegistry(queue=queue, job_class=QueuedJob)  # type: ignore[no-untyped-call]  # RQ's.
    for name in registry.get_jobs_to_schedule():
        with queue.connection.pipeline() as pipeline:
            pipeline.zrem(registry.key, name)
            if queue.connection.exists(Job.key_for(name)):
                pipeline.hset(Job.key_for(name), "status", JobStatus.QUEUED.value)
                pipeline.rpush(queue.key, name)
            pipeline.execute()


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
