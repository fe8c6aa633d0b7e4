"""Every read of the store, written once: its commands, and the decoding of their answers.

A query is a generator without I/O: it yields commands to send together, is sent their answers, and
returns the value. `Store` and `AsyncStore` execute it.
"""

from collections.abc import Generator, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from app.store import decode, redis_keys
from app.store.records import (
    Callback,
    MarketStatus,
    PodSummaries,
    Receipt,
    Report,
    Task,
    TimelineEntry,
)
from k8s.workload import Workload

T = TypeVar("T")
Command = tuple[str | int | float, ...]
Query: TypeAlias = Generator[Sequence[Command], Sequence[Any], T]

_MOST_FOUND = 100  # Tasks that one lookup returns.
_AT_ONCE = 500
_GAUGES: dict[str, Command] = {
    "tasks_active": ("SCARD", redis_keys.ACTIVE),
    "tasks_pending": ("ZCARD", redis_keys.PENDING),
    "callbacks_waiting": ("ZCARD", redis_keys.OUTBOX),
}


def task(task_id: str) -> Query[Task | None]:
    """One task by its id (lower case)."""
    [content] = yield [("HGET", redis_keys.task(task_id), "record")]
    return decode.task(content) if content else None


def find(uuid: str) -> Query[list[Task]]:
    """Tasks known by a job, task or Space uuid (lower case), newest first."""
    records = yield from _known_by(uuid)
    return [decode.task(content) for _, content in records]


def find_any(uuid: str) -> Query[list[Task]]:
    """Tasks known by a uuid, with those whose record is unreadable."""
    records = yield from _known_by(uuid)
    return [decode.any_task(content, task_id=task_id) for task_id, content in records]


def tasks() -> Query[list[Task]]:
    """Every task, oldest first, with those whose record is unreadable."""
    [ids] = yield [("ZRANGE", redis_keys.TASKS, 0, -1)]
    records = yield from _records(_texts(ids))
    return [decode.any_task(content, task_id=task_id) for task_id, content in records]


def active() -> Query[list[Task]]:
    """Every task that is not over."""
    records = yield from _active()
    return [decode.task(content) for _, content in records]


def active_readable() -> Query[list[Task]]:
    """Every task that is not over, without those whose record is unreadable."""
    records = yield from _active()
    readable = (decode.readable(content, Task) for _, content in records)
    return [task for task in readable if task]


def count_active() -> Query[int]:
    """The number of tasks that are not over."""
    [count] = yield [("SCARD", redis_keys.ACTIVE)]
    return count or 0


def receipt(message_id: str) -> Query[Receipt | None]:
    """The receipt of the event accepted under this idempotency key."""
    [content] = yield [("GET", redis_keys.receipt(message_id))]
    earlier = decode.receipt(content) if content else None
    return earlier if isinstance(earlier, Receipt) else None


def workload(task_id: str, revision: int) -> Query[Workload | None]:
    """The workload of one revision of a task."""
    [content] = yield [("GET", redis_keys.workload(task_id, revision))]
    return decode.record(content, Workload)


def callbacks(task_id: str) -> Query[list[Callback]]:
    """A task's callbacks in order."""
    [fields] = yield [("HGETALL", redis_keys.callbacks(task_id))]
    return _in_order(map(decode.callback, fields.values()))


def callbacks_any(task_id: str) -> Query[list[Callback]]:
    """A task's callbacks in order, with unreadable ones."""
    [fields] = yield [("HGETALL", redis_keys.callbacks(task_id))]
    return _in_order(map(decode.any_callback, (fields or {}).values()))


def timeline(task_id: str) -> Query[list[TimelineEntry]]:
    """A task's timeline, oldest first, with unreadable entries."""
    [lines] = yield [("LRANGE", redis_keys.timeline(task_id), 0, -1)]
    return [*map(decode.any_timeline_entry, lines or ())]


