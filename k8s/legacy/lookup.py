"""Discovery of a Space's v0.3.0 objects: found by name, read as a workload, and claimed.

v0.3.0 gave its objects fixed names and its pods one label, `lad_app`. Claiming adds the labels that
all objects of the provider have. The pod template stays as it is, since changing it would restart
every pod; so replacement pods have to be claimed again.
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
    """An object has the name of a v0.3.0 object and was not made by v0.3.0; gives the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyDeployment:
    """The objects of a Space that v0.3.0 deployed, as the API server gives them.

    Attributes:
        deployment: The Deployment.
        related: Its Service, Ingress and ConfigMaps, as far as they exist.
    """

    deployment: _Document
    related: tuple[_Document, ...]

    @property
    def deployed_at(self) -> float:
        """The time of its deployment, Unix seconds."""
        created = msgspec.convert(self.deployment, Deployment).metadata.creation_timestamp
        if created is None:
            raise NotLegacy("its Deployment has no time of creation")
        return created.timestamp()

    @property
    def task_id(self) -> str:
        """The task that it was claimed for, or empty."""
        task_id: str = (self.deployment["metadata"].get("labels") or {}).get(labels.TASK, "")
        return task_id

    @property
    def host(self) -> str:
        """The host name that routes to it, or empty."""
        for rule in self._spec("Ingress").get("rules") or ():
            if names.is_host(host := rule.get("host", "")):
                return str(host)
        return ""

    def component(self, *, space_uuid: str, space_name: str, host: str) -> Component:
        """Convert it to a component, as the provider itself would deploy the Space.

        Raises:
            NotLegacy: It contains something that v0.3.0 never wrote.
        """
        config_maps = {
            document["metadata"]["name"]: document.get("data") or {}
            for document in self.related
            if document["kind"] == "ConfigMap"
        }
        ports = self._spec("Service").get("ports") or [{}]
        space = convert.LegacyNames(space_uuid=space_uuid, space_name=space_name, host=host)
        try:
            return convert.component(
                self.deployment["spec"],
                space,
                port=ports[0].get("port", 0),
                config_maps=config_maps,
            )
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise NotLegacy(f"its Deployment is not as v0.3.0 writes them: {error!r}") from error

    def _spec(self, kind: str) -> _Document:
        specs = (
            document.get("spec") or {} for document in self.related if document["kind"] == kind
        )
        return next(specs, {})


def find(cluster: Cluster, namespace: str, space_uuid: str) -> LegacyDeployment | None:
    """Find the v0.3.0 deployment of a Space; None when the cluster reports that there is none.

    Raises:
        ClusterError: The API server is unavailable, or refuses.
        NotLegacy: The Deployment of this name was not made by v0.3.0.
    """
    deployment = _get(cluster, "Deployment", namespace, f"deploy-{space_uuid}")
    if deployment is None or "deletionTimestamp" in deployment["metadata"]:
        return None
    if deployment["spec"]["selector"] != {"matchLabels": {labels.SPACE: space_uuid}}:
        raise NotLegacy(f"Deployment deploy-{space_uuid} does not select its pods as v0.3.0 does")
    references = [("Service", f"svc-{space_uuid}"), ("Ingress", f"ing-{space_uuid}")]
    references += [("ConfigMap", name) for name in _mounted_config_maps(deployment, space_uuid)]
    documents = (_get(cluster, kind, namespace, name) for kind, name in references)
    return LegacyDeployment(deployment=deployment, related=tuple(filter(None, documents)))


def _get(cluster: Cluster, kind: str, namespace: str, name: str) -> _Document | None:
    with suppress(NotFound):
        document = cluster.get(f"{url_paths.collection(kind, namespace)}/{name}")
        return {**document, "kind": kind}
    return None


def _mounted_config_maps(deployment: _Document, space_uuid: str) -> Iterator[str]:
    for volume in deployment["spec"]["template"]["spec"].get("volumes") or ():
        name = (volume.get("configMap") or {}).get("name", "")
        if name.startswith(f"{space_uuid}-"):
            yield name


def claim(
    cluster: Cluster, legacy: LegacyDeployment, workload: Workload, capabilities: Capabilities
) -> list[_Document]:
    """Label the objects of v0.3.0 as the provider's own, and isolate the pods. Idempotent.

    No pod is restarted. One NetworkPolicy for the Space's pods allows the traffic that v0.3.0's
    workloads need (the ingress controller in, DNS and the internet out) and denies the rest.

    Returns the pods, claimed.

    Raises:
        ClusterError: The API server is unavailable, or refuses.
    """
    scope = Scope(workload=workload, capabilities=capabilities, templates=Templates(None))
    [component] = workload.components
    cluster.apply(*_namespace(scope))
    policy = network_policies.policies(scope)[0]
    policy["spec"]["podSelector"] = {"matchLabels": scope.space_selector()}
    cluster.apply(url_paths.object_path(policy), policy)
    object_labels = scope.labels(component)
    revision_labels = object_labels | {labels.REVISION: str(workload.revision)}
    for document in legacy.related:
        label(cluster, document, object_labels)
    label(cluster, legacy.deployment, revision_labels)
    replica_sets, pods = list_owned(cluster, legacy.deployment)
    for replica_set in replica_sets:
        label(cluster, replica_set, revision_labels)
    return [label(cluster, pod, revision_labels) for pod in pods]


def _namespace(scope: Scope) -> tuple[str, _Document]:
    namespace_labels = tenant_labels(scope.workload.wallet) | POD_SECURITY
    namespace_labels |= {labels.NAMESPACE: names.label_value(scope.namespace)}
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": scope.namespace, "labels": namespace_labels},
    }
    return url_paths.object_path(manifest), manifest


def list_owned(cluster: Cluster, deployment: _Document) -> tuple[list[_Document], list[_Document]]:
    """List a Deployment's ReplicaSets and pods, except those that are being deleted.

    Raises:
        ClusterError: The API server is unavailable, or refuses.
    """
    metadata = deployment["metadata"]
    selector = ",".join(
        f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items()
    )
    owners = {metadata["uid"]}
    replica_sets = _owned(cluster, "ReplicaSet", metadata["namespace"], selector, owners)
    owners |= {replica_set["metadata"]["uid"] for replica_set in replica_sets}
    return replica_sets, _owned(cluster, "Pod", metadata["namespace"], selector, owners)


def _owned(
    cluster: Cluster, kind: str, namespace: str, selector: str, owners: set[str]
) -> list[_Document]:
    with suppress(NotFound):
        documents = cluster.list(url_paths.collection(kind, namespace), selector=selector)
        return [
            {**document, "kind": kind}
            for document in documents
            if "deletionTimestamp" not in (metadata := document["metadata"])
            and any(owner["uid"] in owners for owner in metadata.get("ownerReferences", ()))
        ]
    return []


def label(cluster: Cluster, document: _Document, added: Mapping[str, str]) -> _Document:
    """Add labels to an object, if it is still the same object; return it labelled.

    Raises:
        ClusterError: The API server is unavailable, or refuses; or the object is gone.
    """
    metadata = document["metadata"]
    if added.items() <= (metadata.get("labels") or {}).items():
        return document
    manifest = {
        "apiVersion": url_paths.api_version(document["kind"]),
        "kind": document["kind"],
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "labels": dict(added),
        },
    }
    return cluster.apply(url_paths.object_path(manifest), manifest)
