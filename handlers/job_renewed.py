"""`job.renewed`: a task may run for longer."""

from app import rules, transitions
from app.events import Decision, Intake
from app.schema import Renewal

Payload = Renewal


async def handle(renewal: Renewal, intake: Intake) -> Decision:
    """Add to the duration of the newest task of this name that goes on.

    Raises:
        Rejected: 404 unknown; 409 over (code `expired` or `ended`); 422 when the sum is too long.
    """
    tasks = await rules.named(renewal, intake)
    task = next((one for one in tasks if not rules.is_over(one)), tasks[0])
    rules.refuse_ended(task, "renewed")
    rules.refuse_overdue(task, intake.now)
    rules.refuse_duration(task.duration + renewal.duration, intake.config.task, least=1)
    change = transitions.renewed(task, seconds=renewal.duration, now=intake.now)
    return Decision(task=change.after, changes=(change,))
