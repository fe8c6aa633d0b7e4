"""The memory for processes that must not wait on it: web, and the sender of callbacks."""

import secrets
from collections.abc import Awaitable, Iterable
from datetime import timedelta
from typing import Any

import msgspec
import redis.asyncio

from app.store import decode, redis_keys, rq_queue
from app.store import transaction as transaction_script
from app.store.group_commit import Commits
from app.store.records import (
    Callback,
    MarketStatus,
    Receipt,
    Report,
    Task,
)
from app.store.redis_errors import translated

_MOST_DUE = 200
_SETTLE = """
if redis.call('HLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
"""
_EXTEND = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)


class AsyncStore:
    """Reads and changes; every method raises Temporary (category `memory`) when Redis is away."""

    def __init__(self, connection: redis.asyncio.Redis) -> None:
        # redis-py types answers as text or bytes or lists; what comes is bytes.
        self.connection: Any = connection
        self._commits = Commits(connection)
        self._settle = connection.register_script(_SETTLE)
        self._extend = connection.register_script(_EXTEND)
        self._release = connection.register_script(_RELEASE)

    async def commit(self, transaction: transaction_script.Transaction) -> None:
        """Carry out a transaction.

        Raises:
            Conflict, Full, Replayed: Nothing was written.
        """
        plan, meaning = transaction.encoded()
        transaction_script.outcome(await self._asked(self._commits.carry_out(plan)), meaning)

    async def get(self, task_id: str) -> Task | None:
        """Return the task of this id (lower case)."""
        fields = await self._asked(
            self.connection.hmget(redis_keys.task(task_id), "record", "version")
        )
        return decode.task(fields)

    async def receipt(self, message_id: str) -> Receipt | None:
        """Return what was accepted under this idempotency key."""
        return decode.receipt(
            await self._asked(self.connection.get(redis_keys.receipt(message_id)))
        )

    async def find(self, uuid: str) -> list[Task]:
        """Return the tasks known by this job, task or Space uuid (lower case), newest first."""
        ids = await self._asked(
            self.connection.zrevrange(redis_keys.lookup(uuid), 0, redis_keys.MOST_FOUND - 1)
        )
        return await self._many(redis_keys.candidates(uuid, ids))

    async def active(self) -> list[Task]:
        """Return every task that is not over, and whose record can be read."""
        ids = await self._asked(self.connection.smembers(redis_keys.ACTIVE))
        return [task for task in map(decode.readable, await self._records(ids)) if task]

    async def market(self, task_id: str) -> MarketStatus | None:
        """Return what Lagrange said last of a task's Space."""
        return decode.market(await self._asked(self.connection.hget(redis_keys.MARKET, task_id)))

    async def save_market(self, task_id: str, said: MarketStatus) -> None:
        """Write down what Lagrange says of a task's Space."""
        encoded = msgspec.json.encode(said)
        await self._asked(self.connection.hset(redis_keys.MARKET, task_id, encoded))

    async def save_report(self, path: str, came: Report) -> None:
        """Write down what came of a report to Lagrange, by its path there."""
        await self._asked(self.connection.hset(redis_keys.REPORTS, path, msgspec.json.encode(came)))

    async def _many(self, ids: Iterable[bytes]) -> list[Task]:
        return [task for task in map(decode.task, await self._records(ids)) if task]

    async def _records(self, ids: Iterable[bytes]) -> list[Any]:
        pipeline = self.connection.pipeline(transaction=False)
        for task_id in ids:
            pipeline.hmget(redis_keys.task(task_id.decode()), "record", "version")
        found: list[Any] = await self._asked(pipeline.execute())
        return found

    async def outbox_due(self, now: float) -> list[str]:
        """Return the ids of tasks with a callback whose time has come."""
        ids = await self._asked(
            self.connection.zrangebyscore(redis_keys.OUTBOX, "-inf", now, start=0, num=_MOST_DUE)
        )
        return [task_id.decode() for task_id in ids]

    async def callbacks(self, task_id: str) -> list[Callback]:
        """Return a task's callbacks in order."""
        return decode.callbacks(
            await self._asked(self.connection.hgetall(redis_keys.callbacks(task_id)))
        )

    async def save_callback(self, task_id: str, callback: Callback, *, counter: str) -> None:
        """Write down how a delivery went, and count it."""
        pipeline = self.connection.pipeline()
        encoded = msgspec.json.encode(callback)
        pipeline.hset(redis_keys.callbacks(task_id), callback.sequence, encoded)
        pipeline.hincrby(redis_keys.METRICS, counter, 1)
        await self._asked(pipeline.execute())

    async def postpone_outbox(self, task_id: str, until: float) -> None:
        """Look at a task's callbacks again then."""
        await self._asked(self.connection.zadd(redis_keys.OUTBOX, {task_id: until}))

    async def settle_outbox(self, task_id: str, *, seen: int) -> bool:
        """Take a task out of the outbox unless it has more callbacks than were seen."""
        arguments = (redis_keys.callbacks(task_id), redis_keys.OUTBOX)
        return bool(await self._asked(self._settle(keys=arguments, args=(seen, task_id))))

    async def lease(self, name: str, seconds: int) -> str | None:
        """Take a lock that ends by itself; return the token to give it back with, None if taken."""
        token = secrets.token_hex(16)
        taken = await self._asked(
            self.connection.set(redis_keys.lock(name), token, nx=True, ex=seconds)
        )
        return token if taken else None

    async def extend(self, name: str, token: str, seconds: int) -> bool:
        """Keep a lock for longer; False when it is not ours any more."""
        key = redis_keys.lock(name)
        return bool(await self._asked(self._extend(keys=(key,), args=(token, seconds))))

    async def release(self, name: str, token: str) -> None:
        """Give a lock back, unless it is somebody else's by now."""
        await self._asked(self._release(keys=(redis_keys.lock(name),), args=(token,)))

    async def order(
        self, work: str, about: str, key: str, content: bytes, period: timedelta
    ) -> None:
        """Write something down for some time and call a worker for it, both or neither."""
        pipeline = self.connection.pipeline()
        pipeline.set(key, content, ex=period)
        for command in rq_queue.entry(about, work=work):
            pipeline.execute_command(*command)
        await self._asked(pipeline.execute())

    async def fields(self, key: str) -> dict[str, str]:
        """Return all fields of a hash of texts (`keys.RESERVATIONS`)."""
        found = await self._asked(self.connection.hgetall(key))
        return {name.decode(): content.decode() for name, content in found.items()}

    async def kept(self, key: str) -> bytes | None:
        """Return what was written down; None when its time is over."""
        found: bytes | None = await self._asked(self.connection.get(key))
        return found

    async def count(self, counters: dict[str, int]) -> None:
        """Add to metrics."""
        pipeline = self.connection.pipeline(transaction=False)
        for name, number in counters.items():
            pipeline.hincrby(redis_keys.METRICS, name, number)
        await self._asked(pipeline.execute())

    async def metrics(self) -> dict[str, int]:
        """Return every counter, and the sizes of what is waiting."""
        pipeline = self.connection.pipeline(transaction=False)
        decode.ask_metrics(pipeline)
        return decode.metrics(await self._asked(pipeline.execute()))

    async def ping(self) -> None:
        """Return when Redis answers."""
        await self._asked(self.connection.ping())

    async def close(self) -> None:
        """Give every connection back."""
        await self.connection.aclose(close_connection_pool=True)

    async def _asked(self, question: Awaitable[Any]) -> Any:
        with translated():
            return await question
