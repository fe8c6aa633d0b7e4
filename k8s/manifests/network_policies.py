"""NetworkPolicies: one for each component, beside the tenant's default deny.

Addresses of Services are turned into pods' before policies are looked at, so rules name pods and
the ports that they listen on.
"""

from typing import Any

from k8s.manifests import networks
from k8s.manifests.scope import Manifest, Scope
from k8s.naming import labels, names
from k8s.workload import Component, Port

Rule = dict[str, Any]

NAMESPACE_NAME = "kubernetes.io/metadata.name"
DNS_NAMESPACE = "kube-system"
DNS_PORT = 53


def policies(frame: Scope) -> list[Manifest]:
    """All NetworkPolicies of the task."""
    return [
        frame.fill(
            "network-policy",
            names.object_name("net", frame.workload.space_uuid, frame.name_part(component)),
            component,
            component.name,
            selector=frame.selector(component),
            ingress=_ingress(frame, component),
            egress=[dns(), *_to_services(frame, component), *_to_internet(frame)],
        )
        for component in frame.workload.components
    ]


def _ingress(frame: Scope, component: Component) -> list[Rule]:
    return [
        {"from": sources, "ports": [_port(port)]}
        for container in component.containers
        for port in container.ports
        if (sources := _sources(frame, port))
    ]


def _sources(frame: Scope, port: Port) -> list[Rule]:
    if port.public in ("node", "address"):
        return [{"ipBlock": {"cidr": cidr}} for cidr in networks.EVERYWHERE]
    clients: list[Rule] = []
    for client in port.clients:
        peer = _pods(frame, frame.component_of(client))
        if peer not in clients:
            clients.append(peer)
    return clients + (_controller(frame) if port.public == "host" else [])


def _controller(frame: Scope) -> list[Rule]:
    """The ingress controller: a pod, or a process of a node."""
    where: Rule = {
        "matchExpressions": [
            {"key": labels.MANAGED_BY, "operator": "NotIn", "values": [labels.MANAGER]}
        ]
    }
    if frame.capabilities.ingress_namespace:
        where = {"matchLabels": {NAMESPACE_NAME: frame.capabilities.ingress_namespace}}
    nodes = networks.hosts(frame.capabilities.blocked_networks)
    return [{"namespaceSelector": where}, *({"ipBlock": {"cidr": node}} for node in nodes)]


def dns() -> Rule:
    """What lets pods look names up."""
    return {
        "to": [{"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: DNS_NAMESPACE}}}],
        "ports": [{"protocol": protocol, "port": DNS_PORT} for protocol in ("UDP", "TCP")],
    }


def _to_services(frame: Scope, component: Component) -> list[Rule]:
    own = {container.name for container in component.containers}
    rules = []
    for server in frame.workload.components:
        ports: list[Rule] = []
        for container in server.containers:
            for port in container.ports:
                if own.intersection(port.clients) and _port(port) not in ports:
                    ports.append(_port(port))
        if ports:
            rules.append({"to": [_pods(frame, server)], "ports": ports})
    return rules


def _to_internet(frame: Scope) -> list[Rule]:
    closed = networks.closed(frame.capabilities.blocked_networks)
    return [
        {"to": [{"ipBlock": {"cidr": cidr, "except": left_out}}]}
        for cidr in networks.EVERYWHERE
        if (left_out := networks.around(cidr, closed)) is not None
    ]


def _pods(frame: Scope, component: Component) -> Rule:
    return {"podSelector": {"matchLabels": frame.selector(component)}}


def _port(port: Port) -> Rule:
    return {"protocol": port.protocol, "port": port.number}
