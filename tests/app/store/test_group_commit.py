"""Group commit."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import redis.asyncio
from redis.exceptions import RedisError

from app.store.group_commit import Commits
from app.store.transaction_script import SCRIPT


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A connection in the loop of the test."""
    found = redis.asyncio.Redis.from_url(redis_url)
    yield found
    await found.aclose()


def plan(*commands: tuple[Any, ...], unless: tuple[Any, ...] | None = None) -> bytes:
    """Return a plan of commands that holds unless a command finds something."""
    checks = [("absent", "", unless)] if unless else []
    return msgspec.msgpack.encode((checks, commands))


async def test_each_has_its_own_answer(connection: redis.asyncio.Redis) -> None:
    """Of many at once, each holds or does not by what those before it wrote, in their order."""
    commits = Commits(connection, SCRIPT)
    plans = [
        plan(("RPUSH", "order", number), ("SET", f"key:{number % 50}", number), unless=check)
        for number in range(200)
        for check in [("GET", f"key:{number % 50}")]
    ]
    answers = await asyncio.gather(*map(commits.carry_out, plans))
    assert answers[:50] == [[0]] * 50
    assert answers[50:] == [[1, str(number % 50).encode()] for number in range(50, 200)]
    order = await connection.lrange("order", 0, -1)
    assert order == [str(number).encode() for number in range(50)]


async def test_fewer_round_trips_than_plans(connection: redis.asyncio.Redis) -> None:
    """Plans that come while another is being written are sent together."""
    commits = Commits(connection, SCRIPT)
    await connection.config_resetstat()
    await asyncio.gather(*(commits.carry_out(plan(("INCR", "n"))) for _ in range(100)))
    statistics = await connection.info("commandstats")
    assert statistics["cmdstat_eval"]["calls"] <= 10
    assert await connection.get("n") == b"100"


async def test_away(redis_url: str) -> None:
    """Everyone who waits is told when Redis is away, and the next one is served when it is back."""
    nowhere = redis.asyncio.Redis.from_url("redis://127.0.0.1:1")
    commits = Commits(nowhere, SCRIPT)
    answers = await asyncio.gather(
        *(commits.carry_out(plan()) for _ in range(200)), return_exceptions=True
    )
    assert all(isinstance(answer, RedisError) for answer in answers)
    async with redis.asyncio.Redis.from_url(redis_url) as back:
        commits._connection = back
        assert await commits.carry_out(plan(("SET", "a", "b"))) == [0]
    await nowhere.aclose()


async def test_who_asked_may_leave(connection: redis.asyncio.Redis) -> None:
    """A plan whose waiter is cancelled takes no other answer along."""
    commits = Commits(connection, SCRIPT)
    leaving = asyncio.create_task(commits.carry_out(plan(("INCR", "n"))))
    staying = asyncio.create_task(commits.carry_out(plan(("INCR", "n"))))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == [0]


async def test_the_provider_stops(connection: redis.asyncio.Redis) -> None:
    """Nobody waits for ever for a sender that was stopped."""
    commits = Commits(connection, SCRIPT)
    waiting = asyncio.create_task(commits.carry_out(plan(("INCR", "n"))))
    await asyncio.sleep(0)
    assert commits._sending is not None
    commits._sending.cancel()
    with pytest.raises(RedisError):
        await waiting
    assert await commits.carry_out(plan(("INCR", "n"))) == [0]
