"""Whose turn it is: one replica at a time, each turn with a higher number than any before.

A turn ends by itself when it is not kept, so that a replica that dies is replaced within seconds;
the number is the fencing token by which an earlier holder notices that it is one.
"""

from collections.abc import Awaitable
from typing import Any

from app.store import redis_keys
from app.store.redis_errors import translated

_TAKE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local number = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], number, 'PX', ARGV[1])
return number
"""
_KEEP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_END = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class LeaseLost(Exception):
    """The turn is another replica's by now, or nobody's."""


class Lease:
    """The right to do something, for as long as it is kept.

    Attributes:
        number: Higher than that of every earlier turn.
    """

    def __init__(self, turns: "Leases", number: int) -> None:
        self._turns = turns
        self.number = number

    async def keep(self) -> None:
        """Have it for its whole time from now on.

        Raises:
            Lost: It was over.
            Temporary: Redis is away.
        """
        if not await self._turns.kept(self.number):
            raise LeaseLost

    async def check(self) -> None:
        """Return while it is this replica's turn.

        Raises:
            Lost: It is not.
            Temporary: Redis is away, so that nobody knows.
        """
        if await self._turns.current() != self.number:
            raise LeaseLost

    async def end(self) -> None:
        """Let the next replica have its turn at once.

        Raises:
            Temporary: Redis is away; the turn ends by itself.
        """
        await self._turns.ended(self.number)


class Leases:
    """The turns at one thing.

    Args:
        connection: A `redis.asyncio.Redis`.
        name: What it is about.
        milliseconds: How long a turn lasts that is not kept.
    """

    def __init__(self, connection: Any, name: str, *, milliseconds: int) -> None:
        self._connection = connection
        self._keys = (redis_keys.turn(name), redis_keys.turns(name))
        self._milliseconds = milliseconds
        self._take = connection.register_script(_TAKE)
        self._keep = connection.register_script(_KEEP)
        self._end = connection.register_script(_END)

    async def take(self) -> Lease | None:
        """Return a turn; None while another replica has one.

        Raises:
            Temporary: Redis is away.
        """
        number = int(await _asked(self._take(keys=self._keys, args=(self._milliseconds,))))
        return Lease(self, number) if number else None

    async def kept(self, number: int) -> bool:
        """Prolong a turn; False when it is over."""
        arguments = (number, self._milliseconds)
        return bool(await _asked(self._keep(keys=self._keys[:1], args=arguments)))

    async def current(self) -> int | None:
        """Return the number of the turn that somebody has now."""
        found = await _asked(self._connection.get(self._keys[0]))
        return int(found) if found else None

    async def ended(self, number: int) -> None:
        """End a turn, unless it is over."""
        await _asked(self._end(keys=self._keys[:1], args=(number,)))


async def _asked(question: Awaitable[Any]) -> Any:
    with translated():
        return await question
