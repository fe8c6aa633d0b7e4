"""The reporter on real sockets: a stand-in for Lagrange and a real Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import redis
import redis.asyncio

from app.config import Lag
from app.demo.fake_lagrange import Behaviour, Lagrange
from app.lagrange.report_loop import (
    Reporter,
    ReportFacts,
    Schedule,
    Schedules,
)
from app.lagrange.report_payloads import Provider
from app.store import AsyncStore, Store, redis_keys
from k8s.inventory.inventory import Inventory, Node

PROVIDER = Provider(name="cp-1", node_id="04ab", multi_address="/ip4/192.0.2.7/tcp/8085")
SCHEDULES = Schedules(
    registration=Schedule(every=1.0, timeout=0.5),
    heartbeat=Schedule(every=0.2, timeout=0.5),
    summary=Schedule(every=0.2, timeout=0.5),
)
SEEN = ReportFacts(Inventory(nodes=(Node(name="node-1", machine_id="7f3a"),)), free={}, active=True)


@pytest.fixture
def lagrange() -> Iterator[Lagrange]:
    """A market that knows nobody."""
    with Lagrange(access_token="token") as running:
        yield running


async def seen() -> ReportFacts | None:
    """Look at a cluster of one node."""
    return SEEN


async def busy() -> ReportFacts | None:
    """Look at a cluster that has nothing left."""
    return ReportFacts(SEEN.inventory, free={}, active=False)


@asynccontextmanager
async def reporting(
    lagrange: Lagrange, redis_url: str, look: Callable[[], Awaitable[ReportFacts | None]] = seen
) -> AsyncIterator[None]:
    """Report while the block runs."""
    store = AsyncStore(redis.asyncio.Redis.from_url(redis_url))
    lag = Lag(server_url=lagrange.url, access_token="token")
    stopped = asyncio.Event()
    reporter = Reporter(store, lag, PROVIDER, look, schedules=SCHEDULES)
    running = asyncio.create_task(reporter.run(stopped))
    try:
        yield
    finally:
        stopped.set()
        await running
        await store.close()


def bodies(lagrange: Lagrange, path: str) -> list[dict[str, Any]]:
    """Return what was reported to a path so far."""
    with lagrange.records.changed:
        return [dict(one.body) for one in lagrange.records.reports if one.path == path]


def has(lagrange: Lagrange, path: str, count: int) -> bool:
    """Tell whether a path got at least `count` reports."""
    return len(bodies(lagrange, path)) >= count


async def until(condition: Callable[[], object], *, seconds: float = 10) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.02)


async def test_everything_is_reported(lagrange: Lagrange, redis_url: str) -> None:
    """The provider registers at once, sends heartbeats and summaries, and repeats each."""
    async with reporting(lagrange, redis_url):
        for path in ("/cp", "/cp/heartbeat", "/cp/summary"):
            await until(partial(has, lagrange, path, 2))
    assert lagrange.records.reports[0].path in {"/cp", "/cp/summary"}
    assert bodies(lagrange, "/cp")[0]["status"] == "Active"
    summary = bodies(lagrange, "/cp/summary")[0]
    assert summary["node_id"] == "04ab"
    assert [one["machine_id"] for one in summary["cluster_info"]] == ["7f3a"]


async def test_a_missed_heartbeat_registers_again(lagrange: Lagrange, redis_url: str) -> None:
    """A heartbeat that fails is followed by a registration at once, with the true status."""
    async with reporting(lagrange, redis_url, busy):
        await until(lambda: bodies(lagrange, "/cp/heartbeat"))
        before = len(bodies(lagrange, "/cp"))
        at = time.monotonic()
        lagrange.behaviours["/cp/heartbeat"] = Behaviour(status=500, times=1)
        await until(lambda: len(bodies(lagrange, "/cp")) > before)
    assert time.monotonic() - at < SCHEDULES.registration.every
    assert {one["status"] for one in bodies(lagrange, "/cp")} == {"Inactive"}


@pytest.mark.parametrize("path", ["/cp", "/cp/heartbeat", "/cp/summary"])
async def test_no_call_holds_up_another(lagrange: Lagrange, redis_url: str, path: str) -> None:
    """A call that hangs does not delay the others."""
    others = {"/cp", "/cp/heartbeat", "/cp/summary"} - {path}
    async with reporting(lagrange, redis_url):
        await until(lambda: bodies(lagrange, "/cp/heartbeat"))
        for other in others:
            lagrange.behaviours[other] = Behaviour()
        lagrange.behaviours[path] = Behaviour(fault="drip")
        await asyncio.sleep(0.6)
        before = {other: len(bodies(lagrange, other)) for other in others}
        hung = len(bodies(lagrange, path))
        for other in others:
            await until(partial(has, lagrange, other, before[other] + 1))
        assert len(bodies(lagrange, path)) == hung


async def test_a_cluster_that_nobody_sees(lagrange: Lagrange, redis_url: str) -> None:
    """Without a snapshot the provider is registered as Inactive, and reports no resources."""
    blind = asyncio.Event()

    async def look() -> ReportFacts | None:
        return None if blind.is_set() else SEEN

    async with reporting(lagrange, redis_url, look):
        await until(lambda: bodies(lagrange, "/cp/summary") and bodies(lagrange, "/cp/heartbeat"))
        blind.set()
        await asyncio.sleep(0.1)
        summaries, beats = (len(bodies(lagrange, one)) for one in ("/cp/summary", "/cp/heartbeat"))
        await until(lambda: bodies(lagrange, "/cp")[-1]["status"] == "Inactive")
        await until(lambda: has(lagrange, "/cp/heartbeat", beats + 2))
        assert len(bodies(lagrange, "/cp/summary")) == summaries


async def test_one_replica_at_a_time(lagrange: Lagrange, redis_url: str) -> None:
    """The second replica reports nothing until the first has stopped, then at once."""
    async with reporting(lagrange, redis_url, busy):
        await until(lambda: bodies(lagrange, "/cp"))
        second = reporting(lagrange, redis_url)
        await second.__aenter__()
        await asyncio.sleep(1.5)
        assert {one["status"] for one in bodies(lagrange, "/cp")} == {"Inactive"}
    await until(lambda: bodies(lagrange, "/cp")[-1]["status"] == "Active")
    await second.__aexit__(None, None, None)


async def test_a_lost_lease(lagrange: Lagrange, redis_url: str) -> None:
    """A replica that lost the lease sends nothing more, even before it notices."""
    with redis.Redis.from_url(redis_url) as connection:
        async with reporting(lagrange, redis_url):
            await until(lambda: bodies(lagrange, "/cp/heartbeat"))
            connection.set(redis_keys.leader("reports"), "another's token", ex=60)
            await asyncio.sleep(0.1)
            before = len(lagrange.records.reports)
            await asyncio.sleep(1)
            assert len(lagrange.records.reports) == before
            connection.delete(redis_keys.leader("reports"))
            await until(lambda: len(lagrange.records.reports) > before)


async def test_a_turn_that_is_lost_as_a_heartbeat_fails(lagrange: Lagrange, redis_url: str) -> None:
    """A duty that ends as it is cancelled does not go on under a lost lease."""
    store = AsyncStore(redis.asyncio.Redis.from_url(redis_url))
    lag = Lag(server_url=lagrange.url, access_token="token")
    reporter = Reporter(store, lag, PROVIDER, seen, schedules=SCHEDULES)
    running = asyncio.create_task(reporter.run(asyncio.Event()))
    await until(lambda: bodies(lagrange, "/cp"))
    await asyncio.sleep(0.1)
    reporter._unregistered.set()
    running.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(running, return_exceptions=True)
    await store.close()


async def test_what_came_of_each_report(lagrange: Lagrange, redis_url: str) -> None:
    """The outcome of each report is saved: the time, and the error if Lagrange refused it."""
    lagrange.behaviours["/cp/summary"] = Behaviour(status=500)
    with redis.Redis.from_url(redis_url) as connection:
        store = Store(connection)
        async with reporting(lagrange, redis_url, busy):
            await until(lambda: len(store.reports()) == 3)
        reports = store.reports()
    assert (reports["/cp"].status, reports["/cp"].error) == ("Inactive", "")
    assert reports["/cp/summary"].error == "Lagrange answered 500"
    assert all(abs(report.at - time.time()) < 60 for report in reports.values())
