"""`job.assigned` by itself."""

import msgspec
import pytest
from msgspec.structs import replace

from app.errors import Rejected
from app.store import Conflict
from app.store.job_data import JobData
from app.store.records import State
from handlers import job_assigned
from tests.handlers.conftest import NOW, Moment
from tests.support import market


def job(**fields: object) -> JobData:
    """Return a job."""
    return msgspec.convert(market.job(**fields), JobData)


async def test_a_new_job(moment: Moment) -> None:
    """A job becomes a task with a host of its own, which has to run before its deadline."""
    one, other = job(), job()
    task = (await job_assigned.handle(one, moment)).task
    assert (task.id, task.state, task.created_at) == (one.uuid, State.ACCEPTED, NOW)
    assert task.start_deadline == NOW + moment.config.task.start_timeout_seconds
    assert task.host != (await job_assigned.handle(other, moment)).task.host


async def test_decided_again(moment: Moment) -> None:
    """Whether a job is held is found out by the commit; then the handler looks."""
    one = job()
    first = await moment.commit(await job_assigned.handle(one, moment))
    again = await job_assigned.handle(one, moment)
    with pytest.raises(Conflict):
        await moment.commit(again)
    moment.again = True
    held = await job_assigned.handle(replace(one, status="x", updated_at="5"), moment)
    assert held.changes == ()
    assert held.task == replace(first.task, version=1)


@pytest.mark.parametrize(
    "change", [{"duration": 901}, {"job_source_uri": "https://x/y"}, {"bid_price": "2"}], ids=str
)
async def test_another_job_of_the_same_name(moment: Moment, change: dict[str, object]) -> None:
    """A uuid stands for one job."""
    one = job()
    await moment.commit(await job_assigned.handle(one, moment))
    moment.again = True
    with pytest.raises(Rejected) as caught:
        await job_assigned.handle(replace(one, **change), moment)
    assert (caught.value.status, caught.value.code) == (409, "job_differs")


@pytest.mark.parametrize(
    ("addresses", "is_fine"), [(None, True), ([], True), ([" "], True), (["192.0.2.1"], False)]
)
async def test_only_some_addresses(
    moment: Moment, addresses: list[str] | None, *, is_fine: bool
) -> None:
    """A job that not everybody is to reach is refused, and the field is named."""
    one = job(ip_white_list=addresses)
    if is_fine:
        assert (await job_assigned.handle(one, moment)).changes
        return
    with pytest.raises(Rejected) as caught:
        await job_assigned.handle(one, moment)
    assert caught.value.status == 422
    assert [error.pointer for error in caught.value.errors] == ["/ip_white_list"]


@pytest.mark.parametrize(
    ("duration", "is_fine"), [(59, False), (60, True), (366 * 86400 + 1, False)]
)
async def test_durations(moment: Moment, duration: int, *, is_fine: bool) -> None:
    """A duration has a minimum and a maximum, and the field is named."""
    if is_fine:
        assert (await job_assigned.handle(job(duration=duration), moment)).limited
        return
    with pytest.raises(Rejected) as caught:
        await job_assigned.handle(job(duration=duration), moment)
    assert [error.pointer for error in caught.value.errors] == ["/duration"]
