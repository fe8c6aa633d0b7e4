"""The answer to each kind of request."""

import time
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from app.demo.cluster import api_errors, apply, deletion, logs, selectors, watches
from app.demo.cluster.api_errors import ApiError
from app.demo.cluster.controllers.containers import Moment
from app.demo.cluster.controllers.kubelet import Kubelet
from app.demo.cluster.deletion import Options
from app.demo.cluster.object_store import ObjectStore
from app.demo.cluster.resources import PODS, Json
from app.demo.cluster.url_paths import Target
from app.demo.cluster.watches import Collection, Field

_MAX_BODY_BYTES = 3 << 20
_WATCH_SECONDS = 1800
_APPLY_TYPE = "application/apply-patch+yaml"

_TRUE = {"true", "1"}


class _Preconditions(msgspec.Struct, rename="camel"):
    uid: str | None = None
    resource_version: str | None = None


class _DeleteOptions(msgspec.Struct, rename="camel"):
    propagation_policy: str | None = None
    grace_period_seconds: int | None = None
    preconditions: _Preconditions | None = None


class Requests:
    """Answers requests about the objects of a store."""

    def __init__(self, store: ObjectStore, kubelet: Kubelet, *, bookmark_seconds: float) -> None:
        self._store = store
        self._kubelet = kubelet
        self._bookmark_seconds = bookmark_seconds

    async def answer(self, request: Request, target: Target) -> Response:
        """The answer to a request about `target`; raises `ApiError`."""
        if request.method == "GET" and target.part == "log" and target.resource == PODS:
            return self._log(request, target)
        if request.method == "GET" and not target.part:
            return self._get(target) if target.name else self._list(request, target)
        if request.method == "PATCH" and target.name and not target.part:
            return await self._apply(request, target)
        if request.method == "DELETE" and target.name and not target.part:
            return await self._delete(request, target)
        message = "the server does not allow this method on the requested resource"
        raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message, {})

    def _get(self, target: Target) -> Response:
        return document(self._store.get(target.resource, target.namespace, target.name))

    def _list(self, request: Request, target: Target) -> Response:
        query = request.query_params
        collection = Collection(
            resource=target.resource,
            namespace=target.namespace,
            selector=selectors.parse(query.get("labelSelector", "")),
            fields=_fields(query.get("fieldSelector", "")),
        )
        if query.get("watch", "") in _TRUE:
            return self._watch(query, collection)
        limit, token = _number(query, "limit"), query.get("continue", "")
        return document(watches.page(self._store, collection, limit=limit, token=token))

    def _watch(self, query: Mapping[str, str], collection: Collection) -> Response:
        bookmarks = query.get("allowWatchBookmarks", "") in _TRUE
        lines = watches.follow(
            self._store,
            collection,
            version=_number(query, "resourceVersion"),
            seconds=_number(query, "timeoutSeconds") or _WATCH_SECONDS,
            bookmark_seconds=self._bookmark_seconds if bookmarks else 0.0,
        )
        return StreamingResponse(lines, media_type="application/json")

    async def _apply(self, request: Request, target: Target) -> Response:
        manager = request.query_params.get("fieldManager", "")
        if request.headers.get("content-type", "").partition(";")[0] != _APPLY_TYPE:
            message = f"the body of the request was in an unknown format - accepted: {_APPLY_TYPE}"
            raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
        if not manager:
            raise api_errors.bad_request("fieldManager: is required for apply patch")
        manifest = _decode(await _body(request), Json)
        kept, new = apply.apply(
            self._store,
            target.resource,
            target.namespace,
            target.name,
            manifest,
            manager=manager,
            dry_run="dryRun" in request.query_params,
        )
        return document(kept, HTTPStatus.CREATED if new else HTTPStatus.OK)

    async def _delete(self, request: Request, target: Target) -> Response:
        body = await _body(request)
        asked = _decode(body, _DeleteOptions) if body else _DeleteOptions()
        query = request.query_params
        conditions = asked.preconditions or _Preconditions()
        options = Options(
            uid=conditions.uid,
            version=conditions.resource_version,
            propagation=asked.propagation_policy or query.get("propagationPolicy", "Background"),
            grace_seconds=asked.grace_period_seconds,
        )
        found = self._store.get(target.resource, target.namespace, target.name)
        if "dryRun" in query:
            return document(found)
        return document(
            deletion.delete(self._store, target.resource, target.namespace, target.name, options)
        )

    def _log(self, request: Request, target: Target) -> Response:
        query = request.query_params
        container, previous = query.get("container", ""), query.get("previous", "") in _TRUE
        pod = self._store.get(PODS, target.namespace, target.name)
        found, moment = self._kubelet.logged(pod, container, previous=previous)
        wanted = logs.Wanted(
            timestamps=query.get("timestamps", "") in _TRUE,
            since=_moment(query, "sinceTime"),
            tail=_number(query, "tailLines") if "tailLines" in query else None,
        )
        if query.get("follow", "") in _TRUE:
            lines = logs.follow(partial(self._look, target, pod, found), wanted)
            return StreamingResponse(lines, media_type="text/plain")
        text = wanted.text(logs.written(moment, wanted, time.time_ns()))
        if "limitBytes" in query:
            text = text[: _number(query, "limitBytes")]
        return PlainTextResponse(text)

    def _look(self, target: Target, pod: Json, container: Json) -> Moment | None:
        """A container as it is now; None when its pod is no more."""
        if not self._store.has(PODS, target.namespace, target.name):
            return None
        now = self._store.get(PODS, target.namespace, target.name)
        if now["metadata"]["uid"] != pod["metadata"]["uid"]:
            return None
        return self._kubelet.look(now, container, time.time())


def document(content: Any, code: int = HTTPStatus.OK) -> Response:
    """An answer in JSON."""
    return Response(msgspec.json.encode(content), code, media_type="application/json")


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY_BYTES:
            message = f"Request entity too large: limit is {_MAX_BODY_BYTES}"
            code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            raise ApiError(code, "RequestEntityTooLarge", message)
    return body


def _decode(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise api_errors.bad_request(f"error decoding the body: {error}") from error


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "") or "0"
    if not text.isdecimal():
        raise api_errors.bad_request(f"{name}: Invalid value: {text!r}: must be a number")
    return int(text)


def _moment(query: Mapping[str, str], name: str) -> int:
    """A second in unix nanoseconds; 0 when none is given."""
    text = query.get(name, "")
    try:
        return logs.second(text) if text else 0
    except ValueError as error:
        raise api_errors.bad_request(f"{name}: Invalid value: {text!r}: {error}") from error


def _fields(text: str) -> tuple[Field, ...]:
    """The fields that a field selector compares; raises `ApiError` when it is none."""
    pairs = [part.replace("==", "=").split("=") for part in text.split(",") if part]
    if any(len(pair) != 2 for pair in pairs):  # noqa: PLR2004 - a pair.
        raise api_errors.bad_request(f"invalid field selector: {text!r}")
    return tuple(
        Field(path.removesuffix("!"), value, equal=not path.endswith("!")) for path, value in pairs
    )
