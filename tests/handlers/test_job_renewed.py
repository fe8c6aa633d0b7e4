"""`job.renewed` by itself."""

import pytest
from msgspec.structs import replace

from app.errors import Rejected
from app.intake.dispatch import Decision, HandlerContext
from app.intake.payloads import Renewal
from app.tasks.transitions import running
from handlers import job_assigned, job_renewed
from tests.support.handler_contexts import NOW, commit, job


async def test_more_time(handler_context: HandlerContext) -> None:
    """Seconds are added to the duration, and to the expiry once that is known."""
    data = job()
    assigned = await commit(handler_context, await job_assigned.handle(data, handler_context))
    renewal = Renewal(uuid=data.uuid, duration=60)
    waiting = (await job_renewed.handle(renewal, handler_context)).task
    assert (waiting.duration, waiting.expires_at) == (960, None)
    change = running(replace(assigned.task, version=1), now=NOW)
    await commit(handler_context, Decision(task=change.after, changes=(change,)))
    assert (await job_renewed.handle(renewal, handler_context)).task.expires_at == NOW + 960


@pytest.mark.parametrize(
    ("renewal", "status"),
    [
        (Renewal(duration=60), 422),
        (Renewal(uuid="11111111-1111-4111-8111-111111111111", duration=60), 404),
    ],
)
async def test_unknown_tasks(
    handler_context: HandlerContext, renewal: Renewal, status: int
) -> None:
    """A renewal names a task that is known."""
    with pytest.raises(Rejected) as caught:
        await job_renewed.handle(renewal, handler_context)
    assert caught.value.status == status


async def test_the_sum_is_bounded(handler_context: HandlerContext) -> None:
    """No number of renewals makes a task longer than the operator allows."""
    data = job()
    await commit(handler_context, await job_assigned.handle(data, handler_context))
    longest = handler_context.config.task.max_duration_seconds
    fitting = Renewal(uuid=data.uuid, duration=longest - 900)
    assert await job_renewed.handle(fitting, handler_context)
    with pytest.raises(Rejected) as caught:
        await job_renewed.handle(replace(fitting, duration=longest - 899), handler_context)
    assert [error.pointer for error in caught.value.errors] == ["/duration"]
