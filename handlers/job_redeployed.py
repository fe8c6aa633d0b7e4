"""`job.redeployed`: a task gets a new version of its Space; host name and expiry stay."""

from http import HTTPStatus

from app.errors import Rejected
from app.intake import checks
from app.intake.dispatch import Decision, HandlerContext
from app.store.job_data import JobData, source_uuid
from app.tasks import transitions

Payload = JobData


async def handle(job: JobData, context: HandlerContext) -> Decision:
    """Fetch and deploy again; what runs serves until the new version does.

    Raises:
        Rejected: 404 when the job is not held; 409 when it is over, or the source is another Space;
            422 when only some addresses may reach it.
    """
    task = await context.store.get(job.uuid.lower())
    if task is None:
        raise checks.unknown(job.uuid.lower())
    checks.refuse_ended(task, "redeployed")
    checks.refuse_ip_white_list(job)
    space_uuid = source_uuid(job.job_source_uri)
    if task.space_uuid and space_uuid and space_uuid != task.space_uuid:
        raise Rejected(
            HTTPStatus.CONFLICT,
            "not_the_owner",
            f"job {task.id} runs Space {task.space_uuid}; another Space needs a job of its own",
        )
    change = transitions.redeployed(task, job, now=context.now)
    return Decision(task=change.after, changes=(change,))
