"""Whether a job comes in, once its Space says whose it is and what it bought."""

from app import ldl, planning
from app.admission import price
from app.admission.lists import Lists
from app.errors import Permanent
from app.ldl import hardware
from app.lifecycle.work import Work
from app.sources import Space


async def admit(work: Work, space: Space) -> None:
    """Check the owner against the operator's lists, and the bid against the prices.

    Raises:
        Permanent: `not_admitted`, `bid_too_low`, `price_unreadable`; the hardware is none.
        Temporary: Redis is away.
    """
    context = work.context
    lists = Lists(context.config.admission, context.folder, context.store)
    await lists.refuse_unwanted(space.wallet)
    if work.task.revision == 1 and not context.config.admission.pricing:
        _refuse_low_bid(work, space)


def _refuse_low_bid(work: Work, space: Space) -> None:
    job = work.task.job
    if not price.bids(job):
        return
    try:
        prices = price.load(work.context.folder)
        if prices is None:
            return
        bound = hardware.parse(
            space.hardware, gpu_count=space.gpu_count, storage_bytes=space.storage_bytes
        )
        price.refuse_low(job, bound, prices, seconds=job.duration)
    except ldl.Refused as refused:
        raise planning.refusal(refused) from None
    except price.TooLow as error:
        raise Permanent(str(error), category=price.TOO_LOW) from None
    except price.Unreadable as error:
        message = f"this provider's prices cannot be read: {error}"
        raise Permanent(message, category=price.UNREADABLE) from None
