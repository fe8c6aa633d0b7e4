"""The asynchronous store: for web, the outbox, and the reports to Lagrange."""

from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import redis.asyncio

from app.store import decode, queries, redis_keys, rq_queue, transaction_script
from app.store.group_commit import Commits
from app.store.queries import Command, Query, T
from app.store.records import Callback, MarketStatus, Receipt, Report, Task
from app.store.redis_errors import translated
from app.store.transaction import RECEIPT_KEPT, Transaction

_MOST_DUE = 200
_CALLBACKS_KEPT = 100
_SETTLE = """
if redis.call('HLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
"""


class AsyncStore:
    """Reads and changes; every method raises Temporary (category `memory`) when Redis is away."""

    def __init__(self, connection: redis.asyncio.Redis) -> None:
        # redis-py types answers as text or bytes or lists; what comes is bytes.
        self.connection: Any = connection
        scripts = transaction_script.SCRIPT, transaction_script.RELEASING_SCRIPT
        self._commits = {script: Commits(connection, script) for script in scripts}
        self._settle = connection.register_script(_SETTLE)

    async def commit(self, transaction: Transaction) -> None:
        """Carry out a transaction.

        Raises:
            Bound, Conflict, Full, RedisFull, Replayed: Nothing was written.
        """
        plan, meaning = transaction.encoded()
        commits = self._commits[transaction.script]
        transaction_script.outcome(await self._asked(commits.carry_out(plan)), meaning)

    async def read(self, query: Query[T]) -> T:
        """Execute a query."""
        try:
            commands = next(query)
            while True:
                commands = query.send(await self._answers(commands))
        except StopIteration as end:
            value: T = end.value
            return value

    async def get(self, task_id: str) -> Task | None:
        """Return the task of this id (lower case)."""
        return await self.read(queries.task(task_id))

    async def receipt(self, message_id: str) -> Receipt | None:
        """Return the receipt of the event with this idempotency key."""
        return await self.read(queries.receipt(message_id))

    async def bind(self, message_id: str, digest: str, *, for_ever: bool) -> bool:
        """Bind an idempotency key to content unless it is; tell whether it is bound to this."""
        key, period = redis_keys.receipt(message_id), None if for_ever else RECEIPT_KEPT
        pipeline = self.connection.pipeline()
        pipeline.set(key, msgspec.json.encode(digest), ex=period, nx=True)
        pipeline.get(key)
        _, content = await self._asked(pipeline.execute())
        earlier = decode.receipt(content)
        return digest == (earlier.digest if isinstance(earlier, Receipt) else earlier)

    async def find(self, uuid: str) -> list[Task]:
        """Return the tasks known by this job, task or Space uuid (lower case), newest first."""
        return await self.read(queries.find(uuid))

    async def active(self) -> list[Task]:
        """Return every task that is not over and has a readable record."""
        return await self.read(queries.active_readable())

    async def market_status(self, task_id: str) -> MarketStatus | None:
        """Return the last answer of Lagrange about a task's Space."""
        return await self.read(queries.market_status(task_id))

    async def outbox_due(self, now: float) -> list[str]:
        """Return the ids of tasks with a callback that is due."""
        return await self.read(queries.due(redis_keys.OUTBOX, now, limit=_MOST_DUE))

    async def callbacks(self, task_id: str) -> list[Callback]:
        """Return a task's callbacks in order."""
        return await self.read(queries.callbacks(task_id))

    async def fields(self, key: str) -> dict[str, str]:
        """Return all fields of a hash of texts (`redis_keys.RESERVATIONS`)."""
        return await self.read(queries.fields(key))

    async def field(self, key: str, name: str) -> str | None:
        """Return one field of a hash of texts (`redis_keys.demands`)."""
        return await self.read(queries.field(key, name))

    async def value(self, key: str) -> bytes | None:
        """Return the content of a key; None once it has expired."""
        return await self.read(queries.value(key))

    async def metrics(self) -> dict[str, int]:
        """Return every counter, and how many tasks and callbacks wait."""
        return await self.read(queries.metrics())

    async def save_market_status(self, task_id: str, status: MarketStatus) -> None:
        """Write the answer of Lagrange about a task's Space."""
        encoded = msgspec.json.encode(status)
        await self._asked(self.connection.hset(redis_keys.MARKET, task_id, encoded))

    async def save_report(self, path: str, report: Report) -> None:
        """Write the outcome of a report, by its path at Lagrange."""
        encoded = msgspec.json.encode(report)
        await self._asked(self.connection.hset(redis_keys.REPORTS, path, encoded))

    async def save_callback(self, task_id: str, callback: Callback, *, counter: str) -> None:
        """Write the outcome of a delivery, count it, and forget the one long before it."""
        pipeline = self.connection.pipeline()
        encoded = msgspec.json.encode(callback)
        pipeline.hset(redis_keys.callbacks(task_id), callback.sequence, encoded)
        pipeline.hdel(redis_keys.callbacks(task_id), str(callback.sequence - _CALLBACKS_KEPT))
        pipeline.hincrby(redis_keys.METRICS, counter, 1)
        await self._asked(pipeline.execute())

    async def postpone_outbox(self, task_id: str, until: float) -> None:
        """Have a task's callbacks due again at this time."""
        await self._asked(self.connection.zadd(redis_keys.OUTBOX, {task_id: until}))

    async def settle_outbox(self, task_id: str, *, seen: int) -> bool:
        """Remove a task from the outbox unless it has more callbacks than were seen."""
        arguments = (redis_keys.callbacks(task_id), redis_keys.OUTBOX)
        return bool(await self._asked(self._settle(keys=arguments, args=(seen, task_id))))

    async def order(
        self, work: str, about: str, key: str, content: bytes, period: timedelta
    ) -> None:
        """Write a key that expires and enqueue work on it, both or neither."""
        pipeline = self.connection.pipeline()
        pipeline.set(key, content, ex=period)
        for command in rq_queue.entry(about, work=work):
            pipeline.execute_command(*command)
        await self._asked(pipeline.execute())

    async def count(self, counters: dict[str, int]) -> None:
        """Add to counters."""
        pipeline = self.connection.pipeline(transaction=False)
        for name, number in counters.items():
            pipeline.hincrby(redis_keys.METRICS, name, number)
        await self._asked(pipeline.execute())

    async def probe(self) -> bool:
        """Return once Redis takes writes; tell whether it is too full for new jobs."""
        return await self.read(queries.probe())

    async def close(self) -> None:
        """Close every connection."""
        await self.connection.aclose(close_connection_pool=True)

    async def _answers(self, commands: Sequence[Command]) -> Sequence[Any]:
        if len(commands) == 1:
            return [await self._asked(self.connection.execute_command(*commands[0]))]
        pipeline = self.connection.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: Sequence[Any] = await self._asked(pipeline.execute())
        return answers

    async def _asked(self, question: Awaitable[Any]) -> Any:
        with translated():
            return await question
