"""What containers write, on its way from the cluster to those who watch it, through Redis.

Who watches says so, again and again (`Watched`). One reader for each task
(`app.processes.log_reader`) writes entries of lines to a stream of bounded size, and how far it
read each container in the same step, so that the next reader goes on exactly there (`Writer`).
Watchers tell how far they are, so that the reader waits for the furthest, and for nobody else. None
of it goes to Redis's disk.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import redis

from app.store import AsyncStore, redis_keys
from app.store.redis_errors import translated
from k8s.logs import NOWHERE, LogPosition

WANTED_SECONDS = 15
LEASE_SECONDS = 6
MAX_BYTES = 2 << 20
MAX_ENTRIES = 4096
_KEPT_SECONDS = 60
_AT_ONCE = 16

# Only by who has the lease, and once, by the number among all that this writer ever added.
_APPEND = """
redis.set_repl(redis.REPL_NONE)
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return 0 end
local by = ':by ' .. ARGV[1]
if tonumber(redis.call('HGET', KEYS[2], by) or -1) >= tonumber(ARGV[10]) then return 1 end
redis.call('HSET', KEYS[2], by, ARGV[10])
local last = redis.call('HINCRBY', KEYS[2], ':lines', ARGV[4])
local size = redis.call('HINCRBY', KEYS[2], ':bytes', #ARGV[5])
local total = redis.call('HINCRBY', KEYS[2], ':total', #ARGV[5])
if ARGV[2] ~= '' then redis.call('HSET', KEYS[2], ARGV[2], ARGV[3]) end
redis.call('XADD', KEYS[1], '*', 'lines', ARGV[5], 'last', last, 'total', total,
  'over', ARGV[6])
while size > tonumber(ARGV[7]) or redis.call('XLEN', KEYS[1]) > tonumber(ARGV[8]) do
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if not first then break end
  redis.call('XDEL', KEYS[1], first[1])
  size = redis.call('HINCRBY', KEYS[2], ':bytes', -#first[2][2])
end
redis.call('EXPIRE', KEYS[1], ARGV[9])
redis.call('EXPIRE', KEYS[2], ARGV[9])
return 1
"""
_READ = """
redis.set_repl(redis.REPL_NONE)
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return redis.call('XRANGE', KEYS[1], ARGV[4], '+', 'COUNT', ARGV[5])
"""
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.set_repl(redis.REPL_NONE)
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
return 1
"""
_RELEASE = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)
_place = msgspec.json.Decoder(LogPosition)


@dataclass(frozen=True, slots=True)
class Entry:
    """Some lines of a task's containers.

    Attributes:
        place: Of the entry in the stream.
        last: The number of its last line, counted from 1 over all that were ever written.
        total: How many bytes were ever written, with it.
        lines: UTF-8, each with its end.
        over: Why no more will follow; empty: more may.
    """

    place: str
    last: int
    total: int
    lines: bytes
    over: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """Lines of one task to be written.

    Attributes:
        task_id: The task's.
        lines: UTF-8, each with its end.
        key: Which container they are of; empty: they are remarks.
        read: How far its log is read with them.
        over: Why no more will follow; empty: more may.
    """

    task_id: str
    lines: bytes
    key: str = ""
    read: LogPosition = NOWHERE
    over: str = ""


class Writer:
    """The reader's side; every method raises Temporary when Redis is away."""

    def __init__(self, connection: redis.Redis) -> None:
        self._connection: Any = connection
        self._token = secrets.token_hex(16)
        self._added = 0
        self._append = connection.register_script(_APPEND)
        self._renew = connection.register_script(_RENEW)
        self._release = connection.register_script(_RELEASE)

    def wanted(self, now: float) -> set[str]:
        """Return the ids of the tasks that somebody watches."""
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            pipeline.zremrangebyscore(redis_keys.LOGS_WANTED, "-inf", now)
            pipeline.zrange(redis_keys.LOGS_WANTED, 0, -1)
            _, members = pipeline.execute()
        return {member.decode().partition(" ")[0] for member in members}

    def lease(self, task_id: str) -> bool:
        """Become a task's only reader, for `LEASE_SECONDS`; False when another one is."""
        with translated():
            return bool(
                self._connection.set(_lock(task_id), self._token, nx=True, ex=LEASE_SECONDS)
            )

    def renew(self, task_ids: Iterable[str]) -> set[str]:
        """Remain the reader of tasks; return those whose reader is another one by now."""
        asked = list(task_ids)
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            for task_id in asked:
                names = _lock(task_id), redis_keys.log(task_id), redis_keys.log_places(task_id)
                arguments = self._token, LEASE_SECONDS, _KEPT_SECONDS
                self._renew(names, arguments, client=pipeline)
            kept = pipeline.execute()
        return {task_id for task_id, one in zip(asked, kept, strict=True) if not one}

    def release(self, task_id: str) -> None:
        """Let others be the task's reader."""
        with translated():
            self._release((_lock(task_id),), (self._token,))

    def places(self, task_id: str) -> dict[str, LogPosition]:
        """Return how far each container was read, by its key."""
        with translated():
            found = self._connection.hgetall(redis_keys.log_places(task_id))
        return {
            key.decode(): _place.decode(place)
            for key, place in found.items()
            if not key.startswith(b":")
        }

    def unseen(self, task_ids: Iterable[str]) -> dict[str, int]:
        """Return of each task how many bytes even its furthest watcher has not seen."""
        asked = list(task_ids)
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            for task_id in asked:
                pipeline.hget(redis_keys.log_places(task_id), ":total")
                pipeline.zrange(redis_keys.log_seen(task_id), 0, 0, desc=True, withscores=True)
            answers = iter(pipeline.execute())
        found = {}
        for task_id, total, seen in zip(asked, answers, answers, strict=False):
            found[task_id] = int(total) - int(seen[0][1]) if total and seen else 0
        return found

    def append(self, additions: Sequence[Addition]) -> None:
        """Write lines; without the lease nothing.

        After an error the same additions have to be tried again: each is written once.
        """
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            for number, one in enumerate(additions, self._added):
                arguments = (
                    self._token,
                    one.key,
                    msgspec.json.encode(one.read),
                    one.lines.count(b"\n"),
                    one.lines,
                    one.over,
                    MAX_BYTES,
                    MAX_ENTRIES,
                    _KEPT_SECONDS,
                    number,
                )
                names = (
                    redis_keys.log(one.task_id),
                    redis_keys.log_places(one.task_id),
                    _lock(one.task_id),
                )
                self._append(names, arguments, client=pipeline)
            pipeline.execute()
        self._added += len(additions)


class Watched:
    """The watchers' side of one task's log; every method raises Temporary when Redis is away."""

    def __init__(self, store: AsyncStore, task_id: str) -> None:
        self._connection = store.connection
        self._read = store.connection.register_script(_READ)
        self._task_id = task_id
        self._member = f"{task_id} {secrets.token_hex(8)}"

    async def want(self, now: float) -> bool:
        """Have the log read for `WANTED_SECONDS`; tell whether somebody reads it."""
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            pipeline.zadd(redis_keys.LOGS_WANTED, {self._member: now + WANTED_SECONDS})
            pipeline.exists(_lock(self._task_id))
            _, is_read = await pipeline.execute()
        return bool(is_read)

    async def leave(self) -> None:
        """Do not want it any more."""
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            pipeline.zrem(redis_keys.LOGS_WANTED, self._member)
            pipeline.zrem(redis_keys.log_seen(self._task_id), self._member)
            await pipeline.execute()

    async def read(self, after: Entry | None) -> list[Entry]:
        """Return the next entries, having seen everything up to this one; None: the first ones."""
        place, total = (f"({after.place}", after.total) if after else ("-", 0)
        names = redis_keys.log(self._task_id), redis_keys.log_seen(self._task_id)
        with translated():
            found = await self._read(names, (total, self._member, _KEPT_SECONDS, place, _AT_ONCE))
        return [_entry(place.decode(), fields) for place, fields in found]


def _entry(place: str, fields: list[bytes]) -> Entry:
    known = dict(zip(fields[::2], fields[1::2], strict=True))
    return Entry(
        place, int(known[b"last"]), int(known[b"total"]), known[b"lines"], known[b"over"].decode()
    )


def _lock(task_id: str) -> str:
    return redis_keys.lock(f"log:{task_id}")
