"""Which tasks are looked at."""

import time
import uuid

import pytest
from msgspec.structs import replace

from app.context import Context
from app.store import Change, redis_keys
from app.store.job_data import JobData
from app.store.records import State, Task
from app.tasks import observe, transitions
from app.tasks.observation import Observation
from k8s.api import watch
from k8s.api.objects import Metadata, Pod
from k8s.naming import labels
from tests.support import market


def running(context: Context) -> Task:
    """Remember a task that runs."""
    job = JobData(
        uuid=str(uuid.uuid4()), duration=900, job_source_uri=f"{market.SPACES}/{uuid.uuid4()}"
    )
    host = f"{job.uuid[:8]}.example.com"
    born = transitions.accepted(job, host=host, now=1, start_timeout_seconds=60)
    after = replace(born.after, state=State.RUNNING, applied_revision=1, components={"web": 1})
    context.store.commit(Change(before=None, after=after, at=1))
    return after


def pod(task: Task) -> Pod:
    """Return a pod of a task."""
    metadata = Metadata(name=task.id, uid=task.id, labels={labels.TASK: task.id})
    return Pod(metadata=metadata)


def test_a_record_that_cannot_be_read(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left alone, and the others are looked at."""
    bad, good = running(context), running(context)
    context.redis.hset(redis_keys.task(bad.id), "record", "{}")
    looked = []

    def is_news(task: Task, _: object) -> bool:
        looked.append(task.id)
        return False

    monkeypatch.setattr(observe, "is_news", is_news)
    observation = Observation(context)
    observation.take(Pod, watch.Listed((pod(bad), pod(good))))
    observation.look(time.time())
    assert looked == [good.id]
