"""Checks that several handlers share."""

from http import HTTPStatus

from app.config import TaskTable
from app.errors import FieldError, Rejected
from app.intake import payloads
from app.intake.dispatch import HandlerContext
from app.intake.payloads import Renewal, Termination
from app.store.job_data import JobData
from app.store.records import State, Task


def refuse_duration(seconds: int, limits: TaskTable, *, least: int) -> None:
    """Check a duration.

    Raises:
        Rejected: 422, with the limit.
    """
    if least <= seconds <= limits.max_duration_seconds:
        return
    limit = f"has to be from {least} to {limits.max_duration_seconds} seconds"
    raise payloads.invalid(FieldError("/duration", limit), detail=f"duration {limit}")


def refuse_ip_white_list(job: JobData) -> None:
    """Check that a job does not ask for a restriction that no Ingress or Gateway of ours enforces.

    Raises:
        Rejected: 422, when it names the only addresses that may reach it.
    """
    if not any(address.strip() for address in job.ip_white_list or ()):
        return
    rule = "has to be empty: this provider cannot keep other addresses away from a workload"
    raise payloads.invalid(FieldError("/ip_white_list", rule), detail=f"ip_white_list {rule}")


async def named(reference: Renewal | Termination, context: HandlerContext) -> list[Task]:
    """Return the tasks that an event names, newest first.

    Raises:
        Rejected: 422 when it names none, 404 when none is known.
    """
    uuid = reference.named
    if not uuid:
        raise payloads.invalid(
            FieldError("/job_uuid", "job_uuid, task_uuid or space_uuid is needed"),
            detail="name the task by job_uuid, task_uuid or space_uuid",
        )
    tasks = [task for task in await context.store.find(uuid) if _is_named(task, reference)]
    if not tasks:
        raise unknown(uuid)
    return tasks


def _is_named(task: Task, reference: Renewal | Termination) -> bool:
    """Tell whether a reference means this task, and not a job or a Space of the same uuid."""
    if reference.job_uuid or reference.uuid:
        return task.id == reference.named
    if reference.task_uuid:
        return task.task_uuid == reference.named
    return task.space_uuid == reference.named


def is_over(task: Task) -> bool:
    """Tell whether a task is over or being ended."""
    return task.ended or task.stopping


def unknown(uuid: str) -> Rejected:
    """Return the refusal of a uuid (lower case) by which no task is known."""
    return Rejected(
        HTTPStatus.NOT_FOUND,
        "unknown_task",
        f"no task is known by {uuid}; was it assigned to this provider?",
    )


def refuse_ended(task: Task, verb: str) -> None:
    """Check that a task is neither over nor being ended.

    Raises:
        Rejected: 409, code `expired` or `ended`.
    """
    if not is_over(task):
        return
    code = "expired" if State.EXPIRED in {task.state, task.outcome} else "ended"
    raise Rejected(
        HTTPStatus.CONFLICT,
        code,
        f"the task is {task.state} and cannot be {verb}; assign a new job",
    )


def refuse_overdue(task: Task, now: float) -> None:
    """Check that a task has not expired, though the clock may not have ended it yet.

    Raises:
        Rejected: 409, code `expired`.
    """
    if task.expires_at is not None and task.expires_at <= now:
        raise Rejected(HTTPStatus.CONFLICT, "expired", "the task has expired; assign a new job")


def same_job(job: JobData, other: JobData) -> bool:
    """Tell whether two assignments ask for the same; fields that Lagrange updates do not count."""
    return _content(job) == _content(other)


def _content(job: JobData) -> tuple[object, ...]:
    return (
        job.uuid.lower(),
        job.task_uuid.lower(),
        job.name,
        job.duration,
        job.job_source_uri,
        job.storage_source,
        job.job_type,
        job.bid_price,
        tuple(job.ip_white_list or ()),
    )


def content(job: JobData) -> str:
    """Return as text the fields of a job that say what is to run, for how long and at what price.

    Receipts that are kept for ever hold a digest of this text, so that it must not change.
    """
    return repr(_content(job))
