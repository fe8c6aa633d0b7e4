"""The loop of a worker that is called for a task: its next step, until there is none."""

import time
from collections.abc import Callable, Sequence

import structlog

from app.context import Context
from app.errors import Permanent, Temporary
from app.store import Change, leases
from app.store.records import Reason, State, Task
from app.tasks import attempts, transitions
from app.tasks.step import StepContext, Superseded
from app.tasks.steps import apply, fetch, remove
from k8s.manifests.scope import Manifest

log = structlog.get_logger()

# What a step rendered, if anything, is for the step after it.
Rendered = Sequence[Manifest] | None
Step = Callable[[StepContext], Rendered]


def advance(context: Context, task_id: str) -> None:
    """Take a task as far as it goes; harmless when there is nothing to do or it is taken.

    The holder of the task reads its record again after every step, so that a call that finds the
    task taken misses nothing.

    Raises:
        Temporary: Try again later.
    """
    try:
        _advance(context, task_id)
    except leases.Busy as busy:
        log.info("task busy", task=task_id, held=busy.message)


def _advance(context: Context, task_id: str) -> None:
    rendered: Rendered = None
    with leases.held(context.redis, f"task:{task_id}") as lock:
        while (task := context.store.get(task_id)) and (run := next_step(task)):
            step, rendered = StepContext(context, task, lock, rendered), None
            with structlog.contextvars.bound_contextvars(task=task_id, step=run.__name__):
                try:
                    with attempts.counted(step, run.__name__):
                        rendered = run(step)
                except Superseded:
                    log.info("step superseded")
                except Permanent as error:
                    _fail(step, Reason(error.category, context.redaction.text(error.message)))


def next_step(task: Task) -> Step | None:
    """Return the next step of a task; None: nothing, or it is up to the cluster and the clock."""
    if task.ended:
        return None
    if task.stopping:
        return remove.remove
    if task.state in {State.ACCEPTED, State.BUILDING}:
        return fetch.begin
    if task.state is State.FETCHING:
        return fetch.fetch
    if task.applied_revision != task.revision:
        return apply.apply
    return None


def _fail(step: StepContext, reason: Reason) -> None:
    """A step failed for good: go back to what served before, else end the task.

    Raises:
        Temporary: It is being ended already, and what is left has to go all the same.
    """
    log.warning("step failed", category=reason.category, message=reason.message)
    if step.task.stopping:
        raise Temporary(reason.message, category=reason.category)
    try:
        current = step.current()
        current.commit(failure(current.task, reason, now=time.time()))
    except Superseded:
        log.info("failure superseded")


def failure(task: Task, reason: Reason, *, now: float) -> Change:
    """Return the change of a task whose wanted revision has failed."""
    if task.fallback and task.fallback.task_id == task.id:
        return transitions.rolled_back(task, reason, now=now)
    if task.fallback or task.applied_revision or task.state is State.DEPLOYING:
        return transitions.stopping(task, State.FAILED, reason, now=now)
    return transitions.failed_early(task, reason, now=now)
