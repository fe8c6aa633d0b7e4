"""The step that ends a task: its objects are deleted, or the version before it is restored."""

import time

from app.context import Context
from app.store import Guard, leases, redis_keys
from app.store.records import Task
from app.tasks import transitions
from app.tasks.cleanup import pull_secrets
from app.tasks.step import StepContext
from app.tasks.steps import build
from app.tasks.steps.apply import deploy, translated
from k8s.apply import apply as cluster_apply
from k8s.naming import names

_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 120


def remove(step: StepContext) -> None:
    """Delete a task's objects, by their labels, and wait until its pods are gone.

    What it had taken the place of serves again, if that goes on.

    Raises:
        Superseded: The task was changed meanwhile.
        Temporary: Try again later.
    """
    task = step.task
    build.abandon(step)
    if not task.wallet:
        step.commit(transitions.ended(task, now=time.time()))
        return
    with leases.held(step.context.redis, f"space:{task.space_uuid}"):
        heir = _restored(step)
        _removed(step, patiently=heir is None)
        pull_secrets.withdraw(step.context, task)
        step.commit(transitions.ended(task, now=time.time(), claims=_released(step, heir)))


def _restored(step: StepContext) -> Task | None:
    """Bring the version before back: its objects are its own again; return whose they are."""
    context, fallback = step.context, step.task.fallback
    if fallback is None or fallback.task_id == step.task.id:
        return None
    other = context.store.get(fallback.task_id)
    if other is None or other.ended or other.stopping:
        return None
    workload = context.store.workload(fallback.task_id, fallback.revision)
    if workload is None:
        return None
    deploy(context, workload, step)
    return other


def _removed(step: StepContext, *, patiently: bool) -> None:
    """Delete; wait for the pods to go, unless they go as those of a restored version come back."""
    task, until = step.task, time.monotonic() + _PATIENCE_SECONDS
    while True:
        with translated():
            gone = cluster_apply.remove(
                step.context.cluster, namespace=names.namespace(task.wallet), task_id=task.id
            )
        if gone or not patiently:
            return
        step.pause(_POLL_SECONDS, until=until, what="its pods to end")


def _released(step: StepContext, heir: Task | None) -> list[Guard]:
    space_uuid = step.task.space_uuid
    holder = step.context.store.field(redis_keys.HOLDERS, space_uuid)
    if holder != step.task.id:
        return []
    return [Guard(redis_keys.HOLDERS, space_uuid, holder, heir.id if heir else None)]


def sweep(context: Context, task_id: str) -> None:
    """Remove what is on the cluster of a task that is over, should something have come up late.

    Raises:
        Permanent: The cluster refuses.
        Temporary: Redis or the cluster is away, or somebody else is at it.
    """
    with leases.held(context.redis, f"task:{task_id}"):
        task = context.store.get(task_id)
        if task is None or not task.ended or not task.wallet:
            return
        with translated():
            cluster_apply.remove(
                context.cluster, namespace=names.namespace(task.wallet), task_id=task.id
            )
        pull_secrets.withdraw(context, task)
