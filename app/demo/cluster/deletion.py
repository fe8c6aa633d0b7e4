"""The deletion of objects: at once, after a grace period, or after their dependents."""

import time
from dataclasses import dataclass

from app.demo.cluster import api_errors
from app.demo.cluster.object_store import ObjectStore, at
from app.demo.cluster.resources import (
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    Json,
    Resource,
)

_FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a deletion."""

    uid: str | None = None
    version: str | None = None
    propagation: str = "Background"
    grace_seconds: int | None = None


def delete(
    store: ObjectStore, resource: Resource, namespace: str, name: str, options: Options
) -> Json:
    """Delete an object or mark it so that it will go; raises `Failure`."""
    old = store.get(resource, namespace, name)
    uid = old["metadata"]["uid"]
    if options.uid is not None and options.uid != uid:
        raise api_errors.conflict(
            resource,
            name,
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({uid}). The object might have been deleted and then recreated",
        )
    version = old["metadata"]["resourceVersion"]
    if options.version not in {None, version}:
        raise api_errors.conflict(
            resource,
            name,
            f"the ResourceVersion in the precondition ({options.version}) does not match the "
            f"ResourceVersion in record ({version}). The object might have been modified",
        )
    if resource == NAMESPACES:
        return _mark(store, resource, old, 0, status={"phase": "Terminating"})
    if resource == PODS and options.grace_seconds != 0:
        grace = options.grace_seconds or old["spec"].get("terminationGracePeriodSeconds", 30)
        return _mark(store, resource, old, grace)
    if options.propagation == "Foreground" and _dependents(store, uid):
        return _mark(store, resource, old, 0, finalizer=_FOREGROUND)
    if options.propagation == "Orphan":
        for kind, dependent in _dependents(store, uid):
            metadata = {k: v for k, v in dependent["metadata"].items() if k != "ownerReferences"}
            store.put(kind, {**dependent, "metadata": metadata})
    store.remove(resource, old)
    return api_errors.success(resource, name, uid)


def _mark(
    store: ObjectStore,
    resource: Resource,
    old: Json,
    grace_seconds: int,
    *,
    finalizer: str = "",
    **changed: Json,
) -> Json:
    if "deletionTimestamp" in old["metadata"]:
        return old
    metadata = {
        **old["metadata"],
        "deletionTimestamp": at(time.time() + grace_seconds),
        "deletionGracePeriodSeconds": grace_seconds,
        **({"finalizers": [finalizer]} if finalizer else {}),
    }
    return store.put(resource, {**old, "metadata": metadata, **changed})


def _owners(item: Json) -> set[str]:
    return {owner["uid"] for owner in item["metadata"].get("ownerReferences", [])}


def _dependents(store: ObjectStore, uid: str) -> list[tuple[Resource, Json]]:
    return [(kind, item) for kind, item in store.all() if uid in _owners(item)]


def collect(store: ObjectStore) -> None:
    """Garbage-collect orphans, and what ends with its namespace or its owner."""
    uids = {item["metadata"]["uid"] for _, item in store.all()}
    ending = {
        item["metadata"]["uid"]
        for _, item in store.all()
        if _FOREGROUND in item["metadata"].get("finalizers", ())
    }
    for resource, item in store.all():
        owners = _owners(item)
        if owners and (not owners & uids or owners & ending):
            _delete(store, resource, item)
    for uid in ending:
        if not _dependents(store, uid):
            for resource, item in store.all():
                if item["metadata"]["uid"] == uid:
                    store.remove(resource, item)
    _collect_namespaces(store)


def _collect_namespaces(store: ObjectStore) -> None:
    for namespace in store.find(NAMESPACES):
        if "deletionTimestamp" not in namespace["metadata"]:
            continue
        name = namespace["metadata"]["name"]
        content = [
            (kind, item) for kind, item in store.all() if item["metadata"].get("namespace") == name
        ]
        for resource, item in content:
            _delete(store, resource, item)
        if not content:
            store.remove(NAMESPACES, namespace)


def _delete(store: ObjectStore, resource: Resource, item: Json) -> None:
    metadata = item["metadata"]
    if "deletionTimestamp" not in metadata or resource == DEPLOYMENTS:
        delete(store, resource, metadata.get("namespace", ""), metadata["name"], Options())
