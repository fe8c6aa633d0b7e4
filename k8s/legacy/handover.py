"""Handover of a v0.3.0 Deployment to the provider's own, which has another selector.

A selector is immutable. So the old Deployment is deleted and its ReplicaSets are orphaned, with
labels by which the new one, created at once under the same name, adopts them as its own old ones:
their pods serve until the new pods do, as in every rolling update.
"""

import copy
import time
from collections.abc import Iterable, Iterator
from typing import Any

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import NotFound, Unavailable
from k8s.legacy import lookup
from k8s.manifests.scope import Manifest
from k8s.naming import labels

_Document = dict[str, Any]

_DELETION_SECONDS = 10.0
_POLL_SECONDS = 0.1


def is_running(cluster: Cluster, manifest: Manifest) -> bool:
    """Return whether v0.3.0's own Deployment already runs this task and revision.

    Raises:
        ClusterError: The API server is unavailable, or refuses.
    """
    live = _live(cluster, manifest)
    if live is None or _selector_keys(live) != {labels.SPACE}:
        return False
    pod_labels = manifest["spec"]["template"]["metadata"]["labels"]
    live_labels = live["metadata"].get("labels") or {}
    return all(live_labels.get(key) == pod_labels[key] for key in (labels.TASK, labels.REVISION))


def is_due(cluster: Cluster, manifest: Manifest) -> bool:
    """Return whether a v0.3.0 Deployment, or orphans of it that still serve, are in the way.

    Raises:
        ClusterError: The API server is unavailable, or refuses.
    """
    live = _live(cluster, manifest)
    if live is None or live["spec"]["selector"] == manifest["spec"]["selector"]:
        return False
    sets, _ = lookup.list_owned(cluster, live)
    return any(replica_set["spec"].get("replicas") for replica_set in _legacy(sets))


def widen_selectors(manifests: Iterable[Manifest], deployment: Manifest) -> Iterator[Manifest]:
    """Yield Services and policies of a Deployment's pods, widened to all pods of the Space.

    So they lose no pod while its labels change.
    """
    selected = deployment["spec"]["selector"]["matchLabels"]
    for manifest in manifests:
        widened = copy.deepcopy(manifest)
        spec = widened.get("spec", {})
        selector = spec.get("podSelector", {}).get("matchLabels")
        if manifest["kind"] == "Service":
            selector = spec.get("selector")
        if selector == selected:
            del selector[labels.COMPONENT]
            yield widened


def delete_orphaning(cluster: Cluster, manifest: Manifest) -> None:
    """Delete the Deployment that is in the way of a manifest, and orphan its ReplicaSets.

    Idempotent; the manifest has to be applied afterwards.

    Raises:
        ClusterError: The API server is unavailable, or refuses.
    """
    if (live := _live(cluster, manifest)) is None:
        return
    sets, pods = lookup.list_owned(cluster, live)
    component = {labels.COMPONENT: manifest["spec"]["selector"]["matchLabels"][labels.COMPONENT]}
    uids = {replica_set["metadata"]["uid"] for replica_set in _legacy(sets)}
    for document in (*sets, *(pod for pod in pods if _owner(pod) in uids)):
        lookup.label(cluster, document, {**_applied_labels(document), **component})
    cluster.delete(
        url_paths.object_path(manifest), uid=live["metadata"]["uid"], propagation="Orphan"
    )
    deadline = time.monotonic() + _DELETION_SECONDS
    while _live(cluster, manifest) is not None:
        if time.monotonic() > deadline:
            raise Unavailable(f"{url_paths.object_path(manifest)} is still being deleted")
        time.sleep(_POLL_SECONDS)


def keep_port_names(manifest: Manifest, live: _Document) -> Manifest:
    """Return a Service whose ports keep their live names.

    A renamed port has no endpoints until the cluster's controllers have caught up.
    """
    live_names = {_number(port): port.get("name", "") for port in live["spec"].get("ports") or ()}
    kept = copy.deepcopy(manifest)
    for port in kept["spec"]["ports"]:
        port["name"] = live_names.get(_number(port)) or port["name"]
    return kept


def _number(port: _Document) -> tuple[int, str]:
    return port["port"], port.get("protocol", "TCP")


def _legacy(sets: Iterable[_Document]) -> list[_Document]:
    """Return the ReplicaSets of v0.3.0's Deployments."""
    return [
        replica_set for replica_set in sets if labels.COMPONENT not in _selector_keys(replica_set)
    ]


def _live(cluster: Cluster, manifest: Manifest) -> _Document | None:
    try:
        return cluster.get(url_paths.object_path(manifest))
    except NotFound:
        return None


def _selector_keys(document: _Document) -> set[str]:
    """Return the keys of the labels by which an object selects its pods."""
    keys = set(document["spec"]["selector"].get("matchLabels") or ())
    return keys - {"pod-template-hash"}


def _owner(pod: _Document) -> str:
    return next((owner["uid"] for owner in pod["metadata"].get("ownerReferences", ())), "")


def _applied_labels(document: _Document) -> dict[str, str]:
    """Return the labels applied before, which another apply would remove."""
    live_labels = document["metadata"].get("labels") or {}
    return {key: value for key, value in live_labels.items() if key in labels.TASK_LABELS}
