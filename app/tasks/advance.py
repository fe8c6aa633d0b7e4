"""What a worker does when it is called for a task: whatever its record says is to be done next."""

import time
from collections.abc import Callable

import structlog

from app.context import Context
from app.errors import Permanent, Temporary
from app.store import Change, leases
from app.store.records import Reason, State, Task
from app.tasks import transitions
from app.tasks.step import StepContext, Superseded
from app.tasks.steps import apply, fetch, remove

log = structlog.get_logger()

Step = Callable[[StepContext], None]


def advance(context: Context, task_id: str) -> None:
    """Take a task as far as it goes; harmless when there is nothing to do or it is taken.

    Who holds the task looks at its record again after every step, so that nothing is missed by
    leaving it alone.

    Raises:
        Temporary: Try again later.
    """
    try:
        _advance(context, task_id)
    except leases.Busy as busy:
        log.info("task busy", task=task_id, held=busy.message)


def _advance(context: Context, task_id: str) -> None:
    with leases.held(context.redis, f"task:{task_id}") as lock:
        while (task := context.store.get(task_id)) and (run := next_step(task)):
            step = StepContext(context, task, lock)
            with structlog.contextvars.bound_contextvars(task=task_id, step=run.__name__):
                try:
                    run(step)
                except Superseded:
                    log.info("step superseded")
                except Permanent as error:
                    _fail(step, Reason(error.category, context.redaction.text(error.message)))


def next_step(task: Task) -> Step | None:
    """Return what there is to do for a task; None: nothing, or cluster and clock have the word."""
    if task.ended:
        return None
    if task.stopping:
        return remove.remove
    if task.state in {State.ACCEPTED, State.FETCHING, State.BUILDING}:
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
    """Return what becomes of a task whose wanted revision cannot be."""
    if task.fallback and task.fallback.task_id == task.id:
        return transitions.rolled_back(task, reason, now=now)
    if task.fallback or task.applied_revision or task.state is State.DEPLOYING:
        return transitions.stopping(task, State.FAILED, reason, now=now)
    return transitions.failed_early(task, reason, now=now)
