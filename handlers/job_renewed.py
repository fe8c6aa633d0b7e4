"""`job.renewed`: a task may run for longer."""

from app.intake import checks
from app.intake.dispatch import Decision, HandlerContext
from app.intake.payloads import Renewal
from app.tasks import transitions

Payload = Renewal


async def handle(renewal: Renewal, context: HandlerContext) -> Decision:
    """Add to the duration of the newest task of this name that is not over.

    Raises:
        Rejected: 404 unknown; 409 over (code `expired` or `ended`); 422 when the sum is too long.
    """
    tasks = await checks.named(renewal, context)
    task = next((task for task in tasks if not checks.is_over(task)), tasks[0])
    checks.refuse_ended(task, "renewed")
    checks.refuse_overdue(task, context.now)
    checks.refuse_duration(task.duration + renewal.duration, context.config.task, least=1)
    change = transitions.renewed(task, seconds=renewal.duration, now=context.now)
    return Decision(task=change.after, changes=(change,))
