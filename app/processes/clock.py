"""The process `clock`: ends what is due, wakes what stalled, keeps books, and reports."""

import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any

import structlog
from redis.exceptions import RedisError
from rq.registry import StartedJobRegistry
from rq.scheduler import RQScheduler

from app.context import Context
from app.errors import Temporary
from app.lagrange import report_thread, result_upload
from app.processes.heartbeat_file import HeartbeatFile
from app.store import rq_queue
from app.store.transaction import ENDED_KEPT
from app.tasks import deadlines

log = structlog.get_logger()

_TICK_SECONDS = 1.0
_GOODBYE_SECONDS = 5.0
_JANITOR_EVERY = timedelta(seconds=5)
_PURGE_EVERY = timedelta(minutes=10)
_CLEAN_EVERY = timedelta(minutes=15)
_ADOPT_EVERY = timedelta(minutes=5)


class Clock:
    """Several may run: whatever they do is a compare-and-set, or harmless twice."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._queue = rq_queue.queue_on(context.redis)
        # RQ's scheduler carries no annotations.
        self._scheduler: Any = RQScheduler([self._queue], context.redis, serializer="json")
        self._next: dict[str, float] = {}

    def tick(self) -> None:
        """Do once what is to be done every second, and now and then."""
        for duty in (self._end_due, self._wake_stalled, self._schedule, self._upload):
            self._kept_going(duty)
        self._seldom(self._sweep_queue, _JANITOR_EVERY)
        self._seldom(self._purge, _PURGE_EVERY)
        self._seldom(self._clean, _CLEAN_EVERY)
        self._seldom(self._adopt, _ADOPT_EVERY)

    def _kept_going(self, duty: Callable[[], object]) -> None:
        """One duty that fails holds up no other."""
        try:
            duty()
        except (Temporary, RedisError, OSError) as error:
            log.warning("duty failed", duty=duty.__name__.strip("_"), error=str(error))

    def _seldom(self, duty: Callable[[], object], every: timedelta) -> None:
        now = time.monotonic()
        if self._next.get(duty.__name__, 0) <= now:
            self._next[duty.__name__] = now + every.total_seconds()
            self._kept_going(duty)

    def _end_due(self) -> None:
        deadlines.end_due(self._context)

    def _wake_stalled(self) -> None:
        deadlines.wake_stalled(self._context)

    def _schedule(self) -> None:
        """Put what RQ retries later back on its queue; a worker's own would outlive it."""
        self._scheduler.acquire_locks()
        if self._scheduler.acquired_locks:
            self._scheduler.enqueue_scheduled_jobs()

    def _upload(self) -> None:
        result_upload.upload_due(self._context)

    def _clean(self) -> None:
        self._context.store.call(rq_queue.CLEAN, "tenants")

    def _adopt(self) -> None:
        self._context.store.call(rq_queue.ADOPT, "v0.3.0")

    def _sweep_queue(self) -> None:
        """Retry what dead workers left."""
        StartedJobRegistry(queue=self._queue).cleanup()

    def _purge(self) -> None:
        self._context.store.purge(time.time() - ENDED_KEPT.total_seconds())


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
