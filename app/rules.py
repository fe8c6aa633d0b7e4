"""Rules that several handlers share."""

from http import HTTPStatus

from app.config import TaskTable
from app.errors import FieldError, Rejected
from app.events import Intake
from app.models import State, Task
from app.schema import JobData, Renewal, Termination


def refuse_duration(seconds: int, limits: TaskTable, *, least: int, pointer: str = "/data") -> None:
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
        errors=(FieldError(f"{pointer}/duration", detail),),
    )


async def named(reference: Renewal | Termination, intake: Intake) -> list[Task]:
    """Return the tasks that an event names, newest first.

    Raises:
        Rejected: 422 when it names none, 404 when none is known.
    """
    if not reference.named:
        raise Rejected(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            "name the task by job_uuid, task_uuid or space_uuid",
            errors=(FieldError("/data/job_uuid", "job_uuid, task_uuid or space_uuid is needed"),),
        )
    return await known(reference.named, intake)


async def known(uuid: str, intake: Intake) -> list[Task]:
    """Return the tasks known by a uuid (lower case), newest first.

    Raises:
        Rejected: 404 when there is none.
    """
    tasks = await intake.store.find(uuid)
    if tasks:
        return tasks
    raise Rejected(
        HTTPStatus.NOT_FOUND,
        "unknown_task",
        f"no task is known by {uuid}; was it assigned to this provider?",
    )


def refuse_ended(task: Task, verb: str) -> None:
    """Check that a task goes on.

    Raises:
        Rejected: 409, code `expired` or `ended`.
    """
    if not task.ended and not task.stopping:
        return
    code = "expired" if State.EXPIRED in {task.state, task.outcome} else "ended"
    raise Rejected(
        HTTPStatus.CONFLICT,
        code,
        f"the task is {task.state} and cannot be {verb}; assign a new job",
    )


def same_job(one: JobData, other: JobData) -> bool:
    """Tell whether two assignments ask for the same: what Lagrange updates on the way does not count."""
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
    """Return the fields of a job that say what is to run, for how long and for how much, as text."""
    return repr(_meaning(job))