def pods(task_id: str) -> Query[PodSummaries | None]:
    """A task's pods as the watcher saw them last."""
    [content] = yield [("GET", redis_keys.pods(task_id))]
    return decode.readable(content, PodSummaries)


def market_status(task_id: str) -> Query[MarketStatus | None]:
    """The last answer of Lagrange about a task's Space."""
    [content] = yield [("HGET", redis_keys.MARKET, task_id)]
    return decode.readable(content, MarketStatus)


def market_statuses() -> Query[dict[str, MarketStatus]]:
    """The last answers of Lagrange about active tasks' Spaces, by task id."""
    [contents] = yield [("HGETALL", redis_keys.MARKET)]
    return decode.readable_values(contents or {}, MarketStatus)


def reports() -> Query[dict[str, Report]]:
    """The outcome of the last report of each kind, by its path at Lagrange."""
    [contents] = yield [("HGETALL", redis_keys.REPORTS)]
    return decode.readable_values(contents or {}, Report)


def is_watched() -> Query[bool]:
    """Tell whether a watcher ran within the last minutes."""
    [count] = yield [("EXISTS", redis_keys.INVENTORY)]
    return bool(count)


def metrics() -> Query[dict[str, int]]:
    """Every counter, and the number of tasks and callbacks that wait."""
    [counters, *sizes] = yield [("HGETALL", redis_keys.METRICS), *_GAUGES.values()]
    counted = {name.decode(): int(number) for name, number in counters.items()}
    return counted | dict(zip(_GAUGES, sizes, strict=True))


def probe() -> Query[bool]:
    """A write that Redis may refuse, of the kind that ends tasks; tell if Redis is almost full."""
    [_, is_full] = yield [("UNLINK", redis_keys.PROBE), ("EXISTS", redis_keys.FULL)]
    return bool(is_full)


def value(key: str) -> Query[bytes | None]:
    """The content of a key."""
    content: bytes | None
    [content] = yield [("GET", key)]
    return content


def field(key: str, name: str) -> Query[str | None]:
    """One field of a hash of texts."""
    [content] = yield [("HGET", key, name)]
    return None if content is None else content.decode()


def fields(key: str) -> Query[dict[str, str]]:
    """All fields of a hash of texts."""
    [contents] = yield [("HGETALL", key)]
    return {name.decode(): content.decode() for name, content in contents.items()}


def due(key: str, now: float, *, limit: int) -> Query[list[str]]:
    """The ids that are due in a sorted set of times, the earliest first."""
    [ids] = yield [("ZRANGEBYSCORE", key, "-inf", now, "LIMIT", 0, limit)]
    return _texts(ids)


def _known_by(uuid: str) -> Query[list[tuple[str, bytes]]]:
    """Ids and records by uuid; a job's own uuid is its task's id, and is in no index."""
    [ids] = yield [("ZREVRANGE", redis_keys.lookup(uuid), 0, _MOST_FOUND - 1)]
    others = (task_id for task_id in _texts(ids) if task_id != uuid)
    return (yield from _records([uuid, *others]))


def _active() -> Query[list[tuple[str, bytes]]]:
    [ids] = yield [("SMEMBERS", redis_keys.ACTIVE)]
    return (yield from _records(_texts(ids)))


def _records(ids: Sequence[str]) -> Query[list[tuple[str, bytes]]]:
    """Ids and records of the tasks that exist."""
    records: list[tuple[str, bytes]] = []
    for start in range(0, len(ids), _AT_ONCE):
        batch = ids[start : start + _AT_ONCE]
        contents = yield [("HGET", redis_keys.task(task_id), "record") for task_id in batch]
        pairs = zip(batch, contents, strict=True)
        records += [(task_id, content) for task_id, content in pairs if content]
    return records


def _texts(words: Any) -> list[str]:
    return [word.decode(errors="replace") for word in words or ()]


def _in_order(callbacks: Iterable[Callback]) -> list[Callback]:
    return sorted(callbacks, key=lambda callback: callback.sequence)
