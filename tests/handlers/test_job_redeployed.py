"""`job.redeployed` by itself."""

import pytest
from msgspec.structs import replace

from app.errors import Rejected
from app.intake.dispatch import Decision, HandlerContext
from app.store.records import Fallback, State
from app.tasks.transitions import running
from handlers import job_assigned, job_redeployed
from tests.support.handler_contexts import NOW, commit, job


async def test_a_new_version(handler_context: HandlerContext) -> None:
    """Host, expiry and duration stay; the version that runs serves until the new one does."""
    data = job()
    assigned = await commit(handler_context, await job_assigned.handle(data, handler_context))
    change = running(replace(assigned.task, version=1), now=NOW)
    await commit(handler_context, Decision(task=change.after, changes=(change,)))
    after = (await job_redeployed.handle(replace(data, duration=60), handler_context)).task
    assert (after.revision, after.state, after.host) == (2, State.ACCEPTED, assigned.task.host)
    assert (after.duration, after.job.duration) == (900, 900)
    assert after.expires_at == NOW + 900
    assert after.fallback == Fallback(assigned.task.id, 1)


async def test_only_some_addresses(handler_context: HandlerContext) -> None:
    """A new version that only some addresses may reach is refused as well."""
    data = job()
    await commit(handler_context, await job_assigned.handle(data, handler_context))
    restricted = replace(data, ip_white_list=["192.0.2.1"])
    with pytest.raises(Rejected) as caught:
        await job_redeployed.handle(restricted, handler_context)
    assert [error.pointer for error in caught.value.errors] == ["/ip_white_list"]


async def test_unknown_jobs(handler_context: HandlerContext) -> None:
    """A job that is not held, or is named by another uuid, cannot be redeployed."""
    data = job()
    for unknown in (data, replace(data, uuid=data.task_uuid)):
        with pytest.raises(Rejected) as caught:
            await job_redeployed.handle(unknown, handler_context)
        assert (caught.value.status, caught.value.code) == (404, "unknown_task")
        await commit(handler_context, await job_assigned.handle(job(), handler_context))
