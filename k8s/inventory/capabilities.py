"""What the cluster has of what the operator wants to offer."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from k8s.workload import Capabilities

_NODES = "/api/v1/nodes"
_SERVICE_NETWORKS = "/apis/networking.k8s.io/v1/servicecidrs"
_STORAGE_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_ADDRESSES = ("InternalIP", "ExternalIP")


def resolve(cluster: Cluster, capabilities: Capabilities) -> Capabilities:
    """Return the capabilities on this cluster: no Gateway that it lacks, its networks blocked."""
    networks = sorted({*capabilities.blocked_networks, *node_networks(cluster)})
    gateway = capabilities.gateway if capabilities.gateway and has_http_routes(cluster) else ""
    return replace(capabilities, gateway=gateway, blocked_networks=tuple(networks))


def has_http_routes(cluster: Cluster) -> bool:
    """Whether the cluster knows HTTPRoutes."""
    try:
        known = cluster.get(_GATEWAY_API)
    except NotFound:
        return False
    return any(one.get("kind") == "HTTPRoute" for one in known.get("resources", ()))


def node_networks(cluster: Cluster) -> tuple[str, ...]:
    """The addresses of nodes, and the networks of pods and services, as far as nodes tell them."""
    found: set[str] = set()
    for node in cluster.list(_NODES):
        found.update(_addresses(node))
        found.update(node.get("spec", {}).get("podCIDRs") or ())
    try:
        for one in cluster.list(_SERVICE_NETWORKS):
            found.update(one.get("spec", {}).get("cidrs") or ())
    except NotFound:
        pass
    return tuple(sorted(found))


def _addresses(node: dict[str, Any]) -> list[str]:
    return [
        str(ip_network(ip_address(one["address"])))
        for one in node.get("status", {}).get("addresses", ())
        if one.get("type") in _ADDRESSES
    ]


def missing_storage_classes(cluster: Cluster, classes: Iterable[str]) -> set[str]:
    """Those of `classes` that the cluster lacks; the empty name stands for its default class."""
    found: set[str] = set()
    for one in cluster.list(_STORAGE_CLASSES):
        metadata = one["metadata"]
        found.add(metadata["name"])
        if metadata.get("annotations", {}).get(_DEFAULT_CLASS) == "true":
            found.add("")
    return set(classes) - found
