"""Looks at tasks: which, and how often each is assessed."""

import time
import uuid
from typing import Any

import pytest
from msgspec.structs import replace

from app.context import Context
from app.store import Change, redis_keys
from app.store.job_data import JobData
from app.store.records import State, Task
from app.tasks import transitions
from app.tasks.observe import Observation
from k8s.api import watch
from k8s.api.objects import Metadata, Pod
from k8s.health import health
from k8s.health.health import Health
from k8s.naming import labels
from tests.support import market


def applied(context: Context, state: State = State.RUNNING) -> Task:
    """Store a task that is on the cluster."""
    job = JobData(
        uuid=str(uuid.uuid4()), duration=900, job_source_uri=f"{market.SPACES}/{uuid.uuid4()}"
    )
    host = f"{job.uuid[:8]}.example.com"
    born = transitions.accepted(job, host=host, now=1, start_timeout_seconds=60)
    after = replace(born.after, state=state, applied_revision=1, components={"web": 1})
    context.store.commit(Change(before=None, after=after, at=1))
    return after


def pod(task: Task) -> Pod:
    """Return a pod of a task."""
    metadata = Metadata(name=task.id, uid=task.id, labels={labels.TASK: task.id})
    return Pod(metadata=metadata)


@pytest.fixture
def assessed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks whose health was assessed, each by the name of its pod; all of them are ready."""
    tasks: list[str] = []

    def assess(pods: list[Pod], *_: object, **__: Any) -> Health:
        tasks.extend(pod.metadata.name for pod in pods)
        return Health(ready=True, problem=None)

    monkeypatch.setattr(health, "assess", assess)
    return tasks


def test_a_record_that_cannot_be_read(context: Context, assessed: list[str]) -> None:
    """It is left alone, and the others are looked at."""
    bad, good = applied(context), applied(context)
    context.redis.hset(redis_keys.task(bad.id), "record", "{}")
    observation = Observation(context)
    observation.take(Pod, watch.Listed((pod(bad), pod(good))))
    observation.look(time.time())
    assert assessed == [good.id]


def test_a_look_assesses_once(context: Context, assessed: list[str]) -> None:
    """The look that sees news commits it; without an event there is no second look."""
    task = applied(context, State.DEPLOYING)
    observation = Observation(context)
    observation.take(Pod, watch.Listed((pod(task),)))
    observation.look(time.time())
    observation.look(time.time())
    assert assessed == [task.id]
    observed = context.store.get(task.id)
    assert observed
    assert observed.state is State.RUNNING
