"""Group commit: plans that come while others are being written are written next, together.

Each plan holds or fails on its own; they share the round trip and the sync to disk.
"""

import asyncio
from typing import Any

from redis.exceptions import ConnectionError as Disconnected

_MOST_TOGETHER = 64

_Waiting = list[tuple[bytes, asyncio.Future[Any]]]


class Commits:
    """Sends plans to Redis, in the order in which they come."""

    def __init__(self, connection: Any, script: str) -> None:
        self._connection = connection
        self._script = script
        self._waiting: _Waiting = []
        self._under_way: _Waiting = []
        self._sending: asyncio.Task[None] | None = None

    async def carry_out(self, plan: bytes) -> Any:
        """Return the answer of the script to a plan.

        Raises:
            RedisError, OSError: Redis is away; whether the plan was carried out is not known.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((plan, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
            self._sending.add_done_callback(self._on_sent)
        return await answer

    async def _send(self) -> None:
        """Send until no plan waits."""
        while self._waiting:
            self._under_way = self._waiting[:_MOST_TOGETHER]
            del self._waiting[:_MOST_TOGETHER]
            plans = (plan for plan, _ in self._under_way)
            answers = await self._connection.eval(self._script, 0, *plans)
            for (_, future), answer in zip(self._under_way, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        self._sending = None

    def _on_sent(self, sending: asyncio.Task[None]) -> None:
        """Fail every plan that waits when Redis is away: each would meet the same error."""
        error = Disconnected("web stops") if sending.cancelled() else sending.exception()
        if error is None:
            return
        for _, future in self._under_way + self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting, self._sending = [], None
