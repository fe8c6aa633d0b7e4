"""Tenants' namespaces that nothing is in any more, and how they are removed without a race.

A namespace is marked before it is removed. Whoever deploys into it applies it first, which takes
the mark off and changes its resource version, so that the removal finds another and does nothing.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import Conflict, NotFound
from k8s.api.objects import Object
from k8s.apply import apply
from k8s.manifests import tenant
from k8s.naming import labels, names

MARK = "lagrangedao.org/vacant-since"
OLD_ENOUGH = timedelta(hours=1)
_WORKLOADS = (*apply.KINDS, "Pod", "Job")
_OF_THE_CLUSTER = {"kubernetes.io/metadata.name"}
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What every namespace has, or every tenant's.
_FURNITURE = {("ConfigMap", "kube-root-ca.crt"), ("NetworkPolicy", tenant.DEFAULT_DENY)}


class MarkedNamespace(msgspec.Struct, frozen=True):
    """A namespace as it was marked: what its removal is conditional upon."""

    namespace: str
    uid: str
    version: str


def candidates(cluster: Cluster, *, now: datetime | None = None) -> Iterator[str]:
    """Yield the names of tenants' namespaces that are ours by label, and old enough.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    oldest = (now or datetime.now(UTC)) - OLD_ENOUGH
    selector = f"{labels.MANAGED_SELECTOR},{labels.NAMESPACE},{labels.WALLET}"
    for found in cluster.list(url_paths.collection("Namespace", ""), selector=selector):
        one = msgspec.convert(found, Object)
        born = one.metadata.creation_timestamp
        if one.deleting or born is None or born > oldest:
            continue
        if one.metadata.labels[labels.NAMESPACE] == names.label_value(one.metadata.name):
            yield one.metadata.name


def is_vacant(cluster: Cluster, namespace: str) -> bool:
    """Whether there is no workload and nothing of one in a namespace, whoever made it.

    Raises:
        ClusterError: The API server is away, or refuses, so that nobody knows.
    """
    return not any(_content(cluster, namespace, kind) for kind in _WORKLOADS)


def _content(cluster: Cluster, namespace: str, kind: str) -> list[str]:
    """The names of a namespace's objects of a kind, which the cluster may not have."""
    with suppress(NotFound):
        found = cluster.list(url_paths.collection(kind, namespace))
        called = [one["metadata"]["name"] for one in found]
        return [name for name in called if (kind, name) not in _FURNITURE]
    return []


def mark(cluster: Cluster, namespace: str) -> MarkedNamespace:
    """Mark a namespace; the next apply of it by `k8s.apply.apply` takes the mark off again.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    path = f"{url_paths.collection('Namespace', '')}/{namespace}"
    metadata = cluster.get(path)["metadata"]
    stated = {
        "apiVersion": url_paths.api_version("Namespace"),
        "kind": "Namespace",
        "metadata": {
            "name": namespace,
            "labels": _without(metadata.get("labels", {}), _OF_THE_CLUSTER),
            "annotations": {
                **_without(metadata.get("annotations") or {}, {_LAST_APPLIED}),
                MARK: datetime.now(UTC).isoformat(),
            },
        },
    }
    marked = cluster.apply(path, stated)["metadata"]
    return MarkedNamespace(namespace, marked["uid"], marked["resourceVersion"])


def _without(found: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in keys}


def remove(cluster: Cluster, marked: MarkedNamespace) -> bool:
    """Remove a namespace if it is as it was marked; False when it has changed since.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    path = f"{url_paths.collection('Namespace', '')}/{marked.namespace}"
    try:
        cluster.delete(path, uid=marked.uid, version=marked.version)
    except Conflict:
        return False
    return True
