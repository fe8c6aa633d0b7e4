"""Attack: a Space on which a worker dies is given to the next worker, and the next.

A step kills the process that runs it, as the kernel does for want of memory, or hangs until RQ
stops it. It fails because attempts are counted where the process cannot take the count with it:
after three the task fails, and workers are free for others.
"""

import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from app.context import Context
from app.errors import Temporary
from app.store import redis_keys, rq_queue
from app.store.job_data import JobData
from app.store.records import State, Task
from app.tasks import advance, transitions
from app.tasks.attempts import MAX_ATTEMPTS
from app.tasks.step import StepContext
from app.tasks.steps import fetch, remove
from tests.support.documents import ROOT

DYING_WORKER = """
import os, signal, sys
from app.context import open_context
from app.tasks import advance
from app.tasks.steps import fetch, remove
def die(_):
    os.kill(os.getpid(), signal.SIGKILL)
die.__name__ = 'fetch'
fetch.fetch = remove.remove = die
context = open_context(sys.argv[1])
context.__dict__["cluster"] = None
advance.advance(context, sys.argv[2])
"""


@pytest.fixture
def task(context: Context) -> Task:
    """A task that was accepted."""
    source = f"https://a.example/{uuid.uuid4()}"
    job = JobData(uuid=str(uuid.uuid4()), duration=900, job_source_uri=source)
    change = transitions.accepted(job, host="a.example.com", now=1, start_timeout_seconds=60)
    context.store.commit(change)
    return held(context, job.uuid)


def held(context: Context, task_id: str) -> Task:
    """Return a task as it is by now."""
    task = context.store.get(task_id)
    assert task
    return task


def die_at(folder: Path, context: Context, task: Task) -> int:
    """Let a worker's process take a task on, whose step kills it; return its exit status."""
    done = subprocess.run(
        [sys.executable, "-c", DYING_WORKER, str(folder), task.id],
        check=False,
        cwd=ROOT,
        capture_output=True,
    )
    context.redis.delete(redis_keys.lock(f"task:{task.id}"))  # The lease that ends after 10 s.
    return done.returncode


def test_a_step_that_kills_its_worker(provider_folder: Path, context: Context, task: Task) -> None:
    """Three workers die; the fourth fails the task, with the step's name."""
    for _ in range(MAX_ATTEMPTS):
        assert die_at(provider_folder, context, task) == -signal.SIGKILL
        assert held(context, task.id).state is State.FETCHING
    assert die_at(provider_folder, context, task) == 0
    failed = held(context, task.id)
    assert (failed.state, failed.ended) == (State.FAILED, True)
    assert failed.reason
    assert failed.reason.category == "worker_killed"
    assert "`fetch` ended its worker 3 times" in failed.reason.message


def test_a_redeploy_starts_anew(provider_folder: Path, context: Context, task: Task) -> None:
    """Another revision has attempts of its own."""
    for _ in range(MAX_ATTEMPTS):
        die_at(provider_folder, context, task)
    now = held(context, task.id)
    context.store.commit(transitions.redeployed(now, now.job, now=2))
    assert die_at(provider_folder, context, task) == -signal.SIGKILL
    assert held(context, task.id).state is State.FETCHING


def test_a_step_that_returns_or_raises_is_not_killed(
    provider_folder: Path, context: Context, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry is no attempt that is counted, and forgets those before it."""
    for _ in range(MAX_ATTEMPTS - 1):
        die_at(provider_folder, context, task)

    def postpone(_: StepContext) -> None:
        raise Temporary("the server is down", category="source_unavailable")

    postpone.__name__ = "fetch"
    with monkeypatch.context() as patched:
        patched.setattr(fetch, "fetch", postpone)
        for _ in range(2 * MAX_ATTEMPTS):
            with pytest.raises(Temporary):
                advance.advance(context, task.id)
    assert context.redis.hlen(redis_keys.task(task.id)) == len(("record", "version"))
    assert die_at(provider_folder, context, task) == -signal.SIGKILL


def test_a_step_that_hangs(context: Context, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that RQ stops for the time it takes counts as killed."""

    def hang(_: StepContext) -> None:
        raise rq_queue.TimedOut

    monkeypatch.setattr(fetch, "fetch", hang)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(rq_queue.TimedOut):
            advance.advance(context, task.id)
    advance.advance(context, task.id)
    assert held(context, task.id).state is State.FAILED


def test_the_removal_is_tried_for_ever(
    provider_folder: Path, context: Context, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a task leaves on the cluster is not left there because workers died."""
    ending = transitions.stopping(task, State.TERMINATED, None, now=2)
    context.store.commit(ending)
    for _ in range(MAX_ATTEMPTS + 1):
        assert die_at(provider_folder, context, task) == -signal.SIGKILL
    removed = []

    def finish(work: StepContext) -> None:
        removed.append(work.task.id)
        work.commit(transitions.ended(work.task, now=3))

    monkeypatch.setattr(remove, "remove", finish)
    advance.advance(context, task.id)
    assert removed == [task.id]
