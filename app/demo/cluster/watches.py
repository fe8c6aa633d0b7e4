"""Lists in pages, and watches: what happens after a version, line by line."""

import base64
import binascii
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from app.demo.cluster import api_errors, selectors
from app.demo.cluster.object_store import ObjectChange, ObjectStore
from app.demo.cluster.resources import Json, Resource
from app.demo.cluster.selectors import Selector


class _Token(msgspec.Struct):
    version: int
    after: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """A field that has a value, or has another."""

    path: str
    value: str
    equal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """The objects of a kind that a request's selectors select."""

    resource: Resource
    namespace: str
    selector: Selector
    fields: tuple[Field, ...]

    def of(self, store: ObjectStore) -> list[Json]:
        """Those that there are, in the order of their names."""
        return [item for item in store.find(self.resource, self.namespace) if self.has(item)]

    def has(self, item: Json | None) -> bool:
        """Tell if an object belongs to the collection."""
        if item is None or self.namespace not in {"", item["metadata"].get("namespace", "")}:
            return False
        return self.selector(selectors.labels(item)) and all(
            (_field(item, field.path) == field.value) is field.equal for field in self.fields
        )


def _field(item: Json, path: str) -> str:
    value: object = item
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value)


def page(store: ObjectStore, collection: Collection, *, limit: int, token: str) -> Json:
    """The objects, or as many of them as fit on a page; raises `Failure` for a bad `token`."""
    resource = collection.resource
    objects = collection.of(store)
    version = store.version
    if token:
        start = _read(token)
        store.since(start.version)
        version = start.version
        objects = [item for item in objects if _key(item) > start.after]
    metadata: Json = {"resourceVersion": str(version)}
    if 0 < limit < len(objects):
        following = _Token(version, _key(objects[limit - 1]))
        text = base64.urlsafe_b64encode(msgspec.json.encode(following)).decode()
        metadata |= {"continue": text, "remainingItemCount": len(objects) - limit}
        objects = objects[:limit]
    items = [{k: v for k, v in item.items() if k not in {"kind", "apiVersion"}} for item in objects]
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
    return {**head, "metadata": metadata, "items": items}


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _read(token: str) -> _Token:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token), type=_Token)
    except (binascii.Error, ValueError) as error:
        raise api_errors.bad_request(f"invalid continue token: {error}") from error


async def follow(
    store: ObjectStore,
    collection: Collection,
    *,
    version: int,
    seconds: float,
    bookmark_seconds: float,
) -> AsyncIterator[bytes]:
    """The lines of a watch.

    Args:
        store: Of the objects.
        collection: Those that are watched.
        version: After which; 0: those that there are come first.
        seconds: How long.
        bookmark_seconds: From one bookmark to the next; 0: none.
    """
    end = time.monotonic() + seconds
    if not version:
        version = store.version
        for item in collection.of(store):
            yield _line("ADDED", item)
    bookmark = time.monotonic() + bookmark_seconds
    while True:
        try:
            changes = store.since(version)
        except api_errors.ApiError as failure:
            yield _line("ERROR", failure.status)
            return
        for told in filter(None, (_told(collection, change) for change in changes)):
            yield told
        version = changes[-1].version if changes else version
        moment = time.monotonic()
        if bookmark_seconds and moment >= min(bookmark, end):
            yield _line("BOOKMARK", _bookmark(collection.resource, version))
            bookmark = moment + bookmark_seconds
        if moment >= end:
            return
        due = min(end, bookmark) if bookmark_seconds else end
        await store.changed(version, due - moment)


def _told(collection: Collection, change: ObjectChange) -> bytes | None:
    """The line about a change, for those who see only what the selector selects."""
    if change.resource != collection.resource:
        return None
    was, after = collection.has(change.before), change.after
    if after is not None and collection.has(after):
        return _line("MODIFIED" if was else "ADDED", after)
    if was and change.before is not None:
        last = after or change.before
        metadata = {**last["metadata"], "resourceVersion": str(change.version)}
        return _line("DELETED", {**last, "metadata": metadata})
    return None


def _bookmark(resource: Resource, version: int) -> Json:
    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
    head: Json = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return head | ({"spec": {"containers": None}, "status": {}} if resource.kind == "Pod" else {})


def _line(sort: str, item: Json) -> bytes:
    return msgspec.json.encode({"type": sort, "object": item}) + b"\n"
