"""Entries of the queue, as RQ reads them."""

from typing import Any

import pytest
import redis
from rq import SimpleWorker
from rq.job import Job

from app.store import rq_queue

TASK = "11111111-1111-4111-8111-111111111111"
VOLATILE = {"data", "created_at", "enqueued_at"}


def enqueued(connection: redis.Redis) -> Job:
    """Enqueue work as a transaction does; return RQ's view of it."""
    for command in rq_queue.entry(TASK):
        _execute(connection, command)
    [job] = rq_queue.queue_on(connection).jobs
    return job


def test_entries_are_rqs_own(redis_url: str) -> None:
    """The entry equals the one that RQ would write, but for empty fields."""
    with redis.Redis.from_url(redis_url) as connection:
        ours = enqueued(connection)
        theirs = rq_queue.queue_on(connection).enqueue_call(
            rq_queue.ADVANCE,
            args=(TASK,),
            retry=rq_queue._RETRY,
            result_ttl=rq_queue._RESULT_TTL_SECONDS,
            failure_ttl=rq_queue._FAILURE_TTL_SECONDS,
            description=f"{rq_queue.ADVANCE} {TASK}",
        )
        assert _fields(ours) == _fields(theirs)
        assert (ours.func_name, ours.args, ours.kwargs) == (rq_queue.ADVANCE, [TASK], {})
        assert ours.created_at == ours.enqueued_at
        assert abs(ours.created_at - theirs.created_at).total_seconds() < 5
        hashes = [connection.hgetall(job.key) for job in (ours, theirs)]
        written, full = ({name for name, value in fields.items() if value} for fields in hashes)
        assert written == full
        queue = rq_queue.queue_on(connection)
        assert connection.smembers(queue.redis_queues_keys) == {queue.key.encode()}


def _execute(connection: Any, command: tuple[Any, ...]) -> None:
    connection.execute_command(*command)


def _fields(job: Job) -> dict[str, Any]:
    return {name: value for name, value in job.to_dict().items() if name not in VOLATILE}


def test_entries_are_worked_off(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RQ's worker takes an entry, and retries what fails."""
    monkeypatch.setattr(rq_queue, "FUNCTIONS", {"builtins.len", "builtins.int"})
    with redis.Redis.from_url(redis_url) as connection:
        for command in rq_queue.entry(TASK, work="builtins.len"):
            _execute(connection, command)
        for command in rq_queue.entry(TASK, work="builtins.int"):
            _execute(connection, command)
        fine, failing = rq_queue.queue_on(connection).jobs
        worker = SimpleWorker(
            [rq_queue.queue_on(connection)],
            connection=connection,
            serializer="json",
            job_class=rq_queue.QueuedJob,
        )
        worker.work(burst=True, logging_level="CRITICAL")
        assert fine.return_value(refresh=True) == len(TASK)
        tried = Job.fetch(failing.id, connection, serializer="json")
        assert tried.is_scheduled
        assert tried.retries_left == rq_queue._RETRY.max - 1
