"""The memory for processes that may wait on it: worker, watcher, clock, CLI."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import redis

from app.errors import UnreadableRecord
from app.store import decode, redis_keys, rq_queue, transaction
from app.store.records import (
    Callback,
    MarketStatus,
    PodSummaries,
    Task,
    TimelineEntry,
)
from app.store.redis_errors import translated
from k8s.workload import Workload

_PURGE_AT_ONCE = 100


class Store:
    """Reads and changes; every method raises Temporary (category `memory`) when Redis is away."""

    def __init__(self, connection: redis.Redis) -> None:
        # redis-py types answers as text or bytes or lists; what comes is bytes.
        self.connection: Any = connection
        self._script = connection.register_script(transaction.SCRIPT)

    def commit(self, *changes: transaction.Change) -> None:
        """Carry out changes together.

        Raises:
            Conflict: Nothing was written.
        """
        plan, meaning = transaction.Transaction(changes=changes).encoded()
        with translated():
            [answer] = self._script(args=(plan,))
        transaction.outcome(answer, meaning)

    def get(self, task_id: str) -> Task | None:
        """Return the task of this id (lower case).

        Raises:
            Unreadable: Its record is none of ours.
        """
        with translated():
            return decode.task(self.connection.hmget(redis_keys.task(task_id), "record", "version"))

    def find(self, uuid: str) -> list[Task]:
        """Return the tasks known by this job, task or Space uuid (lower case), newest first."""
        with translated():
            ids = self.connection.zrevrange(redis_keys.lookup(uuid), 0, redis_keys.MOST_FOUND - 1)
        return list(self._many(redis_keys.candidates(uuid, ids)))

    def tasks(self) -> Iterator[Task]:
        """Yield every task that is remembered, oldest first."""
        with translated():
            ids = self.connection.zrange(redis_keys.TASKS, 0, -1)
        return self._many(ids)

    def active(self) -> Iterator[Task]:
        """Yield every task that is not over."""
        with translated():
            ids = self.connection.smembers(redis_keys.ACTIVE)
        return self._many(ids)

    def _many(self, ids: Iterable[bytes]) -> Iterator[Task]:
        for task_id in ids:
            if task := self.get(task_id.decode()):
                yield task

    def callbacks(self, task_id: str) -> list[Callback]:
        """Return a task's callbacks in order."""
        with translated():
            return decode.callbacks(self.connection.hgetall(redis_keys.callbacks(task_id)))

    def timeline(self, task_id: str) -> list[TimelineEntry]:
        """Return what happened to a task, oldest first."""
        with translated():
            return decode.timeline(self.connection.lrange(redis_keys.timeline(task_id), 0, -1))

    def market(self) -> dict[str, MarketStatus]:
        """Return what Lagrange said last of each active task's Space, by task id."""
        with translated():
            found = self.connection.hgetall(redis_keys.MARKET)
        said = ((name.decode(), decode.market(content)) for name, content in found.items())
        return {task_id: one for task_id, one in said if one}

    def workload(self, task_id: str, revision: int) -> Workload | None:
        """Return what a revision of a task runs; None when that is not known (yet)."""
        with translated():
            content = self.connection.get(redis_keys.workload(task_id, revision))
        return msgspec.json.decode(content, type=Workload) if content else None

    def field(self, key: str, name: str) -> str | None:
        """Return one field of a hash (`keys.HOSTS`, `keys.HOLDERS`)."""
        with translated():
            content = self.connection.hget(key, name)
        return content.decode() if content is not None else None

    def fields(self, key: str) -> dict[str, str]:
        """Return all fields of a hash of texts (`keys.RESERVATIONS`)."""
        with translated():
            found = self.connection.hgetall(key)
        return {name.decode(): content.decode() for name, content in found.items()}

    def note(self, key: str, name: str, text: str) -> None:
        """Write one field of a hash (`keys.ADOPTED`)."""
        with translated():
            self.connection.hset(key, name, text)

    def former(self, wanted: Sequence[str]) -> Iterator[tuple[str, dict[str, str] | None]]:
        """Yield each key of v0.3.0's records, and the fields that are there; None: no hash."""
        with translated():
            found = set(self.connection.scan_iter(match=redis_keys.former("*"), count=1000))
        for key in sorted(found):
            with translated():
                is_hash = self.connection.type(key) == b"hash"
                texts = self.connection.hmget(key, *wanted) if is_hash else []
            told = zip(wanted, texts, strict=False)
            fields = {name: text.decode(errors="replace") for name, text in told if text}
            yield key.decode(errors="replace"), fields if is_hash else None

    def keep(self, key: str, content: bytes, period: timedelta) -> None:
        """Write something down for some time."""
        with translated():
            self.connection.set(key, content, ex=period)

    def show_pods(self, task_id: str, pods: PodSummaries, period: timedelta) -> None:
        """Write down a task's pods for people to see."""
        self.keep(redis_keys.pods(task_id), msgspec.json.encode(pods), period)

    def kept(self, key: str) -> bytes | None:
        """Return what was written down; None when its time is over."""
        with translated():
            found: bytes | None = self.connection.get(key)
        return found

    def reached(self, key: str, now: float, *, limit: int = 100) -> list[str]:
        """Return the ids in a sorted set of times whose time has come, the earliest first."""
        with translated():
            ids = self.connection.zrangebyscore(key, "-inf", now, start=0, num=limit)
        return [task_id.decode() for task_id in ids]

    def postpone(self, key: str, task_id: str, until: float) -> None:
        """Look at it again then, if it is still in the set."""
        with translated():
            self.connection.zadd(key, {task_id: until}, xx=True)

    def forget(self, key: str, task_id: str) -> None:
        """Take an id out of a sorted set of times."""
        with translated():
            self.connection.zrem(key, task_id)

    def wake(self, task_id: str, until: float) -> None:
        """Call a worker for a pending task, and look again at `until`."""
        with translated():
            pipeline = self.connection.pipeline()
            pipeline.zadd(redis_keys.PENDING, {task_id: until}, xx=True)
            for command in rq_queue.entry(task_id):
                pipeline.execute_command(*command)
            pipeline.execute()

    def sweep(self, task_id: str) -> None:
        """Call a worker for what is left of a task that is over."""
        self.call(rq_queue.SWEEP, task_id)

    def call(self, work: str, about: str) -> None:
        """Call a worker for anything else: a function of `rq_jobs`, and what it is about."""
        with translated():
            pipeline = self.connection.pipeline()
            for command in rq_queue.entry(about, work=work):
                pipeline.execute_command(*command)
            pipeline.execute()

    def redeliver(self, task_id: str, now: float) -> int:
        """Owe a task's parked callbacks again; return how many there were."""
        parked = [one for one in self.callbacks(task_id) if one.state == "parked"]
        with translated():
            pipeline = self.connection.pipeline()
            for one in parked:
                owed = msgspec.structs.replace(one, state="owed", first_attempt_at=None)
                encoded = msgspec.json.encode(owed)
                pipeline.hset(redis_keys.callbacks(task_id), str(one.sequence), encoded)
            if parked:
                pipeline.zadd(redis_keys.OUTBOX, {task_id: now})
            pipeline.execute()
        return len(parked)

    def purge(self, ended_before: float) -> int:
        """Forget tasks that ended before this time; return how many."""
        ids = self.reached(redis_keys.ENDED, ended_before, limit=_PURGE_AT_ONCE)
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
        workloads = [
            redis_keys.workload(task.id, one) for one in range(1, task.latest_revision + 1)
        ]
        with translated():
            pipeline = self.connection.pipeline()
            pipeline.delete(
                redis_keys.task(task.id),
                redis_keys.callbacks(task.id),
                redis_keys.timeline(task.id),
                redis_keys.build_log(task.id),
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
        """Return when Redis answers."""
        with translated():
            self.connection.ping()


def encoded(workload: Workload) -> bytes:
    """Return a workload as `Change.workload` takes it."""
    return msgspec.json.encode(workload)
