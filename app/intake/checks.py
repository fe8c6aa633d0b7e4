"""Rules that several handlers share."""

from http import HTTPStatus

from app.config import TaskTable
from app.errors import FieldError, Rejected
from app.intake.dispatch import Intake
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
    detail = f"has to be from {least} to {limits.max_duration_seconds} seconds"
    raise Rejected(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        f"duration {detail}",
        errors=(FieldError("/duration", detail),),
    )


def refuse_ip_white_list(job: JobData) -> None:
    """Check that a job does not ask for what no Ingress or Gateway of ours keeps to.

    Raises:
        Rejected: 422, when it names addresses that alone may reach it.
    """
    if not any(address.strip() for address in job.ip_white_list or ()):
        return
    detail = "has to be empty: this provider cannot keep other addresses away from a workload"
    raise Rejected(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        f"ip_white_list {detail}",
        errors=(FieldError("/ip_white_list", detail),),
    )


async def named(reference: Renewal | Termination, intake: Intake) -> list[Task]:
    """Return the tasks that an event names, newest first.

    Raises:
        Rejected: 422 when it names none, 404 when none is known.
    """
    uuid = reference.named
    if not uuid:
        raise Rejected(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            "name the task by job_uuid, task_uuid or space_uuid",
            errors=(FieldError("/job_uuid", "job_uuid, task_uuid or space_uuid is needed"),),
        )
    tasks = [task for task in await intake.store.find(uuid) if _bears(task, reference)]
    if not tasks:
        raise unknown(uuid)
    return tasks


def _bears(task: Task, reference: Renewal | Termination) -> bool:
    """Who names a task may not end a job or a Space that has the same uuid."""
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
    """Check that a task goes on.

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
    """Check that a task's time is not over, though the clock may not have ended it yet.

    Raises:
        Rejected: 409, code `expired`.
    """
    if task.expires_at is not None and task.expires_at <= now:
        raise Rejected(HTTPStatus.CONFLICT, "expired", "the task's time is over; assign a new job")


def same_job(one: JobData, other: JobData) -> bool:
    """Tell whether two assignments ask for the same; what Lagrange updates does not count."""
    return _meaning(one) == _meaning(other)


def _meaning(job: JobData) -> tuple[object, ...]:
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


def meaning(job: JobData) -> str:
    """Return as text what a job says of what is to run, for how long and for how much."""
    return repr(_meaning(job))
