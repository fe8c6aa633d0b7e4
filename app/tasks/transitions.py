"""Transitions of a task: each function returns the new record, and what is reported of it.

Pure: the task and the time go in, a Change comes out; the store carries it out if the task is still
as it was. The one place in which states, callbacks and the timeline are tied together.
"""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from app.store import redis_keys
from app.store.job_data import JobData, source_uuid
from app.store.records import Callback, Fallback, Reason, State, Task, TimelineEntry
from app.store.transaction import Change, Guard

# Lagrange's words for our states, protocol section 4; the other states are our own affair.
_STATUSES = {
    State.FETCHING: "downloadSource",
    State.BUILDING: "buildImage",
    State.DEPLOYING: "deployToK8s",
    State.RUNNING: "running",
    State.FAILED: "failed",
    State.TERMINATED: "terminated",
    State.EXPIRED: "expired",
}


def status(task: Task) -> str:
    """Return Lagrange's word for where a task is; our own where it has none."""
    return "submitted" if task.state is State.ACCEPTED else _STATUSES.get(task.state, task.state)


def accepted(
    job: JobData, *, host: str, now: float, start_timeout_seconds: int, first_of: str = ""
) -> Change:
    """Return the birth of a task; decided again if a task is known of the Space `first_of`."""
    task = Task(
        id=job.uuid.lower(),
        job=job,
        host=host,
        created_at=now,
        start_deadline=now + start_timeout_seconds,
        duration=job.duration,
        space_uuid=source_uuid(job.job_source_uri),
    )
    guard = Guard(redis_keys.HOSTS, host, None, task.id)
    return Change(
        before=None,
        after=task,
        at=now,
        happenings=(
            TimelineEntry(at=now, what="accepted", detail=f"for {job.duration} s at {task.url}"),
        ),
        guards=(guard,),
        wake=True,
        first_of=first_of,
    )


def adopted(
    task: Task,
    *,
    now: float,
    key: str,
    workload: bytes,
    demands: bytes,
    guards: Iterable[Guard],
) -> Change:
    """Return the birth of a task that v0.3.0 runs, as it wrote down under `key`.

    Lagrange knows of it, so nothing is reported.
    """
    claims = (
        Guard(redis_keys.ADOPTED, task.id, None, key),
        Guard(redis_keys.HOSTS, task.host, None, task.id),
        Guard(redis_keys.HOLDERS, task.space_uuid, None, task.id),
    )
    happening = TimelineEntry(at=now, what="adopted", detail=f"from v0.3.0, at {task.url}")
    return Change(
        before=None,
        after=task,
        at=now,
        happenings=(happening,),
        guards=(*claims, *guards),
        workload=workload,
        demands=demands,
    )


def renewed(task: Task, *, seconds: int, now: float) -> Change:
    """Return so many seconds more for a task."""
    expires_at = task.expires_at + seconds if task.expires_at is not None else None
    after = replace(task, duration=task.duration + seconds, expires_at=expires_at)
    return _changed(task, after, now, "renewed", f"by {seconds} s, to {after.duration} s in all")


def redeployed(task: Task, job: JobData, *, now: float) -> Change:
    """Return a new version of a task; what runs goes on until the new one does."""
    fallback = task.fallback
    if task.running_revision and task.running_revision == task.revision:
        fallback = Fallback(task.id, task.running_revision)
    revision = task.latest_revision + 1
    after = replace(
        task,
        job=replace(job, duration=task.job.duration),
        state=State.ACCEPTED,
        reason=None,
        revision=revision,
        latest_revision=revision,
        fallback=fallback,
    )
    return _changed(task, after, now, "redeploy accepted", f"revision {revision}", wake=True)


def stopping(task: Task, outcome: State, reason: Reason | None, *, now: float) -> Change:
    """Return the beginning of a task's end: its objects go first, then it is `outcome`."""
    after = replace(task, state=State.TERMINATING, outcome=outcome, reason=reason)
    return _changed(task, after, now, f"to be {outcome}", str(reason or ""), wake=True)


def called_terminated(task: Task, *, now: float) -> Change:
    """Return that Lagrange calls a task terminated that it never ended; it goes on."""
    what = "called terminated"
    return _changed(task, task, now, what, "by Lagrange, which sent no word of its end")


def uploaded(task: Task, url: str, *, now: float) -> Change:
    """Return that the task's result document can be read at `url`."""
    change = _reported(task, replace(task, result_url=url), now, status="uploadResult")
    callbacks = tuple(replace(callback, reason="") for callback in change.callbacks)
    happening = TimelineEntry(at=now, what="result uploaded", detail=url)
    return replace(change, callbacks=callbacks, happenings=(happening,))


