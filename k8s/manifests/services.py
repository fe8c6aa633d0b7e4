"""Services of a task: ClusterIP within the Space, NodePort, and LoadBalancer."""

from collections.abc import Iterable
from typing import Any

from k8s.api.errors import Unsupported
from k8s.manifests.scope import Manifest, Scope
from k8s.naming import names
from k8s.workload import Component, Container, Port


def services(scope: Scope) -> list[Manifest]:
    """Build all Services of the task."""
    manifests: list[Manifest] = []
    for component, container in scope.services():
        if container.ports:
            manifests.append(_cluster_ip(scope, component, container))
        published = [port for port in container.ports if port.public == "node"]
        if published:
            manifests.append(_node_port(scope, component, container, published))
    return manifests + _load_balancers(scope)


def _cluster_ip(scope: Scope, component: Component, container: Container) -> Manifest:
    return scope.fill(
        "service",
        scope.service_name(container.name),
        component,
        container.name,
        type="ClusterIP",
        selector=scope.selector(component),
        ports=_ports(container.name, container.ports),
    )


def _node_port(
    scope: Scope, component: Component, container: Container, ports: Iterable[Port]
) -> Manifest:
    if not scope.capabilities.node_ports:
        raise Unsupported(
            f"services.{container.name}.expose",
            "this provider publishes no ports other than the one behind the host name",
        )
    return scope.fill(
        "service",
        names.object_name("svc", scope.workload.space_uuid, container.name, after="node"),
        component,
        container.name,
        type="NodePort",
        selector=scope.selector(component),
        ports=_ports(container.name, ports),
    )


def _load_balancers(scope: Scope) -> list[Manifest]:
    endpoints: dict[str, list[tuple[Component, Container, Port]]] = {}
    for component, container, port in scope.ports():
        if port.public == "address":
            endpoints.setdefault(port.endpoint or "", []).append((component, container, port))
    if endpoints and not scope.capabilities.load_balancers:
        raise Unsupported("endpoints", "this provider does not offer dedicated addresses")
    return [_load_balancer(scope, name, ports) for name, ports in endpoints.items()]


def _load_balancer(
    scope: Scope, endpoint: str, ports: list[tuple[Component, Container, Port]]
) -> Manifest:
    """Build one address for ports of any number of components.

    It selects all pods of the Space; a port routes to the pods with a container port of its name,
    which only one component has.
    """
    component, container, _ = ports[0]
    targets = {
        port: names.endpoint_port(owner.name, port.number, port.protocol)
        for owner, _, port in ports
    }
    if len(targets) < len(ports):
        raise Unsupported(f"endpoints.{endpoint}", "two services publish the same port on it")
    return scope.fill(
        "service",
        names.object_name("svc", scope.workload.space_uuid, endpoint, before="ip"),
        component,
        container.name,
        type="LoadBalancer",
        selector=scope.space_selector(),
        ports=_ports(container.name, targets, targets),
    )


def _ports(
    service: str, ports: Iterable[Port], targets: dict[Port, str] | None = None
) -> list[dict[str, Any]]:
    entries: dict[tuple[int, str], dict[str, Any]] = {}
    for port in ports:
        entry = {
            "name": f"{port.protocol.lower()}-{port.service_port}",
            "protocol": port.protocol,
            "port": port.service_port,
            "targetPort": targets[port] if targets else port.number,
        }
        first = entries.setdefault((port.service_port, port.protocol), entry)
        if first != entry:
            raise Unsupported(
                f"services.{service}.expose",
                f"{port.service_port}/{port.protocol} routes to two ports",
            )
    return list(entries.values())
