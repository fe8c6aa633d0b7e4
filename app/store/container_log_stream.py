"""The output of containers as a stream in Redis, from the reader of the cluster to its watchers.

A watcher asks for a task's log again and again (`Watched`). One reader for each task
(`app.processes.log_reader`) writes entries of lines to a stream of bounded size and, in the same
step, its position in each container's log, so that the next reader resumes exactly there
(`Writer`). Watchers write their positions, so that the reader waits for the furthest and for no
other. None of it is persisted by Redis.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import redis

from app.store import AsyncStore, redis_keys
from app.store.leases import Lease, LeaseLost
from app.store.redis_errors import translated
from k8s.logs import NOWHERE, LogPosition

WANTED_SECONDS = 15
LEASE_SECONDS = 6
MAX_BYTES = 2 << 20
MAX_ENTRIES = 4096
_KEPT_SECONDS = 60
_AT_ONCE = 16
_FULL_DIVISOR = 8  # Of the size of streams, while Redis is almost full.

# Only by the holder of the lease, and once, by the number among all that this writer ever added.
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
local most = tonumber(ARGV[7])
if redis.call('EXISTS', KEYS[4]) == 1 then most = most / ARGV[11] end
while size > most or redis.call('XLEN', KEYS[1]) > tonumber(ARGV[8]) do
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
_KEEP = """
redis.set_repl(redis.REPL_NONE)
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
"""
_place = msgspec.json.Decoder(LogPosition)


@dataclass(frozen=True, slots=True)
class Entry:
    """Some lines of a task's containers.

    Attributes:
        place: Of the entry in the stream.
        last: The number of its last line, counted from 1 over all that were ever written.
        total: The bytes that were ever written, with it.
        lines: UTF-8, each with its end.
        over: The reason that no more will follow; empty: more may.
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
        key: The container's; empty: they are remarks.
        read: The position in its log after them.
        over: The reason that no more will follow; empty: more may.
    """

    task_id: str
    lines: bytes
    key: str = ""
    read: LogPosition = NOWHERE
    over: str = ""


class Writer:
    """The side of the reader; every method raises Temporary when Redis is away."""

    def __init__(self, connection: redis.Redis) -> None:
        self._connection: Any = connection
        self._token = secrets.token_hex(16)
        self._added = 0
        self._append = connection.register_script(_APPEND)
        self._keep = connection.register_script(_KEEP)
        self._leases: dict[str, Lease] = {}

    def wanted(self, now: float) -> set[str]:
        """Return the ids of the tasks that are watched."""
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            pipeline.zremrangebyscore(redis_keys.LOGS_WANTED, "-inf", now)
            pipeline.zrange(redis_keys.LOGS_WANTED, 0, -1)
            _, members = pipeline.execute()
        return {member.decode().partition(" ")[0] for member in members}

    def lease(self, task_id: str) -> bool:
        """Become a task's only reader, for `LEASE_SECONDS`; False if there is another."""
        lease = Lease.take(
            self._connection, _lock(task_id), seconds=LEASE_SECONDS, token=self._token
        )
        if lease:
            self._leases[task_id] = lease
        return lease is not None

    def renew(self, task_ids: Iterable[str]) -> set[str]:
        """Remain the reader of tasks; return those that this reader has lost."""
        asked = set(task_ids)
        kept = {task_id for task_id in asked if self._is_renewed(task_id)}
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            for task_id in kept:
                names = redis_keys.log(task_id), redis_keys.log_places(task_id)
                self._keep(names, (_KEPT_SECONDS,), client=pipeline)
            pipeline.execute()
        return asked - kept

    def _is_renewed(self, task_id: str) -> bool:
        lease = self._leases.get(task_id)
        if lease is None:
            return False
        try:
            lease.renew()
        except LeaseLost:
            del self._leases[task_id]
            return False
        return True

    def release(self, task_id: str) -> None:
        """Release the lease on a task."""
        if lease := self._leases.pop(task_id, None):
            lease.release()

    def places(self, task_id: str) -> dict[str, LogPosition]:
        """Return the position in each container's log, by its key."""
        with translated():
            places = self._connection.hgetall(redis_keys.log_places(task_id))
        return {
            key.decode(): _place.decode(place)
            for key, place in places.items()
            if not key.startswith(b":")
        }

    def unseen(self, task_ids: Iterable[str]) -> dict[str, int]:
        """Return the number of bytes that even the furthest watcher has not seen, by task."""
        asked = list(task_ids)
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            for task_id in asked:
                pipeline.hget(redis_keys.log_places(task_id), ":total")
                pipeline.zrange(redis_keys.log_seen(task_id), 0, 0, desc=True, withscores=True)
            answers = iter(pipeline.execute())
        unseen = {}
        for task_id, total, seen in zip(asked, answers, answers, strict=False):
            unseen[task_id] = int(total) - int(seen[0][1]) if total and seen else 0
        return unseen

    def append(self, additions: Sequence[Addition]) -> None:
        """Write lines; nothing without the lease.

        After an error the same additions have to be tried again: each is written once.
        """
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            for number, addition in enumerate(additions, self._added):
                arguments = (
                    self._token,
                    addition.key,
                    msgspec.json.encode(addition.read),
                    addition.lines.count(b"\n"),
                    addition.lines,
                    addition.over,
                    MAX_BYTES,
                    MAX_ENTRIES,
                    _KEPT_SECONDS,
                    number,
                    _FULL_DIVISOR,
                )
                names = (
                    redis_keys.log(addition.task_id),
                    redis_keys.log_places(addition.task_id),
                    _lock(addition.task_id),
                    redis_keys.FULL,
                )
                self._append(names, arguments, client=pipeline)
            pipeline.execute()
        self._added += len(additions)


class Watched:
    """The side of a watcher of one task; every method raises Temporary when Redis is away."""

    def __init__(self, store: AsyncStore, task_id: str) -> None:
        self._connection = store.connection
        self._read = store.connection.register_script(_READ)
        self._task_id = task_id
        self._member = f"{task_id} {secrets.token_hex(8)}"

    async def want(self, now: float) -> bool:
        """Ask for the log for `WANTED_SECONDS`; tell whether it has a reader."""
        with translated():
            pipeline = self._connection.pipeline(transaction=False)
            pipeline.zadd(redis_keys.LOGS_WANTED, {self._member: now + WANTED_SECONDS})
            pipeline.exists(_lock(self._task_id))
            _, is_read = await pipeline.execute()
        return bool(is_read)

    async def leave(self) -> None:
        """Stop asking for the log."""
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
            entries = await self._read(names, (total, self._member, _KEPT_SECONDS, place, _AT_ONCE))
        return [_entry(place.decode(), fields) for place, fields in entries]


def _entry(place: str, fields: list[bytes]) -> Entry:
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    last, total, lines, over = (values[name] for name in (b"last", b"total", b"lines", b"over"))
    return Entry(place, int(last), int(total), lines, over.decode())


def _lock(task_id: str) -> str:
    return redis_keys.lock(f"log:{task_id}")
