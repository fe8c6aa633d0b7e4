"""The process `worker`: RQ's worker, which runs each job of the queue in a fork of its own."""

import logging
import os
import time
from contextlib import suppress
from typing import Any

import redis
import structlog
from rq import Worker
from rq.job import Job

from app.context import Context
from app.processes import rq_jobs
from app.processes.heartbeat_file import HeartbeatFile
from app.store import rq_queue

log = structlog.get_logger()

_WORKER_TTL_SECONDS = 20
_MONITORING_SECONDS = 5
_MISSED_HEARTBEATS = 3


class QuickWorker(Worker):
    """RQ's worker with heartbeats that reveal its death within seconds instead of minutes."""

    log_result_lifespan = False
    heartbeat_file = HeartbeatFile()

    def subscribe(self) -> None:
        """Take no commands from Redis (`stop-job`, `kill-horse`, `shutdown`)."""

    def unsubscribe(self) -> None:
        """Do nothing, since nothing is subscribed to."""

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:  # noqa: ARG002 - RQ's signature
        """Return for how many seconds a job without a heartbeat counts as alive."""
        return _MISSED_HEARTBEATS * _MONITORING_SECONDS

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """Touch the file as well; RQ calls this in every loop: idle, at work, without Redis."""
        self.heartbeat_file.touch()
        super().heartbeat(*args, **kwargs)


def serve(context: Context, heartbeat: HeartbeatFile) -> None:
    """Work until SIGTERM; the job under way is finished first."""
    os.environ["CP_PATH"] = str(context.folder)
    rq_jobs.prepare()
    logging.getLogger("rq").setLevel(logging.WARNING)
    _wait_for_redis(context, heartbeat)
    rq_jobs.begin()
    connection = redis.Redis.from_url(
        context.config.api.redis_url, password=context.config.api.redis_password or None
    )
    worker = QuickWorker(
        [rq_queue.queue_on(connection)],
        connection=connection,
        serializer="json",
        job_class=rq_queue.QueuedJob,
        worker_ttl=_WORKER_TTL_SECONDS,
        job_monitoring_interval=_MONITORING_SECONDS,
        maintenance_interval=_MONITORING_SECONDS,
    )
    worker.heartbeat_file = heartbeat
    worker.work(logging_level="WARNING")


def _wait_for_redis(context: Context, heartbeat: HeartbeatFile) -> None:
    """Wait for Redis, since RQ gives up when it is away at the start."""
    while True:
        heartbeat.touch()
        with suppress(redis.exceptions.RedisError, OSError):
            context.redis.ping()
            return
        log.warning("waiting for redis")
        time.sleep(2)
