"""`job.terminated`: a task ends before its time."""

from app.intake import checks
from app.intake.dispatch import Decision, HandlerContext
from app.intake.payloads import Termination
from app.store.records import Reason, State
from app.tasks import transitions

Payload = Termination


async def handle(termination: Termination, context: HandlerContext) -> Decision:
    """End every task of this name; what is over or being ended stays as it is.

    Raises:
        Rejected: 404 when no task is known by the name.
    """
    tasks = await checks.named(termination, context)
    reason = Reason("terminated", termination.reason or "Lagrange ended the job")
    changes = tuple(
        transitions.stopping(task, State.TERMINATED, reason, now=context.now)
        for task in tasks
        if not checks.is_over(task)
    )
    return Decision(task=changes[0].after if changes else tasks[0], changes=changes)
