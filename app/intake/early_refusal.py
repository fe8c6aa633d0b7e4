"""What can be said of a job before it is accepted: of a Space whose hardware is known already.

Only the memory is asked, and only for Spaces that had a job here before. What is not known, or not
for sure, is left to the worker, which fetches the Space and decides.
"""

from dataclasses import replace
from http import HTTPStatus

import msgspec

from app.admission import inventory_snapshot
from app.admission import prices as admission_prices
from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger
from app.admission.reservations.placement import NoRoom
from app.errors import Rejected
from app.intake.dispatch import Intake
from app.spaces import ldl
from app.spaces.ldl import hardware
from app.store import redis_keys
from app.store.job_data import JobData, source_uuid
from app.store.records import Task
from k8s.workload import Workload


async def refuse_hopeless(job: JobData, intake: Intake) -> None:
    """Check that there is room for a job, and that its bid is high enough, as far as is known.

    Raises:
        Rejected: 409, code `no_room` or `bid_too_low`.
        Temporary: Redis is away.
    """
    space_uuid = source_uuid(job.job_source_uri)
    tasks = await intake.store.find(space_uuid) if space_uuid else []
    earlier = next((one for one in tasks if _tells(one, job)), None)
    if earlier is None:
        return
    _refuse_low_bid(job, earlier, intake)
    if not any(one.stopping for one in tasks):
        await _refuse_without_room(job, earlier, tasks, intake)


def _tells(task: Task, job: JobData) -> bool:
    same_source = task.job.job_source_uri == job.job_source_uri
    return same_source and bool(task.hardware) and task.id != job.uuid.lower()


def _refuse_low_bid(job: JobData, earlier: Task, intake: Intake) -> None:
    """The description leaves out how many GPUs and how much storage: the least is assumed."""
    if intake.config.admission.pricing or not admission_prices.bids(job):
        return
    try:
        prices = admission_prices.load(intake.folder)
        least = replace(hardware.parse(earlier.hardware), storage_bytes=0)
        if prices is not None:
            admission_prices.refuse_low(job, least, prices, seconds=job.duration)
    except admission_prices.TooLow as error:
        raise Rejected(HTTPStatus.CONFLICT, admission_prices.TOO_LOW, str(error)) from None
    except (admission_prices.UnreadablePrices, ldl.InvalidDeployment):
        return


async def _refuse_without_room(
    job: JobData, earlier: Task, tasks: list[Task], intake: Intake
) -> None:
    content = await intake.store.value(redis_keys.workload(earlier.id, earlier.revision))
    seen = inventory_snapshot.read(await intake.store.value(redis_keys.INVENTORY))
    if content is None or seen is None or not seen.is_valid(intake.now):
        return
    book = Ledger.read(await intake.store.fields(redis_keys.RESERVATIONS))
    serving = next((one for one in tasks if not one.ended), None)
    before = book.of(serving.id, serving.revision) if serving else ()
    wanted = placement.demands(msgspec.json.decode(content, type=Workload))
    try:
        placement.place(
            wanted, seen.inventory, book, task_id=job.uuid.lower(), revision=1, before=before
        )
    except NoRoom as error:
        raise Rejected(HTTPStatus.CONFLICT, "no_room", str(error)) from None
