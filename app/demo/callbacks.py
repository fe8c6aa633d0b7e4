"""What Lagrange is told of the job."""

from collections.abc import Callable, Container

from app.demo.assigned import Assigned
from app.demo.fake_lagrange import ReceivedCallback
from app.demo.waiting import Failed

_SIMULATED_SECONDS = 30
_REAL_SECONDS = 180


def wait(
    assigned: Assigned, status: str, *, fatal: Container[str] = (), progress: Callable[[], str]
) -> None:
    """Wait until this status is the last that Lagrange was told.

    Args:
        assigned: The job.
        status: What is waited for.
        fatal: Statuses that nothing good follows.
        progress: Says how it goes.

    Raises:
        Failed: It is not told in time, or a fatal one is.
        Interrupted: A signal came.
    """
    stage = assigned.stage

    def arrived() -> ReceivedCallback | None:
        told = stage.lagrange.callbacks(assigned.job.uuid)
        return (
            told[-1] if told and (told[-1].status == status or told[-1].status in fatal) else None
        )

    last = stage.patience.until(
        lambda: f"a callback that says {status}; {progress()}",
        arrived,
        seconds=_SIMULATED_SECONDS if stage.simulated else _REAL_SECONDS,
    )
    if last.status in fatal:
        raise Failed(f"the job {last.status}: {last.reason}")


def check(assigned: Assigned) -> int:
    """Return how many callbacks came.

    Raises:
        Failed: One was not in order, or its signature does not hold.
    """
    callbacks = assigned.stage.lagrange.callbacks(assigned.job.uuid)
    for one in callbacks:
        if one.signature != "valid":
            raise Failed(
                f"callback {one.sequence} ({one.status}): its signature is {one.signature}"
            )
        if not one.in_order:
            raise Failed(f"callback {one.sequence} ({one.status}) came out of order")
    return len(callbacks)
