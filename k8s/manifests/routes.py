"""How host names lead to services: Ingress objects, or HTTPRoutes where there is a Gateway."""

from typing import Any

from k8s.api.errors import Unsupported
from k8s.manifests.scope import Manifest, Scope
from k8s.naming import names
from k8s.workload import Component, Container, Port


def routes(frame: Scope) -> list[Manifest]:
    """One Ingress or HTTPRoute for each port that has host names."""
    draw = _http_route if frame.capabilities.gateway else _ingress
    found: list[Manifest] = []
    taken: set[str] = set()
    for component, container, port in frame.ports():
        if port.public != "host":
            continue
        _check(container, port, taken)
        word = f"{container.name}:{port.service_port}" if found else ""
        name = names.object_name("ing", frame.workload.space_uuid, word)
        found.append(draw(frame, name, component, container, port))
    return found


def _check(container: Container, port: Port, taken: set[str]) -> None:
    where = f"services.{container.name}.expose"
    if not port.hosts:
        raise Unsupported(where, f"port {port.number} is public and has no host name")
    for host in port.hosts:
        if not names.is_host(host.removeprefix("*.")):
            raise Unsupported(where, f"{host!r} is no host name")
        if host in taken:
            raise Unsupported(where, f"{host!r} leads to two ports")
        taken.add(host)


def _ingress(
    frame: Scope, name: str, component: Component, container: Container, port: Port
) -> Manifest:
    service = frame.service_name(container.name)
    return frame.fill(
        "ingress",
        name,
        component,
        container.name,
        ingress_class=frame.capabilities.ingress_class,
        rules=[_rule(host, service, port.service_port) for host in port.hosts],
    )


def _rule(host: str, service: str, port: int) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": port}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {"host": host, "http": {"paths": [path]}}


def _http_route(
    frame: Scope, name: str, component: Component, container: Container, port: Port
) -> Manifest:
    namespace, _, gateway = frame.capabilities.gateway.rpartition("/")
    return frame.fill(
        "http-route",
        name,
        component,
        container.name,
        gateway_name=gateway,
        gateway_namespace=namespace or None,
        hosts=list(port.hosts),
        service=frame.service_name(container.name),
        port=port.service_port,
    )
