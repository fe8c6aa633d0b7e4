"""How objects go: at once, after a grace, or after what depends on them."""

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
    """How an object is to be deleted."""

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
        for kind, one in _dependents(store, uid):
            metadata = {k: v for k, v in one["metadata"].items() if k != "ownerReferences"}
            store.put(kind, {**one, "metadata": metadata})
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


def _owners(one: Json) -> set[str]:
    return {owner["uid"] for owner in one["metadata"].get("ownerReferences", [])}


def _dependents(store: ObjectStore, uid: str) -> list[tuple[Resource, Json]]:
    return [(kind, one) for kind, one in store.all() if uid in _owners(one)]


def collect(store: ObjectStore) -> None:
    """Delete what was owned by what is gone, and what ends with its namespace or its owner."""
    uids = {one["metadata"]["uid"] for _, one in store.all()}
    ending = {
        one["metadata"]["uid"]
        for _, one in store.all()
        if _FOREGROUND in one["metadata"].get("finalizers", ())
    }
    for resource, one in store.all():
        owners = _owners(one)
        if owners and (not owners & uids or owners & ending):
            _delete(store, resource, one)
    for uid in ending:
        if not _dependents(store, uid):
            for resource, one in store.all():
                if one["metadata"]["uid"] == uid:
                    store.remove(resource, one)
    _collect_namespaces(store)


def _collect_namespaces(store: ObjectStore) -> None:
    for namespace in store.find(NAMESPACES):
        if "deletionTimestamp" not in namespace["metadata"]:
            continue
        name = namespace["metadata"]["name"]
        content = [
            (kind, one) for kind, one in store.all() if one["metadata"].get("namespace") == name
        ]
        for resource, one in content:
            _delete(store, resource, one)
        if not content:
            store.remove(NAMESPACES, namespace)


def _delete(store: ObjectStore, resource: Resource, one: Json) -> None:
    metadata = one["metadata"]
    if "deletionTimestamp" not in metadata or resource == DEPLOYMENTS:
        delete(store, resource, metadata.get("namespace", ""), metadata["name"], Options())
