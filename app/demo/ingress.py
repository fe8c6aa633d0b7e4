"""The ingress controller: its class, and its address as seen from here."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from app.demo.polling import Failed
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from k8s.naming import labels

_CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"
_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_HTTP = 80
_MOST_ADDRESSES = 8
_NODE_ADDRESSES = ("ExternalIP", "InternalIP")

Object = Mapping[str, Any]


def class_name(cluster: Cluster, configured: str) -> str:
    """Return the IngressClass to use: the configured one, `nginx`, the default, or the only one.

    Raises:
        ClusterError: The cluster does not answer, or refuses.
        Failed: There is none that would do.
    """
    classes = cluster.list(_CLASSES)
    names = [ingress_class["metadata"]["name"] for ingress_class in classes]
    default = [
        ingress_class["metadata"]["name"] for ingress_class in classes if _is_default(ingress_class)
    ]
    wanted = [configured] if configured else ["nginx", *default, *names[: len(names) == 1]]
    for name in wanted:
        if name in names:
            return name
    existing = ", ".join(names) or "none"
    raise Failed(
        f"the cluster has no IngressClass {' or '.join(wanted)}; it has {existing}; "
        "install an ingress controller, or name the class in CP_CLUSTER_INGRESSCLASS"
    )


def _is_default(ingress_class: Object) -> bool:
    return bool(ingress_class["metadata"].get("annotations", {}).get(_DEFAULT) == "true")


def routes(cluster: Cluster, namespace: str, task_id: str) -> list[dict[str, Any]]:
    """Return the task's Ingress objects and HTTPRoutes.

    Raises:
        ClusterError: The cluster does not answer, or refuses.
    """
    routes = []
    for kind in ("Ingress", "HTTPRoute"):
        with suppress(NotFound):  # The cluster has no such kind.
            path = url_paths.collection(kind, namespace)
            routes += cluster.list(path, selector=labels.task_selector(task_id))
    return routes


def addresses(cluster: Cluster, namespace: str, task_id: str) -> list[str]:
    """Return where an ingress controller may listen, `host` or `host:port`, the likeliest first.

    Raises:
        ClusterError: The cluster does not answer, or refuses.
    """
    candidates: list[str] = []
    for route in routes(cluster, namespace, task_id):
        candidates += _balancers(route)
    nodes = _nodes(cluster)
    for service in cluster.list("/api/v1/services"):
        candidates += _of_service(service, nodes)
    return list(dict.fromkeys([*candidates, *nodes]))[:_MOST_ADDRESSES]


def _balancers(route: Object) -> Iterator[str]:
    status = route.get("status", {}).get("loadBalancer", {})
    for entry in status.get("ingress") or ():
        if address := entry.get("ip") or entry.get("hostname"):
            yield _host(address)


def _of_service(service: Object, nodes: list[str]) -> Iterator[str]:
    """Yield where a Service that serves port 80 to the world is reached; not a tenant's."""
    if service["metadata"].get("labels", {}).get(labels.MANAGED_BY) == labels.MANAGER:
        return
    spec = service.get("spec", {})
    port = next((port for port in spec.get("ports") or () if port.get("port") == _HTTP), None)
    if port is None or spec.get("type") not in {"LoadBalancer", "NodePort"}:
        return
    yield from _balancers(service)
    if node_port := port.get("nodePort"):
        yield from (f"{node}:{node_port}" for node in nodes)


def _nodes(cluster: Cluster) -> list[str]:
    addresses = [
        (_NODE_ADDRESSES.index(entry["type"]), _host(entry["address"]))
        for node in cluster.list("/api/v1/nodes")
        for entry in node.get("status", {}).get("addresses", ())
        if entry["type"] in _NODE_ADDRESSES
    ]
    return [address for _, address in sorted(addresses)]


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
