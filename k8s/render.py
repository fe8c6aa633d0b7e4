"""A workload as manifests, in the order in which they are applied."""

from collections.abc import Mapping
from pathlib import Path

from k8s.api.errors import Unsupported
from k8s.manifests import (
    deployments,
    host_routes,
    network_policies,
    services,
    tenant,
    volumes,
)
from k8s.manifests.scope import Manifest, Scope
from k8s.manifests.templates import TemplateError, Templates
from k8s.policy import check
from k8s.workload import Capabilities, Workload

__all__ = ["Manifest", "TemplateError", "Unsupported", "workload"]


def workload(
    workload: Workload,
    capabilities: Capabilities,
    *,
    addresses: Mapping[str, str] | None = None,
    overrides: Path | None = None,
) -> list[Manifest]:
    """Render all manifests of one task's workload, namespace first.

    Args:
        workload: The workload.
        capabilities: Those of the operator's cluster.
        addresses: Name of a Kubernetes Service → its ClusterIP, once known: services then reach
            each other by the names in the file.
        overrides: The operator's folder of templates, or None.

    Raises:
        Unsupported: The workload asks for what cannot be had; names the place in the file.
        TemplateError: A template of the operator's is no template.
        policy.Violation: A template of the operator's weakens the isolation of tenants.
    """
    scope = Scope(workload=workload, capabilities=capabilities, templates=Templates(overrides))
    manifests = [
        *tenant.objects(scope),
        *volumes.config_maps(scope),
        *volumes.claims(scope),
        *network_policies.policies(scope),
        *services.services(scope),
        *deployments.deployments(scope, addresses or {}),
        *deployments.disruption_budgets(scope),
        *host_routes.routes(scope),
    ]
    check.check(manifests, workload, capabilities)
    return manifests
