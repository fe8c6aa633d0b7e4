"""Capabilities of the cluster, detected: HTTPRoutes, networks to block, storage classes."""

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
    """Adapt capabilities to this cluster: no Gateway without HTTPRoutes, its networks blocked."""
    networks = sorted({*capabilities.blocked_networks, *node_networks(cluster)})
    gateway = capabilities.gateway if capabilities.gateway and has_http_routes(cluster) else ""
    return replace(capabilities, gateway=gateway, blocked_networks=tuple(networks))


def has_http_routes(cluster: Cluster) -> bool:
    """Return whether the cluster serves HTTPRoutes."""
    try:
        group = cluster.get(_GATEWAY_API)
    except NotFound:
        return False
    return any(resource.get("kind") == "HTTPRoute" for resource in group.get("resources", ()))


def node_networks(cluster: Cluster) -> tuple[str, ...]:
    """Return the addresses of nodes and the networks of pods and services, as far as published."""
    networks: set[str] = set()
    for node in cluster.list(_NODES):
        networks.update(_addresses(node))
        networks.update(node.get("spec", {}).get("podCIDRs") or ())
    try:
        for service_network in cluster.list(_SERVICE_NETWORKS):
            networks.update(service_network.get("spec", {}).get("cidrs") or ())
    except NotFound:
        pass
    return tuple(sorted(networks))


def _addresses(node: dict[str, Any]) -> list[str]:
    return [
        str(ip_network(ip_address(address["address"])))
        for address in node.get("status", {}).get("addresses", ())
        if address.get("type") in _ADDRESSES
    ]


def missing_storage_classes(cluster: Cluster, classes: Iterable[str]) -> set[str]:
    """Return those of `classes` that the cluster lacks; the empty name is its default class."""
    available: set[str] = set()
    for storage_class in cluster.list(_STORAGE_CLASSES):
        metadata = storage_class["metadata"]
        available.add(metadata["name"])
        if metadata.get("annotations", {}).get(_DEFAULT_CLASS) == "true":
            available.add("")
    return set(classes) - available
