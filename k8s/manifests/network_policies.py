"""NetworkPolicies of a workload: one for each component, beside the tenant's default deny.

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
DNS_PODS = {"k8s-app": "kube-dns"}
DNS_PORT = 53


def policies(scope: Scope) -> list[Manifest]:
    """All NetworkPolicies of the task."""
    return [
        scope.fill(
            "network-policy",
            names.object_name("net", scope.workload.space_uuid, scope.name_part(component)),
            component,
            component.name,
            selector=scope.selector(component),
            ingress=_ingress(scope, component),
            egress=[dns(), *_to_services(scope, component), *_to_internet(scope)],
        )
        for component in scope.workload.components
    ]


def _ingress(scope: Scope, component: Component) -> list[Rule]:
    return [
        {"from": sources, "ports": [_port(port)]}
        for container in component.containers
        for port in container.ports
        if (sources := _sources(scope, port))
    ]


def _sources(scope: Scope, port: Port) -> list[Rule]:
    if port.public in ("node", "address"):
        return [{"ipBlock": {"cidr": cidr}} for cidr in networks.EVERYWHERE]
    clients: list[Rule] = []
    for client in port.clients:
        peer = _pods(scope, scope.component_of(client))
        if peer not in clients:
            clients.append(peer)
    return clients + (_controller(scope) if port.public == "host" else [])


def _controller(scope: Scope) -> list[Rule]:
    """The ingress controller: a pod, or a process of a node."""
    where: Rule = {
        "matchExpressions": [
            {"key": labels.MANAGED_BY, "operator": "NotIn", "values": [labels.MANAGER]}
        ]
    }
    if scope.capabilities.ingress_namespace:
        where = {"matchLabels": {NAMESPACE_NAME: scope.capabilities.ingress_namespace}}
    nodes = networks.hosts(scope.capabilities.blocked_networks)
    return [{"namespaceSelector": where}, *({"ipBlock": {"cidr": node}} for node in nodes)]


def dns() -> Rule:
    """Return the rule that lets pods resolve names."""
    peer = {
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: DNS_NAMESPACE}},
        "podSelector": {"matchLabels": dict(DNS_PODS)},
    }
    return {
        "to": [peer],
        "ports": [{"protocol": protocol, "port": DNS_PORT} for protocol in ("UDP", "TCP")],
    }


def _to_services(scope: Scope, component: Component) -> list[Rule]:
    own = {container.name for container in component.containers}
    rules = []
    for server in scope.workload.components:
        ports: list[Rule] = []
        for container in server.containers:
            for port in container.ports:
                if own.intersection(port.clients) and _port(port) not in ports:
                    ports.append(_port(port))
        if ports:
            rules.append({"to": [_pods(scope, server)], "ports": ports})
    return rules


def _to_internet(scope: Scope) -> list[Rule]:
    closed = networks.closed(scope.capabilities.unreachable_networks)
    return [
        {"to": [{"ipBlock": {"cidr": cidr, "except": left_out}}]}
        for cidr in networks.EVERYWHERE
        if (left_out := networks.around(cidr, closed)) is not None
    ]


def _pods(scope: Scope, component: Component) -> Rule:
    return {"podSelector": {"matchLabels": scope.selector(component)}}


def _port(port: Port) -> Rule:
    return {"protocol": port.protocol, "port": port.number}
