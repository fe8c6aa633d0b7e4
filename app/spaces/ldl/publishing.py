"""How the internet and other services reach each exposed port."""

from dataclasses import replace

from app.spaces.ldl.diagnostics import shown
from app.spaces.ldl.expose import Exposure
from app.spaces.ldl.fields import (
    Node,
    entries,
    know,
    text,
)
from app.spaces.ldl.services import Service
from k8s.workload import Capabilities, Port


class Publication:
    """Decides for one file which port has the host name and how the others are published."""

    def __init__(
        self, root: Node, services: dict[str, Service], *, capabilities: Capabilities, host: str
    ) -> None:
        self._findings = root.findings
        self._services = services
        self._capabilities = capabilities
        self._host = host
        self._taken: dict[str, str] = {host: "the host name of the Space"}
        self._addresses: dict[tuple[str, int, str], str] = {}
        self._endpoints = self._declared(root.get("endpoints"))
        self.main: tuple[str, Exposure] | None = self._main()

    def ports(self, service: Service) -> tuple[Port, ...]:
        """The service's ports; one that is published in two ways appears twice."""
        ports: list[Port] = []
        for exposure in service.exposures:
            clients = self._clients(exposure)
            port = Port(
                number=exposure.number,
                service_port=exposure.service_port,
                protocol=exposure.protocol,
                clients=clients,
            )
            published = self._published(service, exposure, port)
            ports.extend(published or [port])
        return tuple(ports)

    def _main(self) -> tuple[str, Exposure] | None:
        every = [
            (service.name, exposure)
            for service in self._services.values()
            for exposure in service.exposures
            if exposure.protocol == "TCP"
        ]
        public = [candidate for candidate in every if candidate[1].is_global]
        for wanted in (_is_port_80, _is_http, _is_any):
            if found := next((each for each in public if wanted(each[1])), None):
                return found
        if self._any_global():
            return None
        found = next((each for each in every if not each[1].targeted), None)
        if found:
            message = f"nothing is exposed to `global: true`; port {found[1].number} gets the host"
            self._findings.warn(found[1].path, f"{message} name")
        else:
            self._findings.warn("services", "expose nothing to the internet")
        return found

    def _any_global(self) -> bool:
        return any(
            exposure.is_global
            for service in self._services.values()
            for exposure in service.exposures
        )

    def _published(self, service: Service, exposure: Exposure, port: Port) -> list[Port]:
        is_main = self.main == (service.name, exposure)
        if not (exposure.is_global or is_main):
            if exposure.hosts:
                self._findings.warn(f"{exposure.path}.accept", "means nothing without `global`")
            return []
        published = []
        hosts = self._hosts(exposure)
        if is_main:
            published.append(replace(port, public="host", hosts=(self._host, *hosts)))
        elif hosts:
            published.append(replace(port, public="host", hosts=hosts))
        published.extend(
            replace(port, public="address", endpoint=name)
            for name in exposure.addresses
            if self._may_have(exposure, service, name)
        )
        if not published and not exposure.addresses:
            published.append(self._node(exposure, port))
        return published

    def _node(self, exposure: Exposure, port: Port) -> Port:
        if not self._capabilities.node_ports:
            self._findings.refuse(
                f"{exposure.path}.to",
                "only one port gets the host name, and this provider publishes no further ones; "
                "remove `global: true`, or give a web port a host name of yours in `accept`",
            )
        return replace(port, public="node")

    def _may_have(self, exposure: Exposure, service: Service, name: str) -> bool:
        path = f"{exposure.path}.to"
        if name not in self._endpoints:
            self._findings.refuse(path, f"`endpoints` has no {shown(name)} of kind ip")
            return False
        if not self._capabilities.load_balancers:
            self._findings.refuse(path, "this provider offers no addresses (`ip`); remove it")
            return False
        key = (name, exposure.service_port, exposure.protocol)
        holder = self._addresses.setdefault(key, service.name)
        if holder != service.name:
            self._findings.refuse(
                path,
                f"port {exposure.service_port} of {shown(name)} leads to {shown(holder)} already",
            )
            return False
        return True

    def _hosts(self, exposure: Exposure) -> tuple[str, ...]:
        path = f"{exposure.path}.accept"
        is_main = self.main is not None and self.main[1] is exposure
        if exposure.hosts and not (exposure.is_web or is_main):
            self._findings.warn(path, "host names lead to web ports only (`as: 80`, `proto: http`)")
            return ()
        return tuple(name for name in exposure.hosts if self._is_free(name, path))

    def _is_free(self, name: str, path: str) -> bool:
        domain = self._capabilities.domain.lower().strip(".")
        if name != self._host and domain and (name == domain or name.endswith(f".{domain}")):
            self._findings.refuse(path, f"{shown(name)} is the provider's; use a name of your own")
            return False
        holder = self._taken.setdefault(name, path)
        if holder != path:
            self._findings.warn(path, f"{shown(name)} leads elsewhere already ({holder})")
        return holder == path

    def _clients(self, exposure: Exposure) -> tuple[str, ...]:
        known = tuple(name for name in exposure.clients if name in self._services)
        for name in exposure.clients:
            if name not in self._services:
                self._findings.warn(f"{exposure.path}.to", f"there is no service {shown(name)}")
        return known

    def _declared(self, node: Node) -> frozenset[str]:
        declared = set()
        used = {
            name
            for service in self._services.values()
            for exposure in service.exposures
            for name in exposure.addresses
        }
        for name, endpoint in entries(node):
            know(endpoint, frozenset({"kind"}))
            kind = (text(endpoint.get("kind")) or "").strip().lower()
            if kind != "ip":
                endpoint.get("kind").refuse(f"must be `ip`, not {shown(kind)}")
            elif name not in used:
                endpoint.warn("no port uses it")
            declared.add(name)
        return frozenset(declared)


def _is_port_80(exposure: Exposure) -> bool:
    return exposure.service_port == 80  # noqa: PLR2004 - the port of HTTP


def _is_http(exposure: Exposure) -> bool:
    return exposure.http


def _is_any(exposure: Exposure) -> bool:
    return exposure.is_global
