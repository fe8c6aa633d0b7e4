"""The API server as an ASGI application."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.demo.cluster import discovery, initial_objects, url_paths
from app.demo.cluster.api_errors import ApiError, unknown
from app.demo.cluster.controllers import loop
from app.demo.cluster.controllers.kubelet import Kubelet
from app.demo.cluster.object_store import ObjectStore
from app.demo.cluster.requests import Requests, document

_PROBES = {"/healthz", "/livez", "/readyz"}


def create(
    *,
    startup_seconds: float = 0.5,
    termination_seconds: float = 0.2,
    bookmark_seconds: float = 60.0,
    history: int = 10_000,
    token: str = "",
    capacity: Mapping[str, str] = initial_objects.CAPACITY,
    node_labels: Mapping[str, str] = initial_objects.GPU_LABELS,
) -> Starlette:
    """The API server; its controllers run while its lifespan does.

    Args:
        startup_seconds: From a pod's creation until it is ready.
        termination_seconds: How long a pod takes to end, at most, whatever its grace period.
        bookmark_seconds: From one bookmark of a watch to the next; one comes at its end, too.
        history: How many changes are known to watches; older ones are answered with a 410.
        token: The bearer token that every request has to carry; empty: none is asked for.
        capacity: Of the node, resource by resource.
        node_labels: Of the node.
    """
    store = ObjectStore(history=history)
    initial_objects.put(store, capacity=capacity, labels=node_labels)
    kubelet = Kubelet(
        store, startup_seconds=startup_seconds, termination_seconds=termination_seconds
    )
    requests = Requests(store, kubelet, bookmark_seconds=bookmark_seconds)
    answer = _answerer(requests, f"Bearer {token}".encode() if token else b"")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(loop.run(store, kubelet))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)], lifespan=lifespan)


def _answerer(requests: Requests, authorization: bytes) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            _authenticate(request, authorization)
            if (response := _about_itself(request.url.path.rstrip("/"))) is not None:
                return response
            return await requests.answer(request, url_paths.parse(request.url.path))
        except ApiError as failure:
            return document(failure.status, failure.code)

    return answer


def _authenticate(request: Request, authorization: bytes) -> None:
    given = request.headers.get("authorization", "").encode()
    if authorization and not hmac.compare_digest(given, authorization):
        raise ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")


def _about_itself(path: str) -> Response | None:
    """The answer at a path that is about no object, or None."""
    if path in _PROBES:
        return PlainTextResponse("ok")
    match path.split("/")[1:]:
        case ["version"]:
            return document(discovery.VERSION)
        case ["api"]:
            return document(discovery.core())
        case ["apis"]:
            return document(discovery.groups())
        case ["api", version]:
            kinds = discovery.kinds("", version)
        case ["apis", group, version]:
            kinds = discovery.kinds(group, version)
        case _:
            return None
    if kinds is None:
        raise unknown()
    return document(kinds)
