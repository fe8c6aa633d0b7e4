"""What can be read: the state of a task by its link, health, metrics."""

from collections.abc import Iterator
from http import HTTPStatus

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.errors import Rejected, Temporary
from app.store import AsyncStore
from app.tasks import task_json
from app.web import responses, signed_urls

log = structlog.get_logger()

_NAMESPACE = "computing_provider_"


class StatusPages:
    """Reading endpoints."""

    def __init__(self, store: AsyncStore, signer: signed_urls.Signer) -> None:
        self._store = store
        self._links = signer
        self.routes = [
            Route("/healthz", self._alive),
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
            Route("/tasks/{task_id}", self._task),
        ]

    async def _alive(self, _: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def _ready(self, _: Request) -> Response:
        """Ready is who can write an event down."""
        try:
            await self._store.ping()
        except Temporary as error:
            return _away(error)
        return PlainTextResponse("ready\n")

    async def _metrics(self, _: Request) -> Response:
        try:
            numbers = await self._store.metrics()
        except Temporary as error:
            return _away(error)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Numbers(numbers))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def _task(self, request: Request) -> Response:
        task_id = request.path_params["task_id"].lower()
        if not self._links.allows(task_id, request.query_params.get("code", "")):
            raise Rejected(HTTPStatus.UNAUTHORIZED, "unauthorized", "use the link as it was given")
        task = await self._store.get(task_id)
        if task is None:
            raise Rejected(HTTPStatus.NOT_FOUND, "unknown_task", "the task is forgotten by now")
        return responses.json(task_json.summary(task))


def _away(error: Temporary) -> Response:
    """Why is for the operator alone: it names where Redis is."""
    log.warning("not ready", error=error.message)
    return PlainTextResponse("Redis does not answer\n", HTTPStatus.SERVICE_UNAVAILABLE)


class _Numbers(Collector):
    """Numbers out of Redis, where no fork or restart loses them, as Prometheus reads them."""

    def __init__(self, numbers: dict[str, int]) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each name; `name:label` is a counter with the label `kind`."""
        families: dict[str, Metric] = {}
        for name, number in sorted(self._numbers.items()):
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
