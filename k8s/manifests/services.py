"""The addresses of services: inside the Space, on nodes' ports, and of their own."""

from collections.abc import Iterable
from typing import Any

from k8s.api.errors import Unsupported
from k8s.manifests.scope import Manifest, Scope
from k8s.naming import names
from k8s.workload import Component, Container, Port


def services(frame: Scope) -> list[Manifest]:
    """All Services of the task."""
    found: list[Manifest] = []
    for component, container in frame.services():
        if container.ports:
            found.append(_inside(frame, component, container))
        published = [port for port in container.ports if port.public == "node"]
        if published:
            found.append(_on_nodes(frame, component, container, published))
    return found + _addresses(frame)


def _inside(frame: Scope, component: Component, container: Container) -> Manifest:
    return frame.fill(
        "service",
        frame.service_name(container.name),
        component,
        container.name,
        type="ClusterIP",
        selector=frame.selector(component),
        ports=_ports(container.name, container.ports),
    )


def _on_nodes(
    frame: Scope, component: Component, container: Container, ports: Iterable[Port]
) -> Manifest:
    if not frame.capabilities.node_ports:
        raise Unsupported(
            f"services.{container.name}.expose",
            "this provider publishes no port beside the one that gets the host name",
        )
    return frame.fill(
        "service",
        names.object_name("svc", frame.workload.space_uuid, container.name, after="node"),
        component,
        container.name,
        type="NodePort",
        selector=frame.selector(component),
        ports=_ports(container.name, ports),
    )


def _addresses(frame: Scope) -> list[Manifest]:
    endpoints: dict[str, list[tuple[Component, Container, Port]]] = {}
    for component, container, port in frame.ports():
        if port.public == "address":
            endpoints.setdefault(port.endpoint or "", []).append((component, container, port))
    if endpoints and not frame.capabilities.load_balancers:
        raise Unsupported("endpoints", "this provider offers no addresses of their own")
    return [_address(frame, name, ports) for name, ports in endpoints.items()]


def _address(
    frame: Scope, endpoint: str, ports: list[tuple[Component, Container, Port]]
) -> Manifest:
    """One address for ports of any number of components.

    It selects all pods of the Space; a port leads to those which have a container port of its name,
    and that name is one component's alone.
    """
    component, container, _ = ports[0]
    targets = {
        port: names.endpoint_port(owner.name, port.number, port.protocol)
        for owner, _, port in ports
    }
    if len(targets) < len(ports):
        raise Unsupported(f"endpoints.{endpoint}", "two services publish the same port on it")
    return frame.fill(
        "service",
        names.object_name("svc", frame.workload.space_uuid, endpoint, before="ip"),
        component,
        container.name,
        type="LoadBalancer",
        selector=frame.space_selector(),
        ports=_ports(container.name, targets, targets),
    )


def _ports(
    service: str, ports: Iterable[Port], targets: dict[Port, str] | None = None
) -> list[dict[str, Any]]:
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for port in ports:
        entry = {
            "name": f"{port.protocol.lower()}-{port.service_port}",
            "protocol": port.protocol,
            "port": port.service_port,
            "targetPort": targets[port] if targets else port.number,
        }
        seen = found.setdefault((port.service_port, port.protocol), entry)
        if seen != entry:
            raise Unsupported(
                f"services.{service}.expose",
                f"{port.service_port}/{port.protocol} leads to two ports",
            )
    return list(found.values())
