"""Turns on a real Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from app.errors import Temporary
from app.store.leases import LeaseLost, Leases


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """An empty Redis."""
    async with redis.asyncio.Redis.from_url(redis_url) as opened:
        yield opened


async def test_one_at_a_time(connection: redis.asyncio.Redis) -> None:
    """Of many who ask at once one gets the turn; the next turn has a higher number."""
    turns = [Leases(connection, "x", milliseconds=5000) for _ in range(20)]
    taken = [turn for turn in await asyncio.gather(*(one.take() for one in turns)) if turn]
    assert len(taken) == 1
    await taken[0].check()
    await taken[0].end()
    following = await turns[5].take()
    assert following
    assert following.number > taken[0].number


async def test_a_turn_that_is_not_kept(connection: redis.asyncio.Redis) -> None:
    """It ends by itself, and whoever had it neither keeps, checks nor ends the next one."""
    turns = Leases(connection, "x", milliseconds=100)
    first = await turns.take()
    assert first
    await first.keep()
    await asyncio.sleep(0.15)
    with pytest.raises(LeaseLost):
        await first.keep()
    second = await Leases(connection, "x", milliseconds=5000).take()
    assert second
    for attempt in (first.keep, first.check):
        with pytest.raises(LeaseLost):
            await attempt()
    await first.end()
    await second.check()


async def test_other_turns(connection: redis.asyncio.Redis) -> None:
    """Turns at different things have nothing to do with each other."""
    assert await Leases(connection, "x", milliseconds=5000).take()
    assert await Leases(connection, "y", milliseconds=5000).take()


async def test_a_redis_that_is_away() -> None:
    """Nobody has a turn, nor knows of one, while Redis is away."""
    async with redis.asyncio.Redis(port=9) as nowhere:
        with pytest.raises(Temporary):
            await Leases(nowhere, "x", milliseconds=100).take()
