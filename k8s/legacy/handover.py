"""How a Deployment of ours takes the place of one of v0.3.0, whose selector is another.

A selector cannot be changed. So the old Deployment is deleted and its ReplicaSets are left behind,
labelled so that the new one, created at once under the same name, takes them as its own old ones:
what they run serves until the new pods do, as in every rolling update.
"""

import copy
import time
from collections.abc import Iterable, Iterator
from typing import Any

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import NotFound, Unavailable
from k8s.legacy import discovery
from k8s.manifests.scope import Manifest
from k8s.naming import labels

_Document = dict[str, Any]

_PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.1


def is_running(cluster: Cluster, manifest: Manifest) -> bool:
    """Whether v0.3.0's own Deployment runs already what a Deployment's manifest says.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    live = _live(cluster, manifest)
    if live is None or _selected(live) != {labels.SPACE}:
        return False
    wanted = manifest["spec"]["template"]["metadata"]["labels"]
    given = live["metadata"].get("labels") or {}
    return all(given.get(key) == wanted[key] for key in (labels.TASK, labels.REVISION))


def is_due(cluster: Cluster, manifest: Manifest) -> bool:
    """Whether a Deployment of v0.3.0, or what it left behind and still serves, is in the way.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    live = _live(cluster, manifest)
    if live is None or live["spec"]["selector"] == manifest["spec"]["selector"]:
        return False
    sets, _ = discovery.list_owned(cluster, live)
    return any(one["spec"].get("replicas") for one in _old(sets))


def widen_selectors(manifests: Iterable[Manifest], deployment: Manifest) -> Iterator[Manifest]:
    """Yield what leads to a Deployment's pods as it leads to all pods of the Space.

    So it misses none while their labels change.
    """
    selected = deployment["spec"]["selector"]["matchLabels"]
    for one in manifests:
        wide = copy.deepcopy(one)
        spec = wide.get("spec", {})
        chosen = spec.get("podSelector", {}).get("matchLabels")
        if one["kind"] == "Service":
            chosen = spec.get("selector")
        if chosen == selected:
            del chosen[labels.COMPONENT]
            yield wide


def delete_orphaning(cluster: Cluster, manifest: Manifest) -> None:
    """Delete the Deployment that is in the way of another, and leave behind what it runs.

    Harmless to repeat; the other has to be applied afterwards.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    if (live := _live(cluster, manifest)) is None:
        return
    sets, pods = discovery.list_owned(cluster, live)
    wanted = {labels.COMPONENT: manifest["spec"]["selector"]["matchLabels"][labels.COMPONENT]}
    theirs = {one["metadata"]["uid"] for one in _old(sets)}
    for one in (*sets, *(pod for pod in pods if _owner(pod) in theirs)):
        discovery.label(cluster, one, {**_given(one), **wanted})
    cluster.delete(
        url_paths.object_path(manifest), uid=live["metadata"]["uid"], propagation="Orphan"
    )
    until = time.monotonic() + _PATIENCE_SECONDS
    while _live(cluster, manifest) is not None:
        if time.monotonic() > until:
            raise Unavailable(f"{url_paths.object_path(manifest)} is still being deleted")
        time.sleep(_POLL_SECONDS)


def keep_port_names(manifest: Manifest, live: _Document) -> Manifest:
    """Return a Service whose ports keep the names that they have.

    A port that is named anew has no endpoints until the cluster's controllers have caught up.
    """
    known = {_number(port): port.get("name", "") for port in live["spec"].get("ports") or ()}
    kept = copy.deepcopy(manifest)
    for port in kept["spec"]["ports"]:
        port["name"] = known.get(_number(port)) or port["name"]
    return kept


def _number(port: _Document) -> tuple[int, str]:
    return port["port"], port.get("protocol", "TCP")


def _old(sets: Iterable[_Document]) -> list[_Document]:
    """The ReplicaSets that v0.3.0's Deployments made."""
    return [one for one in sets if labels.COMPONENT not in _selected(one)]


def _live(cluster: Cluster, manifest: Manifest) -> _Document | None:
    try:
        return cluster.get(url_paths.object_path(manifest))
    except NotFound:
        return None


def _selected(one: _Document) -> set[str]:
    """The labels' keys that an object selects its pods by."""
    found = set(one["spec"]["selector"].get("matchLabels") or ())
    return found - {"pod-template-hash"}


def _owner(pod: _Document) -> str:
    return next((one["uid"] for one in pod["metadata"].get("ownerReferences", ())), "")


def _given(one: _Document) -> dict[str, str]:
    """The labels that we gave it before, which another apply would take away."""
    found = one["metadata"].get("labels") or {}
    return {key: value for key, value in found.items() if key in labels.TASK_LABELS}
