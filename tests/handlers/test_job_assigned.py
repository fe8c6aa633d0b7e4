"""`job.assigned` by itself."""

import dataclasses

import pytest
from msgspec.structs import replace

from app.errors import Rejected
from app.intake.dispatch import HandlerContext
from app.store import Conflict
from app.store.records import State
from handlers import job_assigned
from tests.support.handler_contexts import NOW, commit, job


async def test_a_new_job(handler_context: HandlerContext) -> None:
    """A job becomes a task with a host of its own, which has to run before its deadline."""
    first, second = job(), job()
    task = (await job_assigned.handle(first, handler_context)).task
    assert (task.id, task.state, task.created_at) == (first.uuid, State.ACCEPTED, NOW)
    assert task.start_deadline == NOW + handler_context.config.task.start_timeout_seconds
    assert task.host != (await job_assigned.handle(second, handler_context)).task.host


async def test_decided_again(handler_context: HandlerContext) -> None:
    """The commit finds out whether a job is held; only then does the handler look."""
    data = job()
    first = await commit(handler_context, await job_assigned.handle(data, handler_context))
    repeated = await job_assigned.handle(data, handler_context)
    with pytest.raises(Conflict):
        await commit(handler_context, repeated)
    again = dataclasses.replace(handler_context, again=True)
    held = await job_assigned.handle(replace(data, status="x", updated_at="5"), again)
    assert held.changes == ()
    assert held.task == replace(first.task, version=1)


@pytest.mark.parametrize(
    "change", [{"duration": 901}, {"job_source_uri": "https://x/y"}, {"bid_price": "2"}], ids=str
)
async def test_another_job_of_the_same_name(
    handler_context: HandlerContext, change: dict[str, object]
) -> None:
    """A uuid stands for one job."""
    data = job()
    await commit(handler_context, await job_assigned.handle(data, handler_context))
    again = dataclasses.replace(handler_context, again=True)
    with pytest.raises(Rejected) as caught:
        await job_assigned.handle(replace(data, **change), again)
    assert (caught.value.status, caught.value.code) == (409, "job_differs")


@pytest.mark.parametrize(
    ("addresses", "is_fine"), [(None, True), ([], True), ([" "], True), (["192.0.2.1"], False)]
)
async def test_only_some_addresses(
    handler_context: HandlerContext, addresses: list[str] | None, *, is_fine: bool
) -> None:
    """A job that only some addresses may reach is refused, and the field is named."""
    data = job(ip_white_list=addresses)
    if is_fine:
        assert (await job_assigned.handle(data, handler_context)).changes
        return
    with pytest.raises(Rejected) as caught:
        await job_assigned.handle(data, handler_context)
    assert caught.value.status == 422
    assert [error.pointer for error in caught.value.errors] == ["/ip_white_list"]


@pytest.mark.parametrize(
    ("duration", "is_fine"), [(59, False), (60, True), (366 * 86400 + 1, False)]
)
async def test_durations(handler_context: HandlerContext, duration: int, *, is_fine: bool) -> None:
    """A duration has a minimum and a maximum, and the field is named."""
    if is_fine:
        assert (await job_assigned.handle(job(duration=duration), handler_context)).limited
        return
    with pytest.raises(Rejected) as caught:
        await job_assigned.handle(job(duration=duration), handler_context)
    assert [error.pointer for error in caught.value.errors] == ["/duration"]
