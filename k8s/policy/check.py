"""The policy on every rendered object, whatever templates it came from.

Rules name what is allowed, and everything else is a violation: an operator's template may add
tolerations or annotations, and can never open a door between tenants.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from k8s.api import url_paths
from k8s.manifests import model_downloads, tenant
from k8s.manifests.scope import tenant_labels
from k8s.naming import labels, names
from k8s.policy import network
from k8s.policy import pod as pod_policy
from k8s.policy.violation import Violation, require, require_only
from k8s.workload import Capabilities, Workload

__all__ = ["Violation", "check"]

_SERVICE_KEYS = {
    "type",
    "selector",
    "ports",
    "externalTrafficPolicy",
    "internalTrafficPolicy",
    "sessionAffinity",
    "ipFamilyPolicy",
    "ipFamilies",
    "loadBalancerClass",
    "allocateLoadBalancerNodePorts",
}
_INGRESS_KEYS = {"ingressClassName", "rules", "tls"}
_ROUTE_KEYS = {"parentRefs", "hostnames", "rules"}


def check(
    manifests: Sequence[Mapping[str, Any]], workload: Workload, capabilities: Capabilities
) -> None:
    """Raise `Violation` unless every object keeps to every rule, and the tenant's are all there."""
    for manifest in manifests:
        with _well_formed(manifest):
            _object(manifest, workload, capabilities)
    _all_different(manifests)
    kinds = {manifest["kind"] for manifest in manifests}
    for kind in tenant.KINDS:
        if kind not in kinds:
            raise Violation(kind, "the tenant has to have one")
    network.check_default(manifests)


def _all_different(manifests: Sequence[Mapping[str, Any]]) -> None:
    """No two objects of one name, and no two Deployments that take each other's pods."""
    seen: list[Any] = []
    for manifest in manifests:
        kind = manifest["kind"]
        own = [(kind, manifest["metadata"]["name"])]
        if kind == "Deployment":
            own.append((kind, manifest["spec"]["selector"]))
        for identity in own:
            require(identity not in seen, manifest, "another object has its name or its pods")
        seen += own


@contextmanager
def _well_formed(manifest: Mapping[str, Any]) -> Iterator[None]:
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        name = manifest.get("metadata", {}).get("name", "")
        raise Violation(f"{manifest.get('kind', '')}/{name}", f"is malformed: {error!r}") from error


def _object(manifest: Mapping[str, Any], workload: Workload, capabilities: Capabilities) -> None:
    kind, metadata = manifest.get("kind", ""), manifest.get("metadata", {})
    allowed = kind in url_paths.PREFIXES and kind not in {"Pod", "ReplicaSet", "Secret"}
    require(allowed, manifest, "this kind is not allowed")
    require(
        manifest.get("apiVersion") == url_paths.api_version(kind),
        manifest,
        "apiVersion has to be " + url_paths.api_version(kind),
    )
    namespace = names.namespace(workload.wallet)
    place = metadata.get("name") if kind == "Namespace" else metadata.get("namespace")
    require(place == namespace, manifest, f"has to be in the tenant's namespace, {namespace}")
    _owner(manifest, workload)
    match kind:
        case "Namespace":
            _pod_security(manifest)
        case "Deployment":
            _deployment(manifest, workload, capabilities)
        case "Service":
            _service(manifest, workload, capabilities)
        case "NetworkPolicy":
            network.check(manifest, workload, capabilities)
        case "Ingress":
            require_only(manifest, manifest.get("spec", {}), _INGRESS_KEYS, "spec")
        case "HTTPRoute":
            _route(manifest, capabilities)


def _owner(manifest: Mapping[str, Any], workload: Workload) -> None:
    given = manifest["metadata"].get("labels", {})
    wanted = tenant_labels(workload.wallet)
    if manifest["kind"] not in tenant.KINDS and manifest["metadata"]["name"] != tenant.DEFAULT_DENY:
        wanted |= {
            labels.TASK: names.label_value(workload.task_id),
            labels.SPACE: names.label_value(workload.space_uuid),
        }
    for key, value in wanted.items():
        require(given.get(key) == value, manifest, f"label {key} has to be {value}")


def _pod_security(manifest: Mapping[str, Any]) -> None:
    given = manifest["metadata"]["labels"]
    for key, value in tenant.POD_SECURITY.items():
        allowed = {value, "restricted"}
        require(given.get(key) in allowed, manifest, f"label {key} has to be {value} or stricter")


def _deployment(
    manifest: Mapping[str, Any], workload: Workload, capabilities: Capabilities
) -> None:
    spec = manifest["spec"]
    selected = spec.get("selector", {}).get("matchLabels", {})
    space = names.label_value(workload.space_uuid)
    require(selected.get(labels.SPACE) == space, manifest, "has to select the Space's pods alone")
    given = spec["template"].get("metadata", {}).get("labels", {})
    for key in (labels.SPACE, labels.TASK, labels.MANAGED_BY, labels.WALLET, labels.REVISION):
        require(key in given, manifest, f"its pods have to have the label {key}")
    pod_policy.check(manifest, spec["template"].get("spec", {}))
    _models(manifest, workload)
    if capabilities.runtime_class:
        runtime = spec["template"]["spec"].get("runtimeClassName")
        require(
            runtime == capabilities.runtime_class,
            manifest,
            "has to use the operator's RuntimeClass",
        )


def _models(manifest: Mapping[str, Any], workload: Workload) -> None:
    """A pod whose models nobody fetches would find folders in their place."""
    pod = manifest["spec"]["template"]["spec"]
    component = manifest["spec"]["selector"]["matchLabels"].get(labels.COMPONENT)
    fetching = {container["name"] for container in pod.get("initContainers", ())}
    for part in workload.components:
        if names.dns_label(part.name) == component:
            missing = model_downloads.fetchers(part) - fetching
            require(not missing, manifest, "has to have initContainers: ${init_containers}")


def _service(manifest: Mapping[str, Any], workload: Workload, capabilities: Capabilities) -> None:
    require_only(manifest, manifest.get("spec", {}), _SERVICE_KEYS, "spec")
    spec = manifest["spec"]
    offered = {
        "ClusterIP": True,
        "NodePort": capabilities.node_ports,
        "LoadBalancer": capabilities.load_balancers,
    }
    kind = spec.get("type", "ClusterIP")
    require(offered.get(kind, False), manifest, f"type {kind} is not offered")
    space = names.label_value(workload.space_uuid)
    selected = spec.get("selector", {}).get(labels.SPACE)
    require(selected == space, manifest, "has to select the Space's pods alone")


def _route(manifest: Mapping[str, Any], capabilities: Capabilities) -> None:
    require_only(manifest, manifest.get("spec", {}), _ROUTE_KEYS, "spec")
    for rule in manifest["spec"].get("rules", ()):
        for backend in rule.get("backendRefs", ()):
            require("namespace" not in backend, manifest, "leads to another namespace")
    require(bool(capabilities.gateway), manifest, "no Gateway is configured")
