"""`job.terminated` by itself."""

import pytest
from msgspec.structs import replace

from app.errors import Rejected
from app.intake.payloads import Termination
from app.store.records import Reason, State
from handlers import job_assigned, job_terminated
from tests.handlers.conftest import Moment
from tests.handlers.test_job_assigned import job


async def test_every_task_of_the_name(moment: Moment) -> None:
    """A Space's termination ends all its tasks, and once is enough."""
    one = job()
    other = replace(job(), job_source_uri=one.job_source_uri)
    stranger = job()
    moment.again = True
    for each in (one, other, stranger):
        await moment.commit(await job_assigned.handle(each, moment))
    space = one.job_source_uri.rpartition("/")[2]
    termination = Termination(space_uuid=space.upper(), reason="paid too little")
    decision = await moment.commit(await job_terminated.handle(termination, moment))
    assert {change.after.id for change in decision.changes} == {one.uuid, other.uuid}
    for change in decision.changes:
        assert (change.after.state, change.after.outcome) == (State.TERMINATING, State.TERMINATED)
        assert change.after.reason == Reason("terminated", "paid too little")
    again = await job_terminated.handle(termination, moment)
    assert again.changes == ()
    assert again.task.outcome is State.TERMINATED


async def test_unknown(moment: Moment) -> None:
    """What is not held cannot be ended."""
    with pytest.raises(Rejected) as caught:
        await job_terminated.handle(Termination(task_uuid=job().task_uuid), moment)
    assert (caught.value.status, caught.value.code) == (404, "unknown_task")
