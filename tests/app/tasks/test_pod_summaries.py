"""Summaries of pods, as the watcher writes them for `task get`."""

from datetime import UTC, datetime

import msgspec
import pytest

from app.context import Context
from app.store import redis_keys
from app.store.job_data import JobData
from app.store.records import PodSummary
from app.tasks import pod_summaries, transitions
from app.tasks.observe import Observation
from k8s.api.objects import (
    ContainerState,
    ContainerStatus,
    Metadata,
    Object,
    Pod,
    PodSpec,
    PodStatus,
    Running,
    Terminated,
    Waiting,
)
from k8s.api.watch import Changed, Deleted, Listed
from k8s.naming import labels
from tests.support import market

RUNS = ContainerState(running=Running())
WAITS = ContainerState(waiting=Waiting(reason="CrashLoopBackOff"))


@pytest.fixture
def task_id(context: Context) -> str:
    """The id of a task that was accepted."""
    job = msgspec.convert(market.job(), JobData)
    change = transitions.accepted(job, host="x.example.com", now=1, start_timeout_seconds=9)
    context.store.commit(change)
    return job.uuid


def pod(task_id: str, *containers: ContainerStatus, deleting: bool = False) -> Pod:
    """Return a pod of a task."""
    metadata = Metadata(
        name="web-1",
        uid="u1",
        labels={labels.TASK: task_id},
        deletion_timestamp=datetime.now(UTC) if deleting else None,
    )
    status = PodStatus(phase="Running", container_statuses=containers)
    return Pod(metadata=metadata, spec=PodSpec(node_name="n1"), status=status)


def shown(context: Context, task_id: str) -> tuple[PodSummary, ...]:
    """Return the pods that `task get` shows."""
    summaries = context.store.pods(task_id)
    return summaries.pods if summaries else ()


def test_pods_are_shown(context: Context, task_id: str) -> None:
    """Each with whether it is ready, how often it began again, and what it waits for."""
    seen = Observation(context)
    up = ContainerStatus(ready=True, restart_count=1, state=RUNS)
    down = ContainerStatus(restart_count=2, state=WAITS)
    listed: Listed[Object] = Listed((pod(task_id, up, down),))
    seen.take(Pod, listed)
    seen.look(1)
    expected = PodSummary(
        name="web-1", phase="Running", restarts=3, node="n1", reason="CrashLoopBackOff"
    )
    assert shown(context, task_id) == (expected,)
    seen.take(Pod, Changed(pod(task_id, up)))
    seen.look(2)
    assert shown(context, task_id)[0].ready
    seen.take(Pod, Changed(pod(task_id, up, deleting=True)))
    seen.look(3)
    assert shown(context, task_id)[0].phase == "Terminating"
    seen.take(Pod, Deleted(pod(task_id, up)))
    seen.look(4)
    assert shown(context, task_id) == ()


def test_only_news_is_written(context: Context, task_id: str) -> None:
    """The same pods again are not written; they are forgotten in time all the same."""
    seen = Observation(context)
    state = ContainerState(terminated=Terminated(exit_code=1, reason="Error"))
    listed: Listed[Object] = Listed((pod(task_id, ContainerStatus(state=state)),))
    seen.take(Pod, listed)
    seen.look(1)
    key = redis_keys.pods(task_id)
    assert 0 < context.redis.ttl(key) <= pod_summaries.KEPT.total_seconds()
    context.redis.delete(key)
    seen.take(Pod, listed)
    seen.look(2)
    assert not context.redis.exists(key)
