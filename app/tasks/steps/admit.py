"""Admission of a job, once its Space says its owner and its order."""

from app.admission import prices as admission_prices
from app.admission.wallet_lists import Lists
from app.errors import Permanent
from app.spaces.source import Space
from app.tasks.step import StepContext


async def admit(step: StepContext, space: Space) -> None:
    """Check the owner against the operator's lists, and the bid against the prices.

    Raises:
        Permanent: `not_admitted`, `bid_too_low`, `price_unreadable`, `ldl_refused`.
        Temporary: Redis is away.
    """
    context = step.context
    lists = Lists(context.config.admission, context.folder, context.store)
    await lists.refuse_unwanted(space.wallet)
    if step.task.revision == 1 and not context.config.admission.pricing:
        _refuse_low_bid(step, space)


def _refuse_low_bid(step: StepContext, space: Space) -> None:
    job = step.task.job
    if not admission_prices.bids(job):
        return
    try:
        prices = admission_prices.load(step.context.folder)
        if prices is None:
            return
        admission_prices.refuse_low(job, space.order, prices, seconds=job.duration)
    except admission_prices.TooLow as error:
        raise Permanent(str(error), category=admission_prices.TOO_LOW) from None
    except admission_prices.UnreadablePrices as error:
        message = f"this provider's prices cannot be read: {error}"
        raise Permanent(message, category=admission_prices.UNREADABLE) from None
