"""`job.terminated` by itself."""

import dataclasses

import pytest
from msgspec.structs import replace

from app.errors import Rejected
from app.intake.dispatch import HandlerContext
from app.intake.payloads import Termination
from app.store.records import Reason, State
from handlers import job_assigned, job_terminated
from tests.support.handler_contexts import commit, job


async def test_every_task_of_the_name(handler_context: HandlerContext) -> None:
    """The termination of a Space ends all its tasks; a repeated one changes nothing."""
    first = job()
    second = replace(job(), job_source_uri=first.job_source_uri)
    again = dataclasses.replace(handler_context, again=True)
    for data in (first, second, job()):
        await commit(again, await job_assigned.handle(data, again))
    space = first.job_source_uri.rpartition("/")[2]
    termination = Termination(space_uuid=space.upper(), reason="paid too little")
    decision = await commit(again, await job_terminated.handle(termination, again))
    assert {change.after.id for change in decision.changes} == {first.uuid, second.uuid}
    for change in decision.changes:
        assert (change.after.state, change.after.outcome) == (State.TERMINATING, State.TERMINATED)
        assert change.after.reason == Reason("terminated", "paid too little")
    repeated = await job_terminated.handle(termination, again)
    assert repeated.changes == ()
    assert repeated.task.outcome is State.TERMINATED


async def test_unknown(handler_context: HandlerContext) -> None:
    """A task that is not held cannot be ended."""
    with pytest.raises(Rejected) as caught:
        await job_terminated.handle(Termination(task_uuid=job().task_uuid), handler_context)
    assert (caught.value.status, caught.value.code) == (404, "unknown_task")