def ended(task: Task, *, now: float, claims: Iterable[Guard] = ()) -> Change:
    """Return the end of a task of which nothing is left on the cluster."""
    outcome = task.outcome or State.TERMINATED
    after = replace(task, state=outcome, ended_at=now, fallback=None)
    return _reported(task, after, now, guards=tuple(claims))


def failed_early(task: Task, reason: Reason, *, now: float) -> Change:
    """Return the end of a task that never reached the cluster."""
    after = replace(task, state=State.FAILED, outcome=State.FAILED, reason=reason, ended_at=now)
    return _reported(task, after, now)


def fetching(task: Task, *, now: float) -> Change:
    """Return the first step of a worker."""
    return _reported(task, replace(task, state=State.FETCHING), now)


def reserved(task: Task, where: str, *, guards: Iterable[Guard], now: float) -> Change:
    """Return that a task has room on nodes before its image is built."""
    return replace(_changed(task, task, now, "room reserved", where), guards=tuple(guards))


def building(task: Task, *, now: float) -> Change:
    """Return that the Space's image is being built."""
    return _reported(task, replace(task, state=State.BUILDING), now)


def pushing(task: Task, *, now: float) -> Change:
    """Return that the image was built and goes to the registry."""
    change = _reported(task, task, now)
    callbacks = tuple(replace(callback, status="pushImage") for callback in change.callbacks)
    happening = TimelineEntry(at=now, what="pushing")
    return replace(change, callbacks=callbacks, happenings=(happening,))


def deploying(
    task: Task,
    *,
    now: float,
    workload: bytes,
    demands: bytes,
    guards: Iterable[Guard],
    notes: Iterable[str],
    **facts: Any,
) -> Change:
    """Return that it is known what has to run; `facts` are the fields of Task learnt since."""
    after = replace(task, state=State.DEPLOYING, **facts)
    change = _reported(task, after, now, workload=workload, demands=demands, guards=tuple(guards))
    warnings = tuple(TimelineEntry(at=now, what="warning", detail=note) for note in notes)
    return replace(change, happenings=change.happenings + warnings)


def applied(task: Task, *, now: float, components: dict[str, int], holder: str | None) -> Change:
    """Return that the wanted revision was applied, and that its objects are the task's."""
    after = replace(task, applied_revision=task.revision, components=components)
    guard = Guard(redis_keys.HOLDERS, task.space_uuid, holder, task.id)
    change = _changed(task, after, now, "applied", f"revision {task.revision}")
    return replace(change, guards=(guard,))


def running(task: Task, *, now: float) -> Change:
    """Return that the workload is up: for the first time, or again."""
    started_at = task.started_at if task.started_at is not None else now
    after = replace(
        task,
        state=State.RUNNING,
        reason=None,
        running_revision=task.revision,
        fallback=None,
        started_at=started_at,
        expires_at=task.expires_at if task.expires_at is not None else now + task.duration,
    )
    return _reported(task, after, now)


def troubled(task: Task, reason: Reason, *, now: float) -> Change:
    """Return that the workload on the cluster is down; it may recover."""
    return _reported(task, replace(task, state=State.FAILED, reason=reason), now)


def rolled_back(task: Task, reason: Reason, *, now: float) -> Change:
    """Return that a redeploy failed and the version before it is wanted again."""
    fallback = task.fallback
    if fallback is None or fallback.task_id != task.id:
        raise ValueError("there is no earlier revision of this task")
    change = _reported(task, replace(task, state=State.FAILED, reason=reason), now)
    after = replace(
        change.after,
        state=State.DEPLOYING,
        revision=fallback.revision,
        applied_revision=0,
        fallback=None,
    )
    return replace(change, after=after, wake=True)


def _changed(
    before: Task, after: Task, now: float, what: str, detail: str = "", *, wake: bool = False
) -> Change:
    happening = TimelineEntry(at=now, what=what, detail=detail)
    return Change(before=before, after=after, at=now, happenings=(happening,), wake=wake)


def _reported(before: Task, after: Task, now: float, *, status: str = "", **fields: Any) -> Change:
    """Return a change that is reported to Lagrange, by its state's word unless another is given."""
    sequence = before.sequence + 1
    callback = Callback(
        sequence=sequence,
        status=status or _STATUSES[after.state],
        reason=str(after.reason or ""),
        timestamp=now,
        message_id=f"callback_{after.id}_{sequence}",
    )
    happening = TimelineEntry(at=now, what=str(after.state), detail=callback.reason)
    return Change(
        before=before,
        after=replace(after, sequence=sequence),
        at=now,
        callbacks=(callback,),
        happenings=(happening,),
        **fields,
    )
