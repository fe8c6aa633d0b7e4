"""Transactions: everything that belongs together, or nothing."""

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from app.context import Context
from app.store import (
    AsyncStore,
    Change,
    Conflict,
    Full,
    Guard,
    Replayed,
    Transaction,
    redis_keys,
)
from app.store.job_data import JobData
from app.store.records import Callback, Reason, Receipt, State, Task
from app.tasks import transitions
from tests.support import market
from tests.support.redis_contents import everything

NOW = 1_800_000_000.123456


def birth(**fields: Any) -> Change:
    """Return the birth of a task."""
    job = msgspec.convert(market.job(**fields), JobData)
    return transitions.accepted(
        job, host=f"{job.uuid[:8]}.example.com", now=NOW, start_timeout_seconds=3600
    )


def stored(context: Context, task: Task) -> Task:
    """Return a task as the store has it."""
    current = context.store.get(task.id)
    assert current is not None
    return current


@pytest.fixture
async def store(context: Context) -> Any:
    """An asynchronous store in the loop of the test."""
    own = Context(context.folder, context.config).async_store
    yield own
    await own.close()


async def test_a_birth_is_whole(context: Context, store: AsyncStore) -> None:
    """A new task, its receipt, its names, its deadline, its claim and its wake-up come together."""
    change = birth()
    task, redis = change.after, context.redis
    receipt = Receipt(digest="d", status=202, body=b"\x00{}", task_id=task.id, received_at=NOW)
    await store.commit(Transaction(changes=(change,), message_id="m", receipt=receipt))
    assert await store.receipt("m") == receipt
    assert 0 < redis.ttl(redis_keys.receipt("m")) <= 14 * 86400
    assert await store.get(task.id) == replace(task, version=1)
    for uuid in task.uuids:
        assert [known.id for known in await store.find(uuid)] == [task.id]
        assert [known.id for known in context.store.find(uuid)] == [task.id]
    assert redis.zscore(redis_keys.DUE, task.id) == NOW + 3600
    assert redis.zscore(redis_keys.TASKS, task.id) == NOW
    assert redis.sismember(redis_keys.ACTIVE, task.id)
    assert redis.hget(redis_keys.HOSTS, task.host) == task.id.encode()
    assert redis.zscore(redis_keys.PENDING, task.id) == NOW + 30
    assert redis.llen("rq:queue:work") == 1
    assert [one.what for one in context.store.timeline(task.id)] == ["accepted"]


@pytest.fixture
def before(redis_url: str) -> Iterator[dict[bytes, Any]]:
    """Everything in Redis, to be compared afterwards."""
    found: dict[bytes, Any] = {}
    yield found
    assert everything(redis_url) == found


async def test_refused_is_not_begun(
    context: Context, store: AsyncStore, redis_url: str, before: dict[bytes, Any]
) -> None:
    """When one check of several changes fails, nothing of any of them is written."""
    first, second = birth(), birth()
    context.store.commit(first)
    before.update(everything(redis_url))
    held = stored(context, first.after)
    stale = transitions.renewed(replace(held, version=7), seconds=60, now=NOW)
    receipt = Receipt(digest="d", status=202, body=b"{}", task_id="", received_at=NOW)
    with pytest.raises(Conflict):
        await store.commit(Transaction(changes=(second, stale), message_id="m", receipt=receipt))
    with pytest.raises(Conflict):
        await store.commit(Transaction(changes=(second, first)))
    with pytest.raises(Full):
        await store.commit(Transaction(changes=(second,), max_active=1))
    claimed = Guard(redis_keys.HOSTS, first.after.host, None, second.after.id)
    with pytest.raises(Conflict):
        context.store.commit(replace(second, guards=(claimed,)))
    wrong = Guard(redis_keys.HOSTS, first.after.host, "another", None)
    with pytest.raises(Conflict):
        context.store.commit(replace(second, guards=(wrong,)))


async def test_a_message_counts_once(context: Context, store: AsyncStore) -> None:
    """A message that was accepted is found, whatever else would stand against the change."""
    change = birth()
    receipt = Receipt(digest="d", status=202, body=b"{}", task_id="t", received_at=NOW)
    transaction = Transaction(changes=(change,), message_id="m", receipt=receipt, max_active=1)
    await store.commit(transaction)
    for again in (transaction, replace(transaction, changes=(birth(),))):
        with pytest.raises(Replayed) as caught:
            await store.commit(again)
        assert caught.value.receipt == receipt
    assert context.redis.scard(redis_keys.ACTIVE) == 1


