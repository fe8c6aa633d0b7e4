"""`job.redeployed` by itself."""

import pytest
from msgspec.structs import replace

from app.errors import Rejected
from app.intake.dispatch import Decision
from app.store.records import Fallback, State
from app.tasks.transitions import running
from handlers import job_assigned, job_redeployed
from tests.handlers.conftest import NOW, Moment
from tests.handlers.test_job_assigned import job


async def test_a_new_version(moment: Moment) -> None:
    """Host, expiry and duration stay; what runs serves until the new version does."""
    one = job()
    task = (await moment.commit(await job_assigned.handle(one, moment))).task
    change = running(replace(task, version=1), now=NOW)
    await moment.commit(Decision(task=change.after, changes=(change,)))
    after = (await job_redeployed.handle(replace(one, duration=60), moment)).task
    assert (after.revision, after.state, after.host) == (2, State.ACCEPTED, task.host)
    assert (after.duration, after.job.duration) == (900, 900)
    assert after.expires_at == NOW + 900
    assert after.fallback == Fallback(task.id, 1)


async def test_only_some_addresses(moment: Moment) -> None:
    """A new version cannot be kept from anybody either."""
    one = job()
    await moment.commit(await job_assigned.handle(one, moment))
    with pytest.raises(Rejected) as caught:
        await job_redeployed.handle(replace(one, ip_white_list=["192.0.2.1"]), moment)
    assert [error.pointer for error in caught.value.errors] == ["/ip_white_list"]


async def test_who_is_not_redeployed(moment: Moment) -> None:
    """A job that is not held, or is named by another's uuid, has no other version."""
    one = job()
    for unknown in (one, replace(one, uuid=one.task_uuid)):
        with pytest.raises(Rejected) as caught:
            await job_redeployed.handle(unknown, moment)
        assert (caught.value.status, caught.value.code) == (404, "unknown_task")
        await moment.commit(await job_assigned.handle(job(), moment))
