"""What people want to see of the memory: read at once, and whatever stands there."""

from collections.abc import Iterable, Iterator
from typing import Any

from app.store import redis_keys
from app.store.job_data import JobData
from app.store.lenient_decode import salvaged
from app.store.records import Callback, MarketStatus, PodSummaries, Report, Task, TimelineEntry
from app.store.wire import connect

_AT_ONCE = 500
_JOB = JobData(uuid="", duration=0, job_source_uri="")
_MISSING: dict[str, Any] = {
    "job": _JOB,
    "host": "",
    "created_at": 0,
    "start_deadline": 0,
    "duration": 0,
    "state": "unreadable",
}


class Glance:
    """Reads alone. Records of other versions, and broken ones, are read as far as they go.

    Every method raises Temporary (category `memory`) when Redis is away.

    Args:
        url: `[API] RedisUrl`.
        password: `[API] RedisPassword`, or empty.

    Raises:
        ConfigError: The URL is none.
    """

    def __init__(self, url: str, password: str) -> None:
        self._wire = connect(url, password)

    def close(self) -> None:
        """Give the connection back."""
        self._wire.close()

    def tasks(self) -> list[Task]:
        """Return every task that is remembered, oldest first."""
        ids = self._one("ZRANGE", redis_keys.TASKS, 0, -1) or []
        return self._tasks(ids)

    def find(self, uuid: str) -> list[Task]:
        """Return the tasks known by this job, task or Space uuid (lower case), newest first."""
        ids = self._one("ZREVRANGE", redis_keys.lookup(uuid), 0, redis_keys.MOST_FOUND - 1) or []
        return self._tasks(redis_keys.candidates(uuid, ids))

    def count_active(self) -> int:
        """Return how many tasks are not over."""
        return int(self._one("SCARD", redis_keys.ACTIVE) or 0)

    def timeline(self, task_id: str) -> list[TimelineEntry]:
        """Return what happened to a task, oldest first."""
        lines = self._one("LRANGE", redis_keys.timeline(task_id), 0, -1) or []
        return [*_read(lines, TimelineEntry, at=0, what="unreadable")]

    def callbacks(self, task_id: str) -> list[Callback]:
        """Return a task's callbacks in order."""
        found = _fields(self._one("HGETALL", redis_keys.callbacks(task_id)))
        missing = {"sequence": 0, "status": "unreadable", "reason": "", "timestamp": 0}
        callbacks = _read(found.values(), Callback, message_id="", **missing)
        return sorted(callbacks, key=lambda one: one.sequence)

    def market(self) -> dict[str, MarketStatus]:
        """Return what Lagrange said last of each active task's Space, by task id."""
        found = _fields(self._one("HGETALL", redis_keys.MARKET)).items()
        said = {name: salvaged(content, MarketStatus, space_status="") for name, content in found}
        return {name: one for name, one in said.items() if one}

    def said(self, task_id: str) -> MarketStatus | None:
        """Return what Lagrange said last of a task's Space."""
        content = self._one("HGET", redis_keys.MARKET, task_id)
        return salvaged(content, MarketStatus, space_status="") if content else None

    def pods(self, task_id: str) -> PodSummaries | None:
        """Return a task's pods as the watcher saw them last; None when it saw none."""
        content = self._one("GET", redis_keys.pods(task_id))
        return salvaged(content, PodSummaries) if content else None

    def is_watched(self) -> bool:
        """Whether a watcher ran within the last minutes."""
        return bool(self._one("EXISTS", redis_keys.INVENTORY))

    def reports(self) -> dict[str, Report]:
        """Return what came last of each kind of report to Lagrange, by its path."""
        found = _fields(self._one("HGETALL", redis_keys.REPORTS)).items()
        came = {path: salvaged(content, Report, at=0) for path, content in found}
        return {path: one for path, one in came.items() if one}

    def _tasks(self, ids: list[bytes]) -> list[Task]:
        found: list[Task] = []
        for start in range(0, len(ids), _AT_ONCE):
            names = [one.decode(errors="replace") for one in ids[start : start + _AT_ONCE]]
            answers = self._wire.ask(*(("HGET", redis_keys.task(one), "record") for one in names))
            records = zip(names, answers, strict=True)
            found += (_task(content, name) for name, content in records if content)
        return found

    def _one(self, *command: str | int) -> Any:
        return self._wire.ask(command)[0]


def _task(content: bytes, task_id: str) -> Task:
    """Return a task, of whose record nothing may be readable but its id."""
    task = salvaged(content, Task, id=task_id, **_MISSING)
    if task is None:
        return Task(id=task_id, **_MISSING)
    return task


def _fields(answer: Any) -> dict[str, bytes]:
    words = answer or []
    pairs = zip(words[::2], words[1::2], strict=True)
    return {name.decode(errors="replace"): content for name, content in pairs}


def _read(contents: Iterable[bytes], kind: type[Any], **missing: Any) -> Iterator[Any]:
    for content in contents:
        one = salvaged(content, kind, **missing)
        yield kind(**missing) if one is None else one
