"""Tasks that the clock ends, on a real Redis."""

import time
import uuid

import pytest
from msgspec.structs import replace

from app.context import Context
from app.store import Change, redis_keys
from app.store.job_data import JobData
from app.store.records import State, Task
from app.tasks import advance, deadlines, transitions
from tests.support import market


def due(context: Context, state: State, **fields: float) -> Task:
    """Remember a task whose time is over."""
    job = JobData(
        uuid=str(uuid.uuid4()), duration=900, job_source_uri=f"{market.SPACES}/{uuid.uuid4()}"
    )
    host = f"{job.uuid[:8]}.example.com"
    born = transitions.accepted(job, host=host, now=1, start_timeout_seconds=60)
    after = replace(born.after, state=state, **fields)
    context.store.commit(Change(before=None, after=after, at=1))
    return after


def held(context: Context, task: Task) -> Task:
    """Return a task as it is now."""
    found = context.store.get(task.id)
    assert found
    return found


@pytest.mark.parametrize("state", [State.ACCEPTED, State.FETCHING, State.BUILDING])
def test_a_task_that_is_still_built(context: Context, state: State) -> None:
    """A task that is due is ended like every other; its record stays, and says so."""
    task = due(context, state)
    assert deadlines.end_due(context) == 1
    stopping = held(context, task)
    assert (stopping.state, stopping.outcome) == (State.TERMINATING, State.FAILED)
    assert stopping.pending
    advance.advance(context, task.id)
    ended = held(context, task)
    assert (ended.state, ended.ended) == (State.FAILED, True)
    assert [callback.status for callback in context.store.callbacks(task.id)] == ["failed"]


def test_time_counts_from_the_first_run(context: Context) -> None:
    """While a task is built its duration does not run."""
    task = due(context, State.BUILDING, start_deadline=time.time() + 60)
    assert deadlines.end_due(context) == 0
    assert held(context, task).state is State.BUILDING


def test_a_record_that_cannot_be_read(context: Context) -> None:
    """It stays as it is, and holds up no other, however many there are."""
    bad = [due(context, State.RUNNING, expires_at=2.0) for _ in range(101)]
    for one in bad:
        context.redis.hset(redis_keys.task(one.id), "record", "{}")
    good = due(context, State.RUNNING, expires_at=3.0)
    deadlines.end_due(context)
    deadlines.end_due(context)
    assert held(context, good).outcome is State.EXPIRED
    assert context.redis.hget(redis_keys.task(bad[0].id), "record") == b"{}"
    assert bad[0].id not in context.store.due(redis_keys.DUE, time.time())


def test_a_record_that_cannot_be_read_is_not_forgotten(context: Context) -> None:
    """It is left for another month, and keeps none of those that are over from being forgotten."""
    bad, good = (due(context, State.TERMINATED, ended_at=1.0) for _ in range(2))
    for number, one in enumerate((bad, good)):
        context.redis.zadd(redis_keys.ENDED, {one.id: number})
    context.redis.hset(redis_keys.task(bad.id), "record", "[]")
    context.store.purge(2.0)
    assert context.redis.exists(redis_keys.task(bad.id))
    assert not context.redis.exists(redis_keys.task(good.id))
    assert context.store.due(redis_keys.ENDED, 2.0) == []
