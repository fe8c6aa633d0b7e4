"""Endpoints for reading: health, metrics, and the state of a task by its signed URL."""

from collections.abc import Iterator
from http import HTTPStatus

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.errors import Rejected, Temporary
from app.store import AsyncStore
from app.tasks import task_json
from app.web import responses
from app.web.signed_urls import TaskUrlSigner

log = structlog.get_logger()

_NAMESPACE = "computing_provider_"


class StatusEndpoints:
    """The status of the process, and of a task."""

    def __init__(self, store: AsyncStore, task_urls: TaskUrlSigner) -> None:
        self._store = store
        self._task_urls = task_urls

    async def health(self, _: Request) -> Response:
        """Answer as long as the process serves."""
        return PlainTextResponse("alive\n")

    async def readiness(self, _: Request) -> Response:
        """Answer 200 while Redis takes writes, else 503; say so when it is almost full."""
        try:
            is_full = await self._store.probe()
        except Temporary as error:
            return _not_ready(error)
        if is_full:
            return PlainTextResponse("ready; Redis is almost full: new jobs are refused\n")
        return PlainTextResponse("ready\n")

    async def metrics(self, _: Request) -> Response:
        """Answer with all metrics as Prometheus reads them."""
        try:
            metrics = await self._store.metrics()
        except Temporary as error:
            return _not_ready(error)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_RedisMetrics(metrics))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def task(self, request: Request) -> Response:
        """Answer with the state of a task.

        Raises:
            Rejected: 401 when the code is not this task's, 404 when the task is gone.
        """
        task_id = request.path_params["task_id"].lower()
        if not self._task_urls.allows(task_id, request.query_params.get("code", "")):
            raise Rejected(HTTPStatus.UNAUTHORIZED, "unauthorized", "use the link as it was given")
        task = await self._store.get(task_id)
        if task is None:
            raise Rejected(
                HTTPStatus.NOT_FOUND, "unknown_task", "the record of the task was deleted"
            )
        return responses.json(task_json.summary(task))


def _not_ready(error: Temporary) -> Response:
    """The reason is for the operator alone: it contains the address of Redis."""
    log.warning("not ready", error=error.message)
    return PlainTextResponse("Redis does not answer\n", HTTPStatus.SERVICE_UNAVAILABLE)


class _RedisMetrics(Collector):
    """Metrics kept in Redis, where they survive forks and restarts."""

    def __init__(self, metrics: dict[str, int]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each name; `name:label` is a counter with the label `kind`."""
        families: dict[str, Metric] = {}
        for name, number in sorted(self._metrics.items()):
            family, _, kind = name.partition(":")
            if not kind:
                yield GaugeMetricFamily(_NAMESPACE + family, family.replace("_", " "), value=number)
                continue
            counter = families.setdefault(
                family,
                CounterMetricFamily(_NAMESPACE + family, family.replace("_", " "), labels=["kind"]),
            )
            counter.add_metric([kind], number)  # type: ignore[attr-defined]  # declared on the subclass
        yield from families.values()
