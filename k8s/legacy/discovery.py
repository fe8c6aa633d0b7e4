"""What v0.3.0 runs for a Space: found by its names, read as a workload, and claimed.

v0.3.0 gave its objects names and one label of its pods, `lad_app`. Claiming gives them the labels
that everything of ours has, beside their own. The pods' template stays as it is, since a change of
it would start every pod anew; so pods that take the place of others have to be claimed again.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from k8s.api.objects import Deployment
from k8s.legacy import convert
from k8s.manifests import network_policies
from k8s.manifests.scope import Scope, tenant_labels
from k8s.manifests.templates import Templates
from k8s.manifests.tenant import POD_SECURITY
from k8s.naming import labels, names
from k8s.workload import Capabilities, Component, Workload

REVISION = 1

_Document = dict[str, Any]


class NotLegacy(Exception):
    """What has the names of v0.3.0's objects is not what v0.3.0 made; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyDeployment:
    """The objects of a Space that v0.3.0 deployed, as the API server gives them.

    Attributes:
        deployment: The one that there is.
        around: Its Service, Ingress and ConfigMaps, as far as they are there.
    """

    deployment: _Document
    around: tuple[_Document, ...]

    @property
    def deployed_at(self) -> float:
        """When it was deployed, unix seconds."""
        created = msgspec.convert(self.deployment, Deployment).metadata.creation_timestamp
        if created is None:
            raise NotLegacy("its Deployment has no time of creation")
        return created.timestamp()

    @property
    def task_id(self) -> str:
        """The task that it was claimed for; empty: for none."""
        found: str = (self.deployment["metadata"].get("labels") or {}).get(labels.TASK, "")
        return found

    @property
    def host(self) -> str:
        """The host name that leads to it; empty: none does."""
        for rule in self._spec("Ingress").get("rules") or ():
            if names.is_host(host := rule.get("host", "")):
                return str(host)
        return ""

    def component(self, *, space_uuid: str, space_name: str, host: str) -> Component:
        """What it runs, as our own deployment of the same Space would be.

        Raises:
            NotLegacy: There is something in it that v0.3.0 never wrote.
        """
        maps = {
            one["metadata"]["name"]: one.get("data") or {}
            for one in self.around
            if one["kind"] == "ConfigMap"
        }
        ports = self._spec("Service").get("ports") or [{}]
        names_of = convert.LegacyNames(space_uuid=space_uuid, space_name=space_name, host=host)
        try:
            return convert.component(
                self.deployment["spec"], names_of, port=ports[0].get("port", 0), config_maps=maps
            )
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise NotLegacy(f"its Deployment is not as v0.3.0 writes them: {error!r}") from error

    def _spec(self, kind: str) -> _Document:
        return next((one.get("spec") or {} for one in self.around if one["kind"] == kind), {})


def find(cluster: Cluster, namespace: str, space_uuid: str) -> LegacyDeployment | None:
    """Return what v0.3.0 has deployed of a Space; None when the cluster says that nothing is there.

    Raises:
        ClusterError: The API server is away, or refuses.
        NotLegacy: The Deployment of this name is somebody else's.
    """
    deployment = _get(cluster, "Deployment", namespace, f"deploy-{space_uuid}")
    if deployment is None or "deletionTimestamp" in deployment["metadata"]:
        return None
    if deployment["spec"]["selector"] != {"matchLabels": {labels.SPACE: space_uuid}}:
        raise NotLegacy(f"Deployment deploy-{space_uuid} does not select its pods as v0.3.0 does")
    named = [("Service", f"svc-{space_uuid}"), ("Ingress", f"ing-{space_uuid}")]
    named += [("ConfigMap", name) for name in _mounted(deployment, space_uuid)]
    found = (_get(cluster, kind, namespace, name) for kind, name in named)
    return LegacyDeployment(deployment=deployment, around=tuple(one for one in found if one))


def _get(cluster: Cluster, kind: str, namespace: str, name: str) -> _Document | None:
    with suppress(NotFound):
        found = cluster.get(f"{url_paths.collection(kind, namespace)}/{name}")
        return {**found, "kind": kind}
    return None


def _mounted(deployment: _Document, space_uuid: str) -> Iterator[str]:
    for volume in deployment["spec"]["template"]["spec"].get("volumes") or ():
        name = (volume.get("configMap") or {}).get("name", "")
        if name.startswith(f"{space_uuid}-"):
            yield name


def claim(
    cluster: Cluster, former: LegacyDeployment, workload: Workload, capabilities: Capabilities
) -> list[_Document]:
    """Label what v0.3.0 made as ours, and close its doors; harmless to repeat from any line.

    No pod is started anew. One NetworkPolicy for the Space's pods leaves open what v0.3.0's
    workloads live from (the ingress controller in, DNS and the internet out) and closes the rest.

    Returns the pods, claimed.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    frame = Scope(workload=workload, capabilities=capabilities, templates=Templates(None))
    [component] = workload.components
    cluster.apply(*_namespace(frame))
    policy = network_policies.policies(frame)[0]
    policy["spec"]["podSelector"] = {"matchLabels": frame.space_selector()}
    cluster.apply(url_paths.object_path(policy), policy)
    given = frame.labels(component)
    running = given | {labels.REVISION: str(workload.revision)}
    for one in former.around:
        label(cluster, one, given)
    label(cluster, former.deployment, running)
    sets, pods = list_owned(cluster, former.deployment)
    for one in sets:
        label(cluster, one, running)
    return [label(cluster, one, running) for one in pods]


def _namespace(frame: Scope) -> tuple[str, _Document]:
    given = tenant_labels(frame.workload.wallet) | POD_SECURITY
    given |= {labels.NAMESPACE: names.label_value(frame.namespace)}
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": frame.namespace, "labels": given},
    }
    return url_paths.object_path(manifest), manifest


def list_owned(cluster: Cluster, deployment: _Document) -> tuple[list[_Document], list[_Document]]:
    """Return a Deployment's ReplicaSets and pods; those that are being deleted left out.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    metadata = deployment["metadata"]
    selector = ",".join(
        f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items()
    )
    owners = {metadata["uid"]}
    sets = _owned(cluster, "ReplicaSet", metadata["namespace"], selector, owners)
    owners |= {one["metadata"]["uid"] for one in sets}
    return sets, _owned(cluster, "Pod", metadata["namespace"], selector, owners)


def _owned(
    cluster: Cluster, kind: str, namespace: str, selector: str, owners: set[str]
) -> list[_Document]:
    with suppress(NotFound):
        found = cluster.list(url_paths.collection(kind, namespace), selector=selector)
        return [
            {**one, "kind": kind}
            for one in found
            if "deletionTimestamp" not in one["metadata"]
            and any(owner["uid"] in owners for owner in one["metadata"].get("ownerReferences", ()))
        ]
    return []


def label(cluster: Cluster, one: _Document, given: Mapping[str, str]) -> _Document:
    """Give an object labels beside its own, if it is still the same object; return it so.

    Raises:
        ClusterError: The API server is away, or refuses; the object is gone.
    """
    metadata = one["metadata"]
    if given.items() <= (metadata.get("labels") or {}).items():
        return one
    manifest = {
        "apiVersion": url_paths.api_version(one["kind"]),
        "kind": one["kind"],
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "labels": dict(given),
        },
    }
    return cluster.apply(url_paths.object_path(manifest), manifest)
