"""Steps that are superseded, or lose their lock, on a real Redis."""

import time
import uuid
from collections.abc import Callable

import pytest

from app.context import Context
from app.errors import Temporary
from app.store import Change, leases
from app.store.job_data import JobData
from app.store.records import State, Task
from app.tasks import transitions
from app.tasks.step import StepContext, Superseded
from tests.support import market


def accepted(context: Context) -> Task:
    """Remember a new task."""
    job = JobData(
        uuid=str(uuid.uuid4()), duration=900, job_source_uri=f"{market.SPACES}/{uuid.uuid4()}"
    )
    host = f"{job.uuid[:8]}.example.com"
    context.store.commit(transitions.accepted(job, host=host, now=1, start_timeout_seconds=60))
    return held(context, job.uuid)


def held(context: Context, task_id: str) -> Task:
    """Return a task as it is now."""
    task = context.store.get(task_id)
    assert task
    return task


def ended(task: Task) -> Change:
    """Return a termination."""
    return transitions.stopping(task, State.TERMINATED, None, now=time.time())


def redeployed(task: Task) -> Change:
    """Return a redeploy."""
    return transitions.redeployed(task, task.job, now=time.time())


@pytest.mark.parametrize("change", [ended, redeployed])
def test_a_step_that_is_not_wanted(context: Context, change: Callable[[Task], Change]) -> None:
    """A termination or a redeploy ends the step before its next write, and its commit."""
    task = accepted(context)
    with leases.held(context.redis, f"task:{task.id}") as lock:
        work = StepContext(context, task, lock)
        work.check()
        context.store.commit(change(task))
        with pytest.raises(Superseded):
            work.check()
        with pytest.raises(Superseded):
            work.commit(transitions.fetching(task, now=time.time()))


def test_a_renewal_is_no_reason_to_stop(context: Context) -> None:
    """More time changes nothing of what is being done; the record is read again to be written."""
    task = accepted(context)
    with leases.held(context.redis, f"task:{task.id}") as lock:
        work = StepContext(context, task, lock)
        context.store.commit(transitions.renewed(task, seconds=60, now=time.time()))
        work.check()
        work.current().commit(transitions.fetching(held(context, task.id), now=time.time()))


def test_a_lost_lock(context: Context) -> None:
    """A step that has lost the lock writes nothing more: another worker may be at the task."""
    task = accepted(context)
    with leases.held(context.redis, f"task:{task.id}") as lock:
        context.redis.delete(f"cp:lock:task:{task.id}")
        with pytest.raises(Temporary):
            StepContext(context, task, lock).check()
