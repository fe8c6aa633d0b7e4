"""Leases on a real Redis."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.errors import Temporary
from app.store import leases, redis_keys
from app.store.leases import AsyncLease, Busy, Lease, LeaseLost

KEY = redis_keys.lock("x")


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """An empty Redis."""
    async with redis.asyncio.Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def waiting(redis_url: str) -> redis.Redis:
    """The same Redis, synchronously."""
    return redis.Redis.from_url(redis_url)


async def test_one_at_a_time(connection: redis.asyncio.Redis) -> None:
    """Of many who ask at once one gets the lease, and the next one gets it when it is released."""
    asked = (AsyncLease.take(connection, KEY, seconds=5) for _ in range(20))
    [first] = [lease for lease in await asyncio.gather(*asked) if lease]
    await first.check()
    await first.release()
    second = await AsyncLease.take(connection, KEY, seconds=5)
    assert second
    with pytest.raises(LeaseLost):
        await first.check()


async def test_a_lease_that_is_not_renewed(connection: redis.asyncio.Redis) -> None:
    """It ends by itself, and its holder neither renews, checks nor releases the next one."""
    first = await AsyncLease.take(connection, KEY, seconds=0.1)
    assert first
    await first.renew()
    await asyncio.sleep(0.15)
    with pytest.raises(LeaseLost):
        await first.renew()
    second = await AsyncLease.take(connection, KEY, seconds=5)
    assert second
    for attempt in (first.renew, first.check):
        with pytest.raises(LeaseLost):
            await attempt()
    await first.release()
    await second.check()


async def test_other_leases(connection: redis.asyncio.Redis) -> None:
    """Leases of different names have nothing to do with each other."""
    assert await AsyncLease.take(connection, KEY, seconds=5)
    assert await AsyncLease.take(connection, redis_keys.lock("y"), seconds=5)


async def test_a_redis_that_is_away() -> None:
    """No lease is taken while Redis is away."""
    async with redis.asyncio.Redis(port=9) as nowhere:
        with pytest.raises(Temporary):
            await AsyncLease.take(nowhere, KEY, seconds=5)
    waits = redis.Redis(port=9, retry=Retry(NoBackoff(), 0))
    with pytest.raises(Temporary, match="Redis does not answer"):
        Lease.take(waits, KEY, seconds=5)


def test_a_lost_lease(waiting: redis.Redis) -> None:
    """The holder notices the loss, and leaves the next holder's lease alone."""
    lease = Lease.take(waiting, KEY, seconds=5)
    assert lease
    assert Lease.take(waiting, KEY, seconds=5) is None
    lease.renew()
    waiting.delete(KEY)
    for attempt in (lease.renew, lease.check):
        with pytest.raises(LeaseLost):
            attempt()
    assert Lease.take(waiting, KEY, seconds=5)
    lease.release()
    assert waiting.exists(KEY)


def test_several_are_held_together(waiting: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are held or none is; another holder is waited for, then the error names the lease."""
    monkeypatch.setattr(leases, "_WAIT_SECONDS", 0.2)
    with leases.held(waiting, "a", "b") as lease:
        lease.check()
        with pytest.raises(Busy, match="another worker holds b"), leases.held(waiting, "c", "b"):
            pass
        assert leases.is_held(waiting, "a")
        assert not leases.is_held(waiting, "c")
        waiting.delete(redis_keys.lock("b"))
        with pytest.raises(LeaseLost):
            lease.check()
    assert not leases.is_held(waiting, "a")


def test_what_is_held_is_renewed(waiting: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The block may take longer than a lease lasts."""
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(leases, "_RENEW_SECONDS", 0.1)
    with leases.held(waiting, "a") as lease:
        time.sleep(0.8)
        lease.check()
