"""What every tenant has, whatever runs: a namespace of its own, bounds, and closed doors."""

from k8s.manifests.scope import Manifest, Scope, tenant_labels
from k8s.naming import labels, names

KINDS = ("Namespace", "ResourceQuota", "LimitRange")
DEFAULT_DENY = "default-deny"
MAX_PUBLISHED_PORTS = 100
MAX_LOAD_BALANCERS = 20

POD_SECURITY = {
    "pod-security.kubernetes.io/enforce": "baseline",
    "pod-security.kubernetes.io/warn": "restricted",
}


def objects(frame: Scope) -> list[Manifest]:
    """The tenant's Namespace, ResourceQuota, LimitRange and default-deny NetworkPolicy."""
    capabilities = frame.capabilities
    common = tenant_labels(frame.workload.wallet)
    published = (
        capabilities.node_ports or capabilities.load_balancers
    )  # A LoadBalancer takes node ports too.
    namespace = {labels.NAMESPACE: names.label_value(frame.namespace), **POD_SECURITY}
    values = {"namespace": frame.namespace, "labels": common}
    quota = {
        "node_ports": str(MAX_PUBLISHED_PORTS if published else 0),
        "load_balancers": str(MAX_LOAD_BALANCERS if capabilities.load_balancers else 0),
    }
    fill = frame.templates.fill
    return [
        fill("namespace", values | {"labels": common | namespace}),
        fill("resource-quota", values | quota),
        fill("limit-range", values),
        fill(DEFAULT_DENY, values),
    ]


def is_tenant_wide(manifest: Manifest) -> bool:
    """Whether the object belongs to the tenant rather than to one task."""
    return labels.TASK not in manifest["metadata"].get("labels", {})
