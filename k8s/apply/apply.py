"""Apply a task's objects to the cluster, all or none; prune them, and remove them."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from k8s import render
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import (
    ClusterError,
    Conflict,
    NotFound,
    Refused,
    Unavailable,
)
from k8s.legacy import handover
from k8s.manifests import pull_secrets, tenant
from k8s.manifests.scope import Manifest
from k8s.naming import labels, names
from k8s.workload import Capabilities, Workload

# In the order of deletion: routes to pods, pods, then what pods depend on.
KINDS = (
    "Ingress",
    "HTTPRoute",
    "PodDisruptionBudget",
    "Deployment",
    "Service",
    "ConfigMap",
    "PersistentVolumeClaim",
    "NetworkPolicy",
)
_NEEDS_ADDRESSES = "Deployment"


def _go_on() -> None:
    """Cancel nothing."""


def deploy(
    cluster: Cluster,
    workload: Workload,
    capabilities: Capabilities,
    *,
    credentials: pull_secrets.Credentials | None = None,
    overrides: Path | None = None,
    checkpoint: Callable[[], None] = _go_on,
    rendered: Sequence[Manifest] | None = None,
) -> list[Manifest]:
    """Apply a workload whose services know each other's addresses, all of it or none.

    When an object is refused, those of the task that this call created are deleted again, last
    first; those that existed before stay as they became: deploy the revision before to have them
    back. The tenant's own objects stay too.

    Args:
        cluster: The operator's.
        workload: The workload.
        capabilities: What the cluster offers.
        credentials: For images that were built here.
        overrides: The operator's folder of templates, or None.
        checkpoint: Called before every write; what it raises ends the call, and nothing is undone.
        rendered: The workload's manifests without addresses, on whatever nodes; None: they are
            rendered here.

    Returns:
        The manifests as they were applied.

    Raises:
        render.Unsupported: No manifests can be made of the workload.
        Refused: The API server's words; a note names what could not be taken back.
        Unavailable: Try the whole again: what was applied stays.
    """
    before = rendered or render.workload(workload, capabilities, overrides=overrides)
    journal = _Journal(cluster, checkpoint)
    journal.succeed(before)
    first = next(i for i, manifest in enumerate(before) if manifest["kind"] == _NEEDS_ADDRESSES)
    journal.apply(before[:first])
    if credentials and pull_secrets.is_needed(workload, capabilities):
        journal.apply([pull_secrets.secret(workload, credentials)])
    namespace = names.namespace(workload.wallet)
    addresses = service_addresses(cluster, namespace, workload.space_uuid)
    manifests = render.workload(workload, capabilities, addresses=addresses, overrides=overrides)
    journal.apply(manifests[first:])
    return manifests


class _Journal:
    """The writes of one call, and what it created, so that it can be rolled back."""

    def __init__(self, cluster: Cluster, checkpoint: Callable[[], None]) -> None:
        self._cluster = cluster
        self._checkpoint = checkpoint
        self._created: list[tuple[str, str]] = []
        self._inherited: set[str] = set()
        self._standing: set[str] = set()

    def succeed(self, manifests: Sequence[Manifest]) -> None:
        """Have Deployments of v0.3.0 make way for ours, except those that run the workload."""
        for manifest in manifests:
            if manifest["kind"] != "Deployment":
                continue
            if handover.is_running(self._cluster, manifest):
                self._standing.add(url_paths.object_path(manifest))
            elif handover.is_due(self._cluster, manifest):
                self.apply(handover.widen_selectors(manifests, manifest))
                self._checkpoint()
                handover.delete_orphaning(self._cluster, manifest)
                self._inherited.add(url_paths.object_path(manifest))

    def apply(self, manifests: Iterable[Manifest]) -> None:
        for manifest in manifests:
            self._checkpoint()
            try:
                self._apply(manifest)
            except Refused as refused:
                refused.add_note(f"refused: {manifest['kind']}/{manifest['metadata']['name']}")
                self._take_back(refused)
                raise

    def _apply(self, manifest: Manifest) -> None:
        path = url_paths.object_path(manifest)
        if path in self._standing:
            return
        live = None if tenant.is_tenant_wide(manifest) else self._live(path)
        if live is not None and manifest["kind"] == "Service":
            manifest = handover.keep_port_names(manifest, live)
        existed = tenant.is_tenant_wide(manifest) or path in self._inherited or live is not None
        metadata = self._cluster.apply(path, manifest)["metadata"]
        if "deletionTimestamp" in metadata:
            raise Unavailable(f"{path} is still being deleted")
        if not existed:
            self._created.append((path, metadata["uid"]))

    def _live(self, path: str) -> dict[str, Any] | None:
        with suppress(NotFound):
            return self._cluster.get(path)
        return None

    def _take_back(self, refused: Refused) -> None:
        while self._created:
            path, uid = self._created.pop()
            try:
                self._cluster.delete(path, uid=uid)
            except Conflict:
                continue
            except ClusterError as error:
                refused.add_note(f"left behind: {path}: {error}")


def prune(cluster: Cluster, manifests: Iterable[Manifest], *, namespace: str, task_id: str) -> None:
    """Delete the objects of the task that are not among `manifests`."""
    kept = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    for live in _objects(cluster, namespace, task_id):
        if (live["kind"], live["metadata"]["name"]) not in kept:
            _delete(cluster, live)


def remove(cluster: Cluster, *, namespace: str, task_id: str) -> bool:
    """Delete all objects of the task; True once nothing of it is left, pods included.

    Objects are found by their labels, and an object that another task has taken over in the
    meantime is left alone. Call it again, after a second or so, until it returns True.
    """
    left = _objects(cluster, namespace, task_id) + _orphans(cluster, namespace, task_id)
    for live in left:
        _delete(cluster, live)
    return not left and not _list(cluster, "Pod", namespace, task_id)


def _objects(cluster: Cluster, namespace: str, task_id: str) -> list[dict[str, Any]]:
    return [live for kind in KINDS for live in _list(cluster, kind, namespace, task_id)]


def _orphans(cluster: Cluster, namespace: str, task_id: str) -> list[dict[str, Any]]:
    """Orphaned ReplicaSets: no Deployment has taken them over yet."""
    return [
        {**replica_set, "kind": "ReplicaSet"}
        for replica_set in _list(cluster, "ReplicaSet", namespace, task_id)
        if not replica_set["metadata"].get("ownerReferences")
    ]


def _list(cluster: Cluster, kind: str, namespace: str, task_id: str) -> list[dict[str, Any]]:
    """The task's objects of `kind`; none when the cluster has no such kind."""
    path = url_paths.collection(kind, namespace)
    with suppress(NotFound):
        return cluster.list(path, selector=labels.task_selector(task_id))
    return []


def _delete(cluster: Cluster, live: dict[str, Any]) -> None:
    metadata = live["metadata"]
    if "deletionTimestamp" in metadata:
        return
    # A Deployment can be seen until its pods are gone.
    propagation = "Foreground" if live["kind"] == "Deployment" else "Background"
    with suppress(Conflict):  # It has changed: the next look tells its owner by now.
        cluster.delete(
            url_paths.object_path(live),
            uid=metadata["uid"],
            version=metadata["resourceVersion"],
            propagation=propagation,
        )


def service_addresses(cluster: Cluster, namespace: str, space_uuid: str) -> dict[str, str]:
    """Name of each Kubernetes Service of the Space → its ClusterIP."""
    path = url_paths.collection("Service", namespace)
    return {
        service["metadata"]["name"]: address
        for service in cluster.list(path, selector=labels.space_selector(space_uuid))
        if (address := service.get("spec", {}).get("clusterIP", "None")) != "None"
    }
