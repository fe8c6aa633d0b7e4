"""The process `clock`: ends what is due, wakes what stalled, purges, and reports."""

import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import FrameType

import structlog
from redis.exceptions import RedisError
from rq.registry import StartedJobRegistry

from app.context import Context
from app.errors import Temporary
from app.lagrange import report_thread, result_upload
from app.processes.heartbeat_file import HeartbeatFile
from app.store import budget, rq_queue
from app.store.transaction import ENDED_KEPT
from app.tasks import deadlines

log = structlog.get_logger()

_TICK_SECONDS = 1.0
_GOODBYE_SECONDS = 5.0
_EVERY_TICK = timedelta(0)
_JANITOR_EVERY = timedelta(seconds=5)
_TRIM_EVERY = timedelta(minutes=1)
_PURGE_EVERY = timedelta(minutes=10)
_CLEAN_EVERY = timedelta(minutes=15)
_ADOPT_EVERY = timedelta(minutes=5)
_ENDED_KEPT_SECONDS = ENDED_KEPT.total_seconds()

Duty = Callable[[], object]


class Clock:
    """Several may run: whatever they do is a compare-and-set, or harmless twice."""

    def __init__(self, context: Context) -> None:
        store, queue = context.store, rq_queue.queue_on(context.redis)
        # RQ's own registry retries what dead workers left.
        registry = StartedJobRegistry(queue=queue, job_class=rq_queue.QueuedJob)
        self._duties: tuple[tuple[str, timedelta, Duty], ...] = (
            ("mark_full", _EVERY_TICK, lambda: budget.mark_full(context.redis)),
            ("end_due", _EVERY_TICK, lambda: deadlines.end_due(context)),
            ("wake_stalled", _EVERY_TICK, lambda: deadlines.wake_stalled(context)),
            ("release_due", _EVERY_TICK, lambda: rq_queue.release_due(queue)),
            ("upload", _EVERY_TICK, lambda: result_upload.upload_due(context)),
            ("sweep_queue", _JANITOR_EVERY, registry.cleanup),
            ("trim_build_logs", _TRIM_EVERY, lambda: budget.trim_build_logs(context.redis)),
            ("release_hosts", _PURGE_EVERY, lambda: budget.release_hosts(context.redis)),
            ("purge", _PURGE_EVERY, lambda: store.purge(time.time() - _ENDED_KEPT_SECONDS)),
            ("clean", _CLEAN_EVERY, lambda: store.call(rq_queue.CLEAN, "tenants")),
            ("adopt", _ADOPT_EVERY, lambda: store.call(rq_queue.ADOPT, "v0.3.0")),
        )
        self._due: dict[str, float] = {}

    def tick(self) -> None:
        """Carry out every duty that is due; one that fails holds up no other."""
        for name, every, duty in self._duties:
            now = time.monotonic()
            if self._due.get(name, 0) > now:
                continue
            self._due[name] = now + every.total_seconds()
            try:
                duty()
            except (Temporary, RedisError, OSError) as error:
                log.warning("duty failed", duty=name, error=str(error))


def serve(context: Context, heartbeat: HeartbeatFile) -> None:
    """Tick until SIGTERM."""
    stopped = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    clock = Clock(context)
    reports = report_thread.start(context, stopped)
    while not stopped.is_set():
        clock.tick()
        heartbeat.touch()
        stopped.wait(_TICK_SECONDS)
    if reports:
        reports.join(_GOODBYE_SECONDS)
