"""Refusal of a job before it is accepted, when its Space's hardware is known already.

Only Redis is asked, and only about Spaces that had a job here before. A job that cannot be judged
for certain is left to the worker, which fetches the Space and decides.
"""

from dataclasses import replace
from http import HTTPStatus

from app.admission import inventory_snapshot
from app.admission import prices as admission_prices
from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger
from app.admission.reservations.placement import NoRoom
from app.errors import Rejected
from app.intake.dispatch import HandlerContext
from app.spaces import ldl
from app.spaces.ldl import hardware
from app.store import redis_keys
from app.store.job_data import JobData, source_uuid
from app.store.records import Task


async def refuse_hopeless(job: JobData, context: HandlerContext) -> None:
    """Check that there is room for a job and that its bid is high enough, as far as is known.

    Raises:
        Rejected: 409, code `no_room` or `bid_too_low`.
        Temporary: Redis does not answer.
    """
    space_uuid = source_uuid(job.job_source_uri)
    tasks = await context.store.find(space_uuid) if space_uuid else []
    earlier = next((task for task in tasks if _is_precedent(task, job)), None)
    if earlier is None:
        return
    _refuse_low_bid(job, earlier, context)
    if not any(task.stopping for task in tasks):
        await _refuse_without_room(job, earlier, tasks, context)


def _is_precedent(task: Task, job: JobData) -> bool:
    """Tell whether an earlier task of the same source shows the hardware that a job needs."""
    same_source = task.job.job_source_uri == job.job_source_uri
    return same_source and bool(task.hardware) and task.id != job.uuid.lower()


def _refuse_low_bid(job: JobData, earlier: Task, context: HandlerContext) -> None:
    """The description leaves out how many GPUs and how much storage: the least is assumed."""
    if context.config.admission.pricing or not admission_prices.bids(job):
        return
    try:
        prices = admission_prices.load(context.folder)
        least = replace(hardware.parse(earlier.hardware), storage_bytes=0)
        if prices is not None:
            admission_prices.refuse_low(job, least, prices, seconds=job.duration)
    except admission_prices.TooLow as error:
        raise Rejected(HTTPStatus.CONFLICT, admission_prices.TOO_LOW, str(error)) from None
    except (admission_prices.UnreadablePrices, ldl.InvalidDeployment):
        return


async def _refuse_without_room(
    job: JobData, earlier: Task, tasks: list[Task], context: HandlerContext
) -> None:
    store = context.store
    content = await store.field(redis_keys.demands(earlier.id), str(earlier.revision))
    snapshot = inventory_snapshot.read(await store.value(redis_keys.INVENTORY))
    if content is None or snapshot is None or not snapshot.is_valid(context.now):
        return
    ledger = Ledger.read(await store.fields(redis_keys.RESERVATIONS))
    serving = next((task for task in tasks if not task.ended), None)
    before = ledger.of(serving.id, serving.revision) if serving else ()
    wanted = placement.decoded(content)
    try:
        placement.place(
            wanted, snapshot.inventory, ledger, task_id=job.uuid.lower(), revision=1, before=before
        )
    except NoRoom as error:
        raise Rejected(HTTPStatus.CONFLICT, "no_room", str(error)) from None
