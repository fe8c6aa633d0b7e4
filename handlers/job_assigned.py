"""`job.assigned`: a job becomes a task, once."""

from http import HTTPStatus

from app.errors import Rejected
from app.intake import checks, early_refusal
from app.intake.dispatch import Decision, HandlerContext
from app.store.job_data import JobData, source_uuid
from app.tasks import transitions

Payload = JobData


async def handle(job: JobData, context: HandlerContext) -> Decision:
    """Accept a job; the same job again is answered as before and changes nothing.

    Raises:
        Rejected: 409 when the uuid is held with other content, when there is no room, when the bid
            is too low; 422 when the duration is wrong, or only some addresses may reach it.
    """
    # Most jobs are new: the commit checks that, and after a conflict this decides again.
    held = await context.store.get(job.uuid.lower()) if context.again else None
    if held:
        if not checks.same_job(held.job, job):
            raise Rejected(
                HTTPStatus.CONFLICT,
                "job_differs",
                f"job {held.id} was assigned before with other content; give a new job a new uuid",
            )
        return Decision(task=held)
    checks.refuse_ip_white_list(job)
    limits = context.config.task
    checks.refuse_duration(job.duration, limits, least=limits.min_duration_seconds)
    if context.again:
        await early_refusal.refuse_hopeless(job, context)
    change = transitions.accepted(
        job,
        host=context.new_host(),
        now=context.now,
        start_timeout_seconds=limits.start_timeout_seconds,
        first_of="" if context.again else source_uuid(job.job_source_uri),
    )
    return Decision(task=change.after, changes=(change,), limited=True)
