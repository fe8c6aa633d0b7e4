"""What the cluster says of a task, as a change of the task."""

import time

import structlog

from app.context import Context
from app.store import Change, Conflict
from app.store.records import Reason, State, Task
from app.tasks import transitions
from app.tasks.advance import failure
from k8s.health.health import Health, PodProblem

log = structlog.get_logger()


def watched(task: Task) -> bool:
    """Tell whether the cluster has the word on this task."""
    return (
        not task.ended
        and not task.stopping
        and task.applied_revision == task.revision
        and task.state in {State.DEPLOYING, State.RUNNING, State.FAILED}
    )


def is_news(task: Task, found: Health) -> bool:
    """Tell whether what was seen of a watched task is not what its record says already."""
    if found.ready:
        return task.state is not State.RUNNING
    if found.problem is None:
        return False
    known = task.reason.category if task.state is State.FAILED and task.reason else None
    return known != found.problem.category


def observe(context: Context, task: Task, found: Health, reason: Reason | None) -> bool:
    """Write down what a look at the cluster means; the same look twice changes nothing.

    Args:
        context: What operations may use.
        task: As it was when the look began.
        found: What was seen of its wanted revision.
        reason: `found.problem` in the tenant's words.

    Returns:
        Whether anything changed.

    Raises:
        Temporary: Redis is away.
    """
    if not watched(task) or not is_news(task, found):
        return False
    changes = _meaning(context, task, found, reason, now=time.time())
    try:
        context.store.commit(*changes)
    except Conflict:
        return False
    state = str(changes[0].after.state)
    log.info("task observed", task=task.id, state=state, reason=str(reason or ""))
    return True


def _meaning(
    context: Context, task: Task, found: Health, reason: Reason | None, *, now: float
) -> list[Change]:
    if found.ready or reason is None:
        return _up(context, task, now)
    if task.fallback:
        return [failure(task, reason, now=now)]
    return [transitions.troubled(task, reason, now=now)]


def _up(context: Context, task: Task, now: float) -> list[Change]:
    """It runs; what it took the place of may go."""
    changes = [transitions.running(task, now=now)]
    if task.fallback and task.fallback.task_id != task.id:
        other = context.store.get(task.fallback.task_id)
        if other and not other.ended and not other.stopping:
            reason = Reason("replaced", f"job {task.id} of the same Space took its place")
            changes.append(transitions.stopping(other, State.TERMINATED, reason, now=now))
    return changes


def worded(problem: PodProblem, log_tail: str) -> Reason:
    """Return a problem in the tenant's words, with the last lines of the container's log."""
    message = problem.message
    if log_tail:
        message = f"{message}; the log ends with: {log_tail}"
    return Reason(str(problem.category), message)
