"""The callbacks that Lagrange receives for the job."""

from collections.abc import Callable, Container

from app.demo.assigned import Assigned
from app.demo.fake_lagrange import ReceivedCallback
from app.demo.polling import Failed

_SIMULATED_SECONDS = 30
_REAL_SECONDS = 180


def wait(
    assigned: Assigned, status: str, *, fatal: Container[str] = (), progress: Callable[[], str]
) -> None:
    """Wait until this status is the last that was reported.

    Args:
        assigned: The job.
        status: The status to wait for.
        fatal: Statuses that nothing good follows.
        progress: Says how it goes.

    Raises:
        Failed: It is not reported in time, or a fatal one is.
        Interrupted: A signal came.
    """
    stage = assigned.stage

    def arrived() -> ReceivedCallback | None:
        *_, last = [None, *stage.lagrange.callbacks(assigned.job.uuid)]
        return last if last and (last.status == status or last.status in fatal) else None

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
    for callback in callbacks:
        name = f"callback {callback.sequence} ({callback.status})"
        if callback.signature != "valid":
            raise Failed(f"{name}: its signature is {callback.signature}")
        if not callback.in_order:
            raise Failed(f"{name} came out of order")
    return len(callbacks)
