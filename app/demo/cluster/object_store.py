"""Every object and the last changes, each with its version. No I/O; one thread."""

import asyncio
import copy
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from app.demo.cluster import api_errors
from app.demo.cluster.resources import NAMESPACES, Json, Resource

_WITHOUT_GENERATION = {"Namespace", "Service", "PersistentVolumeClaim", "ResourceQuota", "Node"}


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One step of one object: `before` is None for a new one, `after` for one that is gone."""

    version: int
    resource: Resource
    before: Json | None
    after: Json | None


def now() -> str:
    """The time as objects carry it, in seconds."""
    return at(time.time())


def at(seconds: float) -> str:
    """A unix time as objects carry it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class ObjectStore:
    """Objects by kind, namespace and name. What it returns is not to be changed, but put again.

    Versions start at the time of day, so that those of an earlier run are too old for this one.
    """

    def __init__(self, *, history: int) -> None:
        self.version = int(time.time() * 1000)
        self.applied: dict[tuple[str, str], Json] = {}
        self._objects: dict[tuple[Resource, str, str], Json] = {}
        self._changes: deque[ObjectChange] = deque(maxlen=history)
        self._forgotten = self.version
        self._waiting: set[asyncio.Event] = set()

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """The object; raises `Failure` when there is none."""
        stored = self._objects.get((resource, namespace, name))
        if stored is None:
            raise api_errors.not_found(resource, name)
        return stored

    def has(self, resource: Resource, namespace: str, name: str) -> bool:
        """Tell if there is such an object."""
        return (resource, namespace, name) in self._objects

    def find(self, resource: Resource, namespace: str = "") -> list[Json]:
        """The objects of a kind, in one namespace or in all, in the order of their names."""
        items = [
            (key[1:], item)
            for key, item in self._objects.items()
            if key[0] == resource and namespace in {"", key[1]}
        ]
        return [item for _, item in sorted(items, key=lambda pair: pair[0])]

    def all(self) -> Iterator[tuple[Resource, Json]]:
        """Every object, as they are at this moment."""
        for (resource, _, _), item in list(self._objects.items()):
            yield resource, item

    def complete(self, resource: Resource, new: Json) -> Json:
        """The object with the metadata that it would get if it were put."""
        metadata = new["metadata"]
        key = (resource, metadata.get("namespace", ""), metadata["name"])
        old = self._objects.get(key)
        new = copy.deepcopy(new)
        metadata = new["metadata"]
        if old is None:
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        generation = old["metadata"].get("generation", 0) if old else 0
        if "spec" in new and resource.kind not in _WITHOUT_GENERATION:
            changed = old is None or old["spec"] != new["spec"]
            metadata["generation"] = generation + changed
        return {"apiVersion": resource.api_version, "kind": resource.kind, **new}

    def put(self, resource: Resource, new: Json) -> Json:
        """Keep the object, new or changed, and return it; an unchanged one keeps its version."""
        new = self.complete(resource, new)
        metadata = new["metadata"]
        key = (resource, metadata.get("namespace", ""), metadata["name"])
        old = self._objects.get(key)
        if old == new:
            return old
        metadata["resourceVersion"] = str(self._next())
        self._objects[key] = new
        self._tell(ObjectChange(self.version, resource, old, new))
        return new

    def remove(self, resource: Resource, old: Json) -> None:
        """Forget the object, if it is still there."""
        metadata = old["metadata"]
        key = (resource, metadata.get("namespace", ""), metadata["name"])
        last = self._objects.pop(key, None)
        if last is None:
            return
        for applied in [one for one in self.applied if one[0] == metadata["uid"]]:
            del self.applied[applied]
        version = self._next()
        self._tell(ObjectChange(version, resource, last, None))

    def is_ending(self, namespace: str) -> bool:
        """Tell if the namespace is being deleted; raises `ApiError` when there is none."""
        return "deletionTimestamp" in self.get(NAMESPACES, "", namespace)["metadata"]

    def since(self, version: int) -> list[ObjectChange]:
        """The changes after `version`; raises `Failure` when they are no longer known."""
        if version < self._forgotten:
            message = f"too old resource version: {version} ({self._forgotten})"
            raise api_errors.expired(message)
        return [change for change in self._changes if change.version > version]

    async def changed(self, version: int, seconds: float) -> None:
        """Wait until anything has changed after `version`, for so long at most."""
        if self.version > version:
            return
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, seconds)):
                    await event.wait()
        finally:
            self._waiting.discard(event)

    def _next(self) -> int:
        self.version += 1
        return self.version

    def _tell(self, change: ObjectChange) -> None:
        if len(self._changes) == self._changes.maxlen:
            self._forgotten = self._changes[0].version
        self._changes.append(change)
        for event in self._waiting:
            event.set()
