"""`job.renewed`: a task may run for longer."""

from app.intake import checks
from app.intake.dispatch import Decision, Intake
from app.intake.payloads import Renewal
from app.tasks import transitions

Payload = Renewal


async def handle(renewal: Renewal, intake: Intake) -> Decision:
    """Add to the duration of the newest task of this name that goes on.

    Raises:
        Rejected: 404 unknown; 409 over (code `expired` or `ended`); 422 when the sum is too long.
    """
    tasks = await checks.named(renewal, intake)
    task = next((one for one in tasks if not checks.is_over(one)), tasks[0])
    checks.refuse_ended(task, "renewed")
    checks.refuse_overdue(task, intake.now)
    checks.refuse_duration(task.duration + renewal.duration, intake.config.task, least=1)
    change = transitions.renewed(task, seconds=renewal.duration, now=intake.now)
    return Decision(task=change.after, changes=(change,))
