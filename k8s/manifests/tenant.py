"""Objects of a tenant: Namespace, ResourceQuota, LimitRange and default-deny policy."""

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


def objects(scope: Scope) -> list[Manifest]:
    """Build the tenant's Namespace, ResourceQuota, LimitRange and default-deny NetworkPolicy."""
    capabilities = scope.capabilities
    common = tenant_labels(scope.workload.wallet)
    # A LoadBalancer takes node ports too.
    publishes_ports = capabilities.node_ports or capabilities.load_balancers
    namespace = {labels.NAMESPACE: names.label_value(scope.namespace), **POD_SECURITY}
    values = {"namespace": scope.namespace, "labels": common}
    quota = {
        "node_ports": str(MAX_PUBLISHED_PORTS if publishes_ports else 0),
        "load_balancers": str(MAX_LOAD_BALANCERS if capabilities.load_balancers else 0),
    }
    fill = scope.templates.fill
    return [
        fill("namespace", values | {"labels": common | namespace}),
        fill("resource-quota", values | quota),
        fill("limit-range", values),
        fill(DEFAULT_DENY, values),
    ]


def is_tenant_wide(manifest: Manifest) -> bool:
    """Return whether the object belongs to the tenant rather than to one task."""
    return labels.TASK not in manifest["metadata"].get("labels", {})