async def test_kept_for_ever(context: Context, store: AsyncStore) -> None:
    """A receipt without an end has none."""
    receipt = Receipt(digest="d", status=200, body=b"{}", task_id="", received_at=NOW)
    transaction = Transaction(message_id="m", receipt=receipt, receipt_for_ever=True)
    await store.commit(transaction)
    assert context.redis.ttl(redis_keys.receipt("m")) == -1


def test_records_come_back(context: Context) -> None:
    """Whatever a record holds is read as it was written, text of all kinds included."""
    change = birth(name="ü \x00 \u2028 '\"\\ 😀")
    task = replace(
        change.after,
        space_name="日本語",
        reason=Reason("x", "\r\n\x7f"),
        components={"web": 2},
        expires_at=NOW,
    )
    workload = msgspec.json.encode({"text": "\x00ü"})
    context.store.commit(replace(change, after=task, workload=workload))
    assert stored(context, task) == replace(task, version=1)
    assert context.redis.get(redis_keys.workload(task.id, 1)) == workload


def test_versions_count(context: Context) -> None:
    """Each change of a task is made upon the one before it."""
    change = birth()
    context.store.commit(change)
    one = stored(context, change.after)
    renewals = [transitions.renewed(one, seconds=number, now=NOW) for number in (1, 2)]
    context.store.commit(renewals[0])
    with pytest.raises(Conflict):
        context.store.commit(renewals[1])
    two = stored(context, change.after)
    assert (two.version, two.duration) == (2, 901)


def test_an_end_leaves_nothing_to_do(context: Context) -> None:
    """A task that is over is neither active nor due, and holds no host; its callbacks are owed."""
    change = birth()
    context.store.commit(change)
    task = stored(context, change.after)
    context.store.commit(transitions.stopping(task, State.EXPIRED, None, now=NOW))
    context.store.commit(transitions.ended(stored(context, task), now=NOW))
    ended, redis = stored(context, task), context.redis
    assert (ended.state, ended.ended_at) == (State.EXPIRED, NOW)
    for key in (redis_keys.DUE, redis_keys.PENDING):
        assert redis.zscore(key, task.id) is None
    assert not redis.sismember(redis_keys.ACTIVE, task.id)
    assert not redis.hexists(redis_keys.HOSTS, task.host)
    assert redis.zscore(redis_keys.ENDED, task.id) == NOW
    assert redis.zscore(redis_keys.OUTBOX, task.id) == NOW
    assert [one.status for one in context.store.callbacks(task.id)] == ["expired"]
    assert redis.hget(redis_keys.METRICS, "tasks_ended:expired") == b"1"


def test_owed_callbacks_keep_their_turn(context: Context) -> None:
    """A further callback does not put off the delivery that is due."""
    change = birth()
    context.store.commit(change)
    task = stored(context, change.after)
    for number in (1, 2):
        one = Callback(
            sequence=number, status="x", reason="", timestamp=NOW, message_id=f"c{number}"
        )
        after = replace(task, sequence=number)
        context.store.commit(Change(before=task, after=after, at=NOW + number, callbacks=(one,)))
        task = stored(context, task)
    assert context.redis.zscore(redis_keys.OUTBOX, task.id) == NOW + 1
    assert [one.sequence for one in context.store.callbacks(task.id)] == [1, 2]


def test_timelines_are_bounded(context: Context) -> None:
    """A timeline keeps its last entries, and does not grow without end."""
    change = birth()
    context.store.commit(change)
    line = msgspec.json.encode({"at": 1.0, "what": "x", "detail": ""})
    context.redis.rpush(redis_keys.timeline(change.after.id), *[line] * 600)
    task = stored(context, change.after)
    context.store.commit(transitions.renewed(task, seconds=1, now=NOW))
    timeline = context.store.timeline(task.id)
    assert len(timeline) == 500
    assert timeline[-1].what == "renewed"


def test_large_values(context: Context) -> None:
    """A body of the largest size that the intake takes is written."""
    change = birth()
    task = replace(change.after, space_name="x" * (1 << 20))
    context.store.commit(replace(change, after=task))
    assert stored(context, task).space_name == task.space_name


def test_time_goes_on(context: Context) -> None:
    """Times are kept to the microsecond."""
    now = time.time()
    change = birth()
    after = replace(change.after, created_at=now)
    context.store.commit(replace(change, after=after))
    assert stored(context, after).created_at == now
    assert context.redis.zscore(redis_keys.TASKS, after.id) == now
