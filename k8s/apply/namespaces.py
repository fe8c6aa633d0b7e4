"""Vacant namespaces of tenants, and the mark that lets them be removed without a race.

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
from k8s.api.errors import NotFound
from k8s.api.objects import Object
from k8s.apply import apply
from k8s.apply.conditional_removal import Version
from k8s.manifests import tenant
from k8s.naming import labels, names

MARK = "lagrangedao.org/vacant-since"
OLD_ENOUGH = timedelta(hours=1)
_WORKLOADS = (*apply.KINDS, "Pod", "Job")
_OF_THE_CLUSTER = {"kubernetes.io/metadata.name"}
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What every namespace has, or every tenant's.
_ALWAYS_THERE = {("ConfigMap", "kube-root-ca.crt"), ("NetworkPolicy", tenant.DEFAULT_DENY)}


def candidates(cluster: Cluster, *, now: datetime | None = None) -> Iterator[str]:
    """Yield the names of tenants' namespaces that are ours by label, and old enough.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    oldest = (now or datetime.now(UTC)) - OLD_ENOUGH
    selector = f"{labels.MANAGED_SELECTOR},{labels.NAMESPACE},{labels.WALLET}"
    listed = cluster.list(url_paths.collection("Namespace", ""), selector=selector)
    for namespace in msgspec.convert(listed, list[Object]):
        metadata = namespace.metadata
        born = metadata.creation_timestamp
        if namespace.deleting or born is None or born > oldest:
            continue
        if metadata.labels[labels.NAMESPACE] == names.label_value(metadata.name):
            yield metadata.name


def is_vacant(cluster: Cluster, namespace: str) -> bool:
    """Tell whether a namespace has no workload and nothing of one, whoever made it.

    Raises:
        ClusterError: The API server is away, or refuses, so that nobody knows.
    """
    return not any(_content(cluster, namespace, kind) for kind in _WORKLOADS)


def _content(cluster: Cluster, namespace: str, kind: str) -> list[str]:
    """The names of a namespace's objects of a kind, which the cluster may not have."""
    with suppress(NotFound):
        objects = cluster.list(url_paths.collection(kind, namespace))
        object_names = [item["metadata"]["name"] for item in objects]
        return [name for name in object_names if (kind, name) not in _ALWAYS_THERE]
    return []


def mark(cluster: Cluster, namespace: str) -> Version:
    """Mark a namespace, and return what its removal is conditional upon.

    The next apply of it by `k8s.apply.apply` takes the mark off again.

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
    return Version(path, marked["uid"], marked["resourceVersion"])


def _without(entries: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if key not in keys}
