"""Tasks that Lagrange calls terminated: a real Redis, a stand-in for Lagrange."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import redis
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.config import Config, Lag, TaskTable
from app.demo.fake_lagrange import Behaviour, Lagrange
from app.lagrange import missed_terminations
from app.lagrange.missed_terminations import CatchUp
from app.net import http_client
from app.store import AsyncStore, Change, Store, redis_keys
from app.store.job_data import JobData
from app.store.leases import AsyncLease
from app.store.records import State, Task
from app.tasks import transitions

TERMINATED = {"space_status": "Terminated", "payment_amount": 1, "running_time": "60"}


@pytest.fixture
def lagrange() -> Iterator[Lagrange]:
    """A market."""
    with Lagrange(access_token="token") as running:
        yield running


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    """An empty Redis."""
    with redis.Redis.from_url(redis_url) as connection:
        yield Store(connection)


def running(store: Store, lagrange: Lagrange, *, since_seconds: float = 3600) -> Task:
    """Save a task that runs."""
    space = str(uuid.uuid4())
    job = JobData(
        uuid=str(uuid.uuid4()), duration=900, job_source_uri=f"{lagrange.url}/spaces/{space}"
    )
    now = time.time()
    born = transitions.accepted(
        job, host=f"{space[:8]}.example.com", now=now, start_timeout_seconds=60
    )
    after = replace(born.after, state=State.RUNNING, started_at=now - since_seconds)
    store.commit(Change(before=None, after=after, at=now))
    found = store.get(after.id)
    assert found
    return found


async def ask(redis_url: str, lagrange: Lagrange, *, ends: bool, times: int = 1) -> None:
    """Ask Lagrange about every task, while holding the lease."""
    config = Config(
        lag=Lag(server_url=lagrange.url, access_token="token"),
        task=TaskTable(end_terminated=ends),
    )
    store = AsyncStore(redis.asyncio.Redis.from_url(redis_url))
    lease = await AsyncLease.take(store.connection, redis_keys.leader("test"), seconds=9)
    assert lease
    async with http_client.client() as session:
        for _ in range(times):
            await CatchUp(store, config, "04ab").round(session, lease)
    await lease.release()
    await store.close()


def noted(store: Store, task: Task) -> int:
    """Return how often a task's timeline says that Lagrange calls it terminated."""
    return [one.what for one in store.timeline(task.id)].count("called terminated")


async def test_what_lagrange_says_is_written_down(
    redis_url: str, store: Store, lagrange: Lagrange
) -> None:
    """Status, times and payment are kept for each task, numbers and texts alike."""
    task = running(store, lagrange)
    said = {"space_status": "Running", "payment_amount": 0.5, "running_time": 1234567}
    lagrange.payments[task.space_uuid] = said | {"remaining_time": "3600"}
    await ask(redis_url, lagrange, ends=True, times=2)
    market = store.market_statuses()[task.id]
    assert (market.space_status, market.payment_amount) == ("Running", "0.5")
    assert (market.running_time, market.remaining_time) == ("1234567", "3600")
    assert store.get(task.id) == task


async def test_a_terminated_task_is_shown(redis_url: str, store: Store, lagrange: Lagrange) -> None:
    """It is noted once, and goes on as long as the operator does not allow its end."""
    task = running(store, lagrange)
    lagrange.payments[task.space_uuid] = TERMINATED
    await ask(redis_url, lagrange, ends=False, times=3)
    after = store.get(task.id)
    assert after
    assert (after.state, after.stopping, noted(store, task)) == (State.RUNNING, False, 1)
    assert store.market_statuses()[task.id].space_status == "Terminated"


async def test_a_terminated_task_is_ended(redis_url: str, store: Store, lagrange: Lagrange) -> None:
    """Where the operator allows it the second time ends it, as a signed termination does."""
    task = running(store, lagrange)
    lagrange.payments[task.space_uuid] = TERMINATED
    await ask(redis_url, lagrange, ends=True)
    before = store.get(task.id)
    assert before
    assert not before.stopping
    await ask(redis_url, lagrange, ends=True)
    after = store.get(task.id)
    assert after
    assert (after.state, after.outcome) == (State.TERMINATING, State.TERMINATED)


async def test_a_task_that_came_up_just_now(
    redis_url: str, store: Store, lagrange: Lagrange
) -> None:
    """The status of a Space may be its earlier order's while a new job starts."""
    task = running(store, lagrange, since_seconds=5)
    lagrange.payments[task.space_uuid] = TERMINATED
    await ask(redis_url, lagrange, ends=True, times=3)
    assert store.get(task.id) == task


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        [],
        "Terminated",
        {"space_status": ""},
        {"space_status": None},
        {"status": "Terminated"},
        {"space_status": ["Terminated"]},
        {"space_status": "Terminated", "running_time": {"x": 1}},
        {"space_status": "Not terminated"},
        {"space_status": "Terminated" * 100},
    ],
)
async def test_what_says_nothing(
    redis_url: str, store: Store, lagrange: Lagrange, said: object
) -> None:
    """Nothing ends because of an empty or a malformed answer."""
    task = running(store, lagrange)
    lagrange.payments[task.space_uuid] = said
    await ask(redis_url, lagrange, ends=True, times=3)
    assert store.get(task.id) == task


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(status=404),
        Behaviour(status=410),
        Behaviour(status=500),
        Behaviour(fault="reset"),
        Behaviour(fault="garbage"),
        Behaviour(fault="redirect"),
        Behaviour(fault="endless"),
    ],
)
async def test_errors_end_nothing(
    redis_url: str, store: Store, lagrange: Lagrange, behaviour: Behaviour
) -> None:
    """Nothing ends because Lagrange fails, or knows nothing of the Space."""
    task = running(store, lagrange)
    lagrange.payments[task.space_uuid] = TERMINATED
    lagrange.behaviours["/cp/"] = behaviour
    await ask(redis_url, lagrange, ends=True, times=3)
    assert store.get(task.id) == task


async def test_one_failure_keeps_no_other(redis_url: str, store: Store, lagrange: Lagrange) -> None:
    """A failed request about one Space does not affect the others."""
    tasks = [running(store, lagrange) for _ in range(3)]
    for task in tasks[1:]:
        lagrange.payments[task.space_uuid] = TERMINATED
    lagrange.behaviours[f"/cp/04ab/{tasks[0].space_uuid}"] = Behaviour(fault="reset")
    await ask(redis_url, lagrange, ends=False)
    assert [noted(store, task) for task in tasks] == [0, 1, 1]


def test_failed_answers_say_nothing() -> None:
    """An envelope that reports a failure is ignored, whatever its data."""
    answer: dict[str, Any] = {"status": "fail", "data": TERMINATED}
    assert missed_terminations.read(msgspec.json.encode(answer), at=1) is None
    assert missed_terminations.read(msgspec.json.encode(answer | {"status": "success"}), at=1)


@given(st.binary() | st.recursive(st.none() | st.text(), st.lists).map(msgspec.json.encode))
def test_any_bytes(body: bytes) -> None:
    """Any response is parsed or ignored."""
    assert missed_terminations.read(body, at=1) is None
