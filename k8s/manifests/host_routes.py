"""Routes from host names to services: Ingress objects, or HTTPRoutes for a Gateway."""

from typing import Any

from k8s.api.errors import Unsupported
from k8s.manifests.scope import Manifest, Scope
from k8s.naming import names
from k8s.workload import Component, Container, Port


def routes(scope: Scope) -> list[Manifest]:
    """Build one Ingress or HTTPRoute for each port that has host names."""
    build = _http_route if scope.capabilities.gateway else _ingress
    manifests: list[Manifest] = []
    routed_hosts: set[str] = set()
    for component, container, port in scope.ports():
        if port.public != "host":
            continue
        _check(container, port, routed_hosts)
        word = f"{container.name}:{port.service_port}" if manifests else ""
        name = names.object_name("ing", scope.workload.space_uuid, word)
        manifests.append(build(scope, name, component, container, port))
    return manifests


def _check(container: Container, port: Port, routed_hosts: set[str]) -> None:
    path = f"services.{container.name}.expose"
    if not port.hosts:
        raise Unsupported(path, f"port {port.number} is public and has no host name")
    for host in port.hosts:
        if not names.is_host(host.removeprefix("*.")):
            raise Unsupported(path, f"{host!r} is not a host name")
        if host in routed_hosts:
            raise Unsupported(path, f"{host!r} routes to two ports")
        routed_hosts.add(host)


def _ingress(
    scope: Scope, name: str, component: Component, container: Container, port: Port
) -> Manifest:
    service = scope.service_name(container.name)
    return scope.fill(
        "ingress",
        name,
        component,
        container.name,
        ingress_class=scope.capabilities.ingress_class,
        rules=[_rule(host, service, port.service_port) for host in port.hosts],
    )


def _rule(host: str, service: str, port: int) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": port}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {"host": host, "http": {"paths": [path]}}


def _http_route(
    scope: Scope, name: str, component: Component, container: Container, port: Port
) -> Manifest:
    namespace, _, gateway = scope.capabilities.gateway.rpartition("/")
    return scope.fill(
        "http-route",
        name,
        component,
        container.name,
        gateway_name=gateway,
        gateway_namespace=namespace or None,
        hosts=list(port.hosts),
        service=scope.service_name(container.name),
        port=port.service_port,
    )
