"""URL paths of objects and collections on the API server."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

PREFIXES = {
    "Namespace": "/api/v1/namespaces",
    "ResourceQuota": "/api/v1/*/resourcequotas",
    "LimitRange": "/api/v1/*/limitranges",
    "Secret": "/api/v1/*/secrets",
    "ConfigMap": "/api/v1/*/configmaps",
    "PersistentVolumeClaim": "/api/v1/*/persistentvolumeclaims",
    "Service": "/api/v1/*/services",
    "Pod": "/api/v1/*/pods",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/*/networkpolicies",
    "Ingress": "/apis/networking.k8s.io/v1/*/ingresses",
    "Deployment": "/apis/apps/v1/*/deployments",
    "ReplicaSet": "/apis/apps/v1/*/replicasets",
    "Job": "/apis/batch/v1/*/jobs",
    "PodDisruptionBudget": "/apis/policy/v1/*/poddisruptionbudgets",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/*/httproutes",
}


def api_version(kind: str) -> str:
    """Return the `apiVersion` of `kind`."""
    parts = PREFIXES[kind].split("/")
    return parts[2] if parts[1] == "api" else "/".join(parts[2:4])


def collection(kind: str, namespace: str) -> str:
    """Return the path of a namespace's objects of `kind`."""
    return PREFIXES[kind].replace("*", f"namespaces/{quote(namespace, safe='')}")


def object_path(manifest: Mapping[str, Any]) -> str:
    """Return the path of the object that `manifest` describes."""
    metadata = manifest["metadata"]
    name = quote(metadata["name"], safe="")
    return f"{collection(manifest['kind'], metadata.get('namespace', ''))}/{name}"
