"""The synchronous store: for worker, watcher, clock, and the command line."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import redis

from app.errors import UnreadableRecord
from app.store import queries, redis_keys, rq_queue, transaction, transaction_script
from app.store.queries import Command, Query, T
from app.store.records import Callback, MarketStatus, PodSummaries, Report, Task, TimelineEntry
from app.store.redis_errors import translated
from k8s.workload import Workload

_PURGE_AT_ONCE = 100


class Store:
    """Reads and changes; every method raises Temporary (category `memory`) when Redis is away.

    The reads that only people see take a key of another type for an empty one, and mark an
    unreadable record as such.
    """

    def __init__(self, connection: redis.Redis) -> None:
        # redis-py types answers as text or bytes or lists; what comes is bytes.
        self.connection: Any = connection
        scripts = transaction_script.SCRIPT, transaction_script.RELEASING_SCRIPT
        self._scripts = {script: connection.register_script(script) for script in scripts}

    def commit(self, *changes: transaction.Change) -> None:
        """Carry out changes together.

        Raises:
            Conflict: Nothing was written.
        """
        whole = transaction.Transaction(changes=changes)
        plan, meaning = whole.encoded()
        with translated():
            [answer] = self._scripts[whole.script](args=(plan,))
        transaction_script.outcome(answer, meaning)

    def read(self, query: Query[T], *, lenient: bool = False) -> T:
        """Execute a query.

        Args:
            query: One of `queries`.
            lenient: Answer with None where the key is of another type than the command expects.
        """
        try:
            commands = next(query)
            while True:
                commands = query.send(self._answers(commands, lenient=lenient))
        except StopIteration as end:
            value: T = end.value
            return value

    def get(self, task_id: str) -> Task | None:
        """Return the task of this id (lower case).

        Raises:
            UnreadableRecord: Its record is broken, or of a newer version.
        """
        return self.read(queries.task(task_id))

    def find(self, uuid: str) -> list[Task]:
        """Return the tasks known by this job, task or Space uuid (lower case), newest first.

        Raises:
            UnreadableRecord: A record is broken, or of a newer version.
        """
        return self.read(queries.find(uuid))

    def find_any(self, uuid: str) -> list[Task]:
        """Return the same as `find`, with unreadable tasks."""
        return self.read(queries.find_any(uuid), lenient=True)

    def tasks(self) -> list[Task]:
        """Return every task, oldest first, with unreadable ones."""
        return self.read(queries.tasks(), lenient=True)

    def active(self) -> list[Task]:
        """Return every task that is not over.

        Raises:
            UnreadableRecord: A record is broken, or of a newer version.
        """
        return self.read(queries.active())

    def count_active(self) -> int:
        """Return how many tasks are not over."""
        return self.read(queries.count_active(), lenient=True)

    def callbacks(self, task_id: str) -> list[Callback]:
        """Return a task's callbacks in order, with unreadable ones."""
        return self.read(queries.callbacks_any(task_id), lenient=True)

    def timeline(self, task_id: str) -> list[TimelineEntry]:
        """Return a task's timeline, oldest first."""
        return self.read(queries.timeline(task_id), lenient=True)

    def pods(self, task_id: str) -> PodSummaries | None:
        """Return a task's pods as the watcher saw them last; None if it saw none."""
        return self.read(queries.pods(task_id), lenient=True)

    def market_status(self, task_id: str) -> MarketStatus | None:
        """Return the last answer of Lagrange about a task's Space."""
        return self.read(queries.market_status(task_id), lenient=True)

    def market_statuses(self) -> dict[str, MarketStatus]:
        """Return the last answers of Lagrange about active tasks' Spaces, by task id."""
        return self.read(queries.market_statuses(), lenient=True)

    def reports(self) -> dict[str, Report]:
        """Return the outcome of the last report of each kind, by its path at Lagrange."""
        return self.read(queries.reports(), lenient=True)

    def is_watched(self) -> bool:
        """Tell whether a watcher ran within the last minutes."""
        return self.read(queries.is_watched())

    def workload(self, task_id: str, revision: int) -> Workload | None:
        """Return the workload of a task's revision; None if that is not known (yet)."""
        return self.read(queries.workload(task_id, revision))

    def field(self, key: str, name: str) -> str | None:
        """Return one field of a hash (`redis_keys.HOSTS`, `redis_keys.HOLDERS`)."""
        return self.read(queries.field(key, name))

    def fields(self, key: str) -> dict[str, str]:
        """Return all fields of a hash of texts (`redis_keys.RESERVATIONS`)."""
        return self.read(queries.fields(key))

    def value(self, key: str) -> bytes | None:
        """Return the content of a key; None once it has expired."""
        return self.read(queries.value(key))

    def due(self, key: str, now: float, *, limit: int = 100) -> list[str]:
        """Return the ids that are due in a sorted set of times, the earliest first."""
        return self.read(queries.due(key, now, limit=limit))

    def legacy_records(self, names: Sequence[str]) -> Iterator[tuple[str, dict[str, str] | None]]:
        """Yield each key of v0.3.0's records with these of its fields; None: it is no hash."""
        with translated():
            keys = set(self.connection.scan_iter(match=redis_keys.legacy_record("*"), count=1000))
        for key in sorted(keys):
            with translated():
                is_hash = self.connection.type(key) == b"hash"
                texts = self.connection.hmget(key, *names) if is_hash else []
            pairs = zip(names, texts, strict=False)
            fields = {name: text.decode(errors="replace") for name, text in pairs if text}
            yield key.decode(errors="replace"), fields if is_hash else None

    def set_field(self, key: str, name: str, text: str) -> None:
        """Write one field of a hash (`redis_keys.ADOPTED`)."""
        with translated():
            self.connection.hset(key, name, text)

    def set_value(self, key: str, content: bytes, period: timedelta) -> None:
        """Write a key that expires."""
        with translated():
            self.connection.set(key, content, ex=period)

    def save_pods(self, task_id: str, pods: PodSummaries, period: timedelta) -> None:
        """Write a task's pods, for people to see."""
        self.set_value(redis_keys.pods(task_id), msgspec.json.encode(pods), period)

    def postpone(self, key: str, task_id: str, until: float) -> None:
        """Have an id due again at this time, if it is still in the set."""
        with translated():
            self.connection.zadd(key, {task_id: until}, xx=True)

    def begin_attempt(self, task_id: str, attempt: str) -> int:
        """Count an attempt beside the task's record; return how many there are by now."""
        with translated():
            count: int = self.connection.hincrby(redis_keys.task(task_id), attempt, 1)
        return count

    def end_attempt(self, task_id: str, attempt: str) -> None:
        """Forget the attempts."""
        with translated():
            self.connection.hdel(redis_keys.task(task_id), attempt)

    def remove_due(self, key: str, task_id: str) -> None:
        """Remove an id from a sorted set of times."""
        with translated():
            self.connection.zrem(key, task_id)

    def wake(self, task_id: str, until: float) -> None:
        """Enqueue a pending task, and have it due again at `until`."""
        with translated():
            pipeline = self.connection.pipeline()
            pipeline.zadd(redis_keys.PENDING, {task_id: until}, xx=True)
            for command in rq_queue.entry(task_id):
                pipeline.execute_command(*command)
            pipeline.execute()

    def sweep(self, task_id: str) -> None:
        """Enqueue the removal of what a finished task left on the cluster."""
        self.call(rq_queue.SWEEP, task_id)

    def call(self, work: str, about: str) -> None:
        """Enqueue other work: a function of `rq_jobs`, and its subject."""
        with translated():
            pipeline = self.connection.pipeline()
            for command in rq_queue.entry(about, work=work):
                pipeline.execute_command(*command)
            pipeline.execute()

    def redeliver(self, task_id: str, now: float) -> int:
        """Owe a task's parked callbacks again; return their number."""
        callbacks = self.callbacks(task_id)
        parked = [callback for callback in callbacks if callback.state == "parked"]
        with translated():
            pipeline = self.connection.pipeline()
            for callback in parked:
                owed = msgspec.structs.replace(callback, state="owed", first_attempt_at=None)
                encoded = msgspec.json.encode(owed)
                pipeline.hset(redis_keys.callbacks(task_id), str(callback.sequence), encoded)
            if parked:
                pipeline.zadd(redis_keys.OUTBOX, {task_id: now})
            pipeline.execute()
        return len(parked)

    def purge(self, ended_before: float) -> int:
        """Delete tasks that ended before this time; return how many were due."""
        ids = self.due(redis_keys.ENDED, ended_before, limit=_PURGE_AT_ONCE)
        for task_id in ids:
            try:
                task = self.get(task_id)
            except UnreadableRecord:
                self.postpone(redis_keys.ENDED, task_id, time.time())
                continue
            if task:
                self._purge(task)
        return len(ids)

    def _purge(self, task: Task) -> None:
        revisions = range(1, task.latest_revision + 1)
        workloads = [redis_keys.workload(task.id, revision) for revision in revisions]
        with translated():
            pipeline = self.connection.pipeline()
            pipeline.delete(
                redis_keys.task(task.id),
                redis_keys.callbacks(task.id),
                redis_keys.timeline(task.id),
                redis_keys.build_log(task.id),
                redis_keys.demands(task.id),
                *workloads,
            )
            for key in (
                redis_keys.TASKS,
                redis_keys.ENDED,
                redis_keys.OUTBOX,
                *map(redis_keys.lookup, task.uuids),
            ):
                pipeline.zrem(key, task.id)
            pipeline.execute()

    def ping(self) -> None:
        """Return once Redis answers."""
        with translated():
            self.connection.ping()

    def _answers(self, commands: Sequence[Command], *, lenient: bool) -> Sequence[Any]:
        with translated():
            pipeline = self.connection.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            answers = pipeline.execute(raise_on_error=not lenient)
            return [_unless_wrong_type(answer) for answer in answers]


def encoded(workload: Workload) -> bytes:
    """Encode a workload for `Change.workload`."""
    return msgspec.json.encode(workload)


def _unless_wrong_type(answer: Any) -> Any:
    if not isinstance(answer, Exception):
        return answer
    if str(answer).startswith("WRONGTYPE"):
        return None
    raise answer
