"""Deadlines that the clock watches: tasks that are due to end, and stalled work."""

import time

import structlog

from app.context import Context
from app.errors import UnreadableRecord
from app.store import Conflict, leases, redis_keys
from app.store.records import Reason, State, Task
from app.tasks import transitions

log = structlog.get_logger()

_LOOK_AGAIN_SECONDS = 30


def end_due(context: Context) -> int:
    """Begin to end every task that is due; return how many.

    The work is proportional to what is due. A task that was renewed meanwhile goes on. A record
    that cannot be read holds up no other.

    Raises:
        Temporary: Redis is away.
    """
    now = time.time()
    ended = 0
    for task_id in context.store.due(redis_keys.DUE, now):
        try:
            task = context.store.get(task_id)
        except UnreadableRecord as error:
            log.error("task not ended", task=task_id, error=error.message)  # noqa: TRY400 - it has no use for a traceback.
            context.store.postpone(redis_keys.DUE, task_id, now + _LOOK_AGAIN_SECONDS)
            continue
        if task is None or task.due_at is None:
            context.store.remove_due(redis_keys.DUE, task_id)
            continue
        if task.due_at <= now:
            ended += _end(context, task, now)
    return ended


def _end(context: Context, task: Task, now: float) -> bool:
    outcome = State.EXPIRED
    reason = Reason("expired", f"the paid duration of {task.duration} s has elapsed")
    if task.expires_at is None:
        outcome = State.FAILED
        waited = round(now - task.created_at)
        reason = Reason("never_ran", f"it did not come up within {waited} s{_why(task)}")
    try:
        context.store.commit(transitions.stopping(task, outcome, reason, now=now))
    except Conflict:
        return False
    log.info("task due", task=task.id, outcome=str(outcome))
    return True


def _why(task: Task) -> str:
    return f"; {task.reason}" if task.reason else ""


def wake_stalled(context: Context) -> int:
    """Call a worker for every pending task that no worker has held for a while; return how many.

    A worker that died, a queue entry that was lost, an outage longer than RQ's retries: the record
    still says what there is to do.

    Raises:
        Temporary: Redis is away.
    """
    now = time.time()
    woken = 0
    for task_id in context.store.due(redis_keys.PENDING, now):
        if leases.is_held(context.redis, f"task:{task_id}"):
            context.store.postpone(redis_keys.PENDING, task_id, now + _LOOK_AGAIN_SECONDS)
            continue
        context.store.wake(task_id, now + _LOOK_AGAIN_SECONDS)
        log.info("task woken", task=task_id)
        woken += 1
    return woken
