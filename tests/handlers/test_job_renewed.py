"""`job.renewed` by itself."""

import pytest
from msgspec.structs import replace

from app.errors import Rejected
from app.intake.dispatch import Decision
from app.intake.payloads import Renewal
from app.tasks.transitions import running
from handlers import job_assigned, job_renewed
from tests.handlers.conftest import NOW, Moment
from tests.handlers.test_job_assigned import job


async def test_more_time(moment: Moment) -> None:
    """Seconds are added to the duration, and to the expiry once that is known."""
    one = job()
    task = (await moment.commit(await job_assigned.handle(one, moment))).task
    renewal = Renewal(uuid=one.uuid, duration=60)
    waiting = (await job_renewed.handle(renewal, moment)).task
    assert (waiting.duration, waiting.expires_at) == (960, None)
    change = running(replace(task, version=1), now=NOW)
    await moment.commit(Decision(task=change.after, changes=(change,)))
    assert (await job_renewed.handle(renewal, moment)).task.expires_at == NOW + 960


@pytest.mark.parametrize(
    ("renewal", "status"),
    [
        (Renewal(duration=60), 422),
        (Renewal(uuid="11111111-1111-4111-8111-111111111111", duration=60), 404),
    ],
)
async def test_nobody_is_renewed(moment: Moment, renewal: Renewal, status: int) -> None:
    """A renewal names a task that is known."""
    with pytest.raises(Rejected) as caught:
        await job_renewed.handle(renewal, moment)
    assert caught.value.status == status


async def test_the_sum_is_bounded(moment: Moment) -> None:
    """No number of renewals makes a task longer than the operator allows."""
    one = job()
    await moment.commit(await job_assigned.handle(one, moment))
    most = moment.config.task.max_duration_seconds
    assert await job_renewed.handle(Renewal(uuid=one.uuid, duration=most - 900), moment)
    with pytest.raises(Rejected) as caught:
        await job_renewed.handle(Renewal(uuid=one.uuid, duration=most - 899), moment)
    assert [error.pointer for error in caught.value.errors] == ["/duration"]
