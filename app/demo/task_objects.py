"""The objects of one task and its tenant on the cluster, and their removal."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from app.demo.polling import Failed
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from k8s.apply import apply
from k8s.naming import labels

_POLL_SECONDS = 0.3


def version(cluster: Cluster) -> str:
    """Return the version of Kubernetes and the number of nodes, for people.

    Raises:
        ClusterError: The cluster does not answer, or refuses.
    """
    version = cluster.get("/version").get("gitVersion", "of unknown version")
    nodes = len(cluster.list("/api/v1/nodes"))
    return f"Kubernetes {version}, {nodes} node{'s' if nodes != 1 else ''}"


def objects(cluster: Cluster, namespace: str, task_id: str) -> Counter[str]:
    """Return how many objects of each kind the task has, pods included.

    Raises:
        ClusterError: The cluster does not answer, or refuses.
    """
    counts: Counter[str] = Counter()
    for kind in (*apply.KINDS, "Pod"):
        with suppress(NotFound):  # The cluster has no such kind.
            path = url_paths.collection(kind, namespace)
            counts[kind] = len(cluster.list(path, selector=labels.task_selector(task_id)))
    return +counts


def shown(counts: Counter[str]) -> str:
    """Return the counts for people."""
    return " · ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "none"


def remove_tenant(
    cluster: Cluster, namespace: str, *, seconds: float, waiting: Callable[[str], None]
) -> bool:
    """Delete the namespace and wait until it is gone; False when there was none.

    Args:
        cluster: Where.
        namespace: The tenant's.
        seconds: How long to wait at most.
        waiting: Called again and again with the reason for the wait.

    Raises:
        ClusterError: The cluster does not answer, or refuses.
        Failed: It is not gone in time.
    """
    path = f"{url_paths.collection('Namespace', '')}/{namespace}"
    deadline = time.monotonic() + seconds
    existed = False
    with suppress(NotFound):
        while True:
            if "deletionTimestamp" not in cluster.get(path)["metadata"]:
                cluster.delete(path)
            existed = True
            waiting(f"namespace {namespace} goes")
            if time.monotonic() > deadline:
                raise Failed(f"namespace {namespace} is still being deleted after {seconds:g} s")
            time.sleep(_POLL_SECONDS)
    return existed
