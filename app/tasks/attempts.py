"""Attempts at a step: one that keeps ending its worker fails its task, not the next worker."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import Permanent
from app.store.rq_queue import TimedOut
from app.tasks.step import StepContext

MAX_ATTEMPTS = 3


@contextmanager
def counted(step: StepContext, name: str) -> Iterator[None]:
    """Count an attempt at a step until it returns or raises.

    The attempts that remain are those whose worker was killed, or was stopped after the longest
    time that a step may take. What a task leaves is removed however often that fails.

    Args:
        step: The step.
        name: Its name, for the count and for people.

    Raises:
        Permanent: `worker_killed`: none of three attempts returned or raised.
        Temporary: Redis is away.
    """
    store, task = step.context.store, step.task
    if task.stopping:
        yield
        return
    attempt = f"{task.revision}:{name}"
    if store.begin_attempt(task.id, attempt) > MAX_ATTEMPTS:
        store.end_attempt(task.id, attempt)
        message = (
            f"the step `{name}` ended its worker {MAX_ATTEMPTS} times: it was killed, perhaps for"
            " want of memory, or took too long"
        )
        raise Permanent(message, category="worker_killed")
    try:
        yield
    except TimedOut:
        raise
    except BaseException:
        store.end_attempt(task.id, attempt)
        raise
    store.end_attempt(task.id, attempt)
