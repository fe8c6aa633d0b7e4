"""The API server's additions to an object: defaults, addresses and ports."""

import ipaddress
from itertools import chain

from app.demo.cluster import api_errors
from app.demo.cluster.object_store import ObjectStore
from app.demo.cluster.resources import (
    CLAIMS,
    DEPLOYMENTS,
    NAMESPACES,
    SERVICES,
    STORAGE_CLASSES,
    Json,
    Resource,
)

_SERVICE_NETWORK = ipaddress.ip_network("10.96.0.0/16")
_BALANCER_NETWORK = ipaddress.ip_network("192.0.2.0/24")
_NODE_PORTS = range(30000, 32768)
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def fill(store: ObjectStore, resource: Resource, merged: Json, live: Json | None) -> None:
    """Add to `merged` what it leaves out; `live` is the object as it was, if it existed."""
    name = merged["metadata"]["name"]
    if resource == NAMESPACES:
        merged["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
        merged.setdefault("spec", {"finalizers": ["kubernetes"]})
        merged.setdefault("status", {"phase": "Active"})
    elif resource == DEPLOYMENTS:
        _deployment(merged)
    elif resource == SERVICES:
        _service(store, merged, live)
    elif resource == CLAIMS:
        _claim(store, merged)


def _deployment(merged: Json) -> None:
    spec = merged.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", "25%")
        rolling.setdefault("maxUnavailable", "25%")
    else:
        strategy.pop("rollingUpdate", None)
    pod = spec.setdefault("template", {}).setdefault("spec", {})
    pod.setdefault("restartPolicy", "Always")
    pod.setdefault("terminationGracePeriodSeconds", 30)
    pod.setdefault("dnsPolicy", "ClusterFirst")
    for container in chain(pod.get("initContainers", []), pod.get("containers", [])):
        tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
        policy = "Always" if tag in {"", "latest"} else "IfNotPresent"
        container.setdefault("imagePullPolicy", policy)
        container.setdefault("resources", {})
        for port in container.get("ports", []):
            port.setdefault("protocol", "TCP")
    merged.setdefault("status", {})


def _service(store: ObjectStore, merged: Json, live: Json | None) -> None:
    spec = merged.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    others = [service for service in store.find(SERVICES) if not _same(service, merged)]
    if not spec.get("clusterIP"):
        spec["clusterIP"] = _free_address(others, _SERVICE_NETWORK)
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    ports = (port for service in others for port in service["spec"].get("ports", []))
    taken = {port.get("nodePort") for port in ports} - {None}
    old = live["spec"].get("ports", []) if live else []
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
        if kind in {"NodePort", "LoadBalancer"}:
            _node_port(merged, port, old, taken)
    merged.setdefault("status", {"loadBalancer": {}})
    if kind == "LoadBalancer" and not merged["status"]["loadBalancer"]:
        address = str(_BALANCER_NETWORK[1 + len(others) % 254])
        merged["status"] = {"loadBalancer": {"ingress": [{"ip": address}]}}


def _same(service: Json, other: Json) -> bool:
    keys = ("namespace", "name")
    return all(service["metadata"].get(key) == other["metadata"].get(key) for key in keys)


def _free_address(
    services: list[Json], network: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> str:
    taken = {service["spec"].get("clusterIP") for service in services}
    return next(str(address) for address in network.hosts() if str(address) not in taken)


def _node_port(service: Json, port: Json, old: list[Json], taken: set[int]) -> None:
    """Keep the port that it had, unless the manifest names one; else take a free one."""
    key = ("port", "protocol")
    had = [p["nodePort"] for p in old if "nodePort" in p and all(p[k] == port[k] for k in key)]
    if "nodePort" not in port:
        free = (number for number in (*had, *_NODE_PORTS) if number not in taken)
        port["nodePort"] = next(free)
    elif port["nodePort"] in taken:
        message = f"Invalid value: {port['nodePort']}: provided port is already allocated"
        name = service["metadata"]["name"]
        raise api_errors.invalid(SERVICES, name, "spec.ports[0].nodePort", message)
    taken.add(port["nodePort"])


def _claim(store: ObjectStore, merged: Json) -> None:
    spec = merged.setdefault("spec", {})
    classes = store.find(STORAGE_CLASSES)
    for one in classes:
        if one["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true":
            spec.setdefault("storageClassName", one["metadata"]["name"])
    spec.setdefault("volumeMode", "Filesystem")
    if spec.get("storageClassName") in {one["metadata"]["name"] for one in classes}:
        spec.setdefault("volumeName", f"simulated-{merged['metadata']['name']}")
        merged["status"] = {"phase": "Bound", "capacity": spec["resources"]["requests"]}
    else:
        merged.setdefault("status", {"phase": "Pending"})
