"""The process `worker`: carries out what the queue calls for, each piece in a fork of its own."""

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
    """RQ's worker whose death is noticed within seconds instead of minutes."""

    log_job_description = False
    log_result_lifespan = False
    pulse = HeartbeatFile()

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:  # noqa: ARG002 - RQ's signature
        """Return how long a piece of work counts as alive without a sign of life."""
        return _MISSED_HEARTBEATS * _MONITORING_SECONDS

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """RQ calls it wherever it goes round: idle, at work, and while Redis is away."""
        self.pulse.touch()
        super().heartbeat(*args, **kwargs)


def serve(context: Context, pulse: HeartbeatFile) -> None:
    """Work until SIGTERM; the piece under way is finished first."""
    os.environ["CP_PATH"] = str(context.folder)
    rq_jobs.prepare()
    logging.getLogger("rq").setLevel(logging.WARNING)
    _wait_for_redis(context, pulse)
    rq_jobs.begin()
    connection = redis.Redis.from_url(
        context.config.api.redis_url, password=context.config.api.redis_password or None
    )
    worker = QuickWorker(
        [rq_queue.queue_on(connection)],
        connection=connection,
        serializer="json",
        worker_ttl=_WORKER_TTL_SECONDS,
        job_monitoring_interval=_MONITORING_SECONDS,
        maintenance_interval=_MONITORING_SECONDS,
    )
    worker.pulse = pulse
    worker.work(logging_level="WARNING")


def _wait_for_redis(context: Context, pulse: HeartbeatFile) -> None:
    """RQ gives up when Redis is away at its start; we do not."""
    while True:
        pulse.touch()
        with suppress(redis.exceptions.RedisError, OSError):
            context.redis.ping()
            return
        log.warning("waiting for redis")
        time.sleep(2)
