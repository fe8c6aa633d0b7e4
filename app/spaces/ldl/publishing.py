"""Publishing of exposed ports: the host name, addresses, node ports and in-cluster clients."""

from dataclasses import replace

from app.spaces.ldl.diagnostics import quote
from app.spaces.ldl.expose import Exposure
from app.spaces.ldl.fields import (
    Node,
    entries,
    text,
    warn_unknown,
)
from app.spaces.ldl.services import Service
from k8s.workload import Capabilities, Port


class Publication:
    """The publication of one file's ports: one gets the host name, others what is offered."""

    def __init__(
        self, root: Node, services: dict[str, Service], *, capabilities: Capabilities, host: str
    ) -> None:
        self._findings = root.findings
        self._services = services
        self._capabilities = capabilities
        self._host = host
        self._taken: dict[str, str] = {host: "the host name of the Space"}
        self._addresses: dict[tuple[str, int, str], str] = {}
        self._endpoints = self._read_endpoints(root.get("endpoints"))
        self.main: tuple[str, Exposure] | None = self._choose_main()

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
            published = self._publish(service, exposure, port)
            ports.extend(published or [port])
        return tuple(ports)

    def _choose_main(self) -> tuple[str, Exposure] | None:
        tcp = [
            (service.name, exposure)
            for service in self._services.values()
            for exposure in service.exposures
            if exposure.protocol == "TCP"
        ]
        public = [candidate for candidate in tcp if candidate[1].is_global]
        for is_preferred in (_is_port_80, _is_http, _is_any):
            if main := next((each for each in public if is_preferred(each[1])), None):
                return main
        if self._any_global():
            return None
        main = next((candidate for candidate in tcp if not candidate[1].targeted), None)
        if main:
            message = f"no port has `global: true`; port {main[1].number} gets the host name"
            self._findings.warn(main[1].path, message)
        else:
            self._findings.warn("services", "expose nothing to the internet")
        return main

    def _any_global(self) -> bool:
        return any(
            exposure.is_global
            for service in self._services.values()
            for exposure in service.exposures
        )

    def _publish(self, service: Service, exposure: Exposure, port: Port) -> list[Port]:
        is_main = self.main == (service.name, exposure)
        if not (exposure.is_global or is_main):
            if exposure.hosts:
                self._findings.warn(
                    f"{exposure.path}.accept", "has no effect without `global: true`"
                )
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
            if self._may_have_address(exposure, service, name)
        )
        if not published and not exposure.addresses:
            published.append(self._node_port(exposure, port))
        return published

    def _node_port(self, exposure: Exposure, port: Port) -> Port:
        if not self._capabilities.node_ports:
            self._findings.refuse(
                f"{exposure.path}.to",
                "only one port gets the host name, and this provider publishes no others; "
                "remove `global: true`, or give a web port a host name of your own in `accept`",
            )
        return replace(port, public="node")

    def _may_have_address(self, exposure: Exposure, service: Service, name: str) -> bool:
        path = f"{exposure.path}.to"
        if name not in self._endpoints:
            self._findings.refuse(path, f"`endpoints` has no {quote(name)} of kind `ip`")
            return False
        if not self._capabilities.load_balancers:
            self._findings.refuse(path, "this provider offers no IP addresses; remove `ip`")
            return False
        key = (name, exposure.service_port, exposure.protocol)
        holder = self._addresses.setdefault(key, service.name)
        if holder != service.name:
            self._findings.refuse(
                path,
                f"port {exposure.service_port} of {quote(name)} already leads to {quote(holder)}",
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
            self._findings.refuse(
                path, f"{quote(name)} belongs to the provider; use a name of your own"
            )
            return False
        holder = self._taken.setdefault(name, path)
        if holder != path:
            self._findings.warn(path, f"{quote(name)} already leads elsewhere ({holder})")
        return holder == path

    def _clients(self, exposure: Exposure) -> tuple[str, ...]:
        known = tuple(name for name in exposure.clients if name in self._services)
        for name in exposure.clients:
            if name not in self._services:
                self._findings.warn(f"{exposure.path}.to", f"there is no service {quote(name)}")
        return known

    def _read_endpoints(self, node: Node) -> frozenset[str]:
        declared: set[str] = set()
        used = {
            name
            for service in self._services.values()
            for exposure in service.exposures
            for name in exposure.addresses
        }
        for name, endpoint in entries(node):
            warn_unknown(endpoint, frozenset({"kind"}))
            kind = (text(endpoint.get("kind")) or "").strip().lower()
            if kind != "ip":
                endpoint.get("kind").refuse(f"must be `ip`, not {quote(kind)}")
            elif name not in used:
                endpoint.warn("is not used by any port")
            declared.add(name)
        return frozenset(declared)


def _is_port_80(exposure: Exposure) -> bool:
    return exposure.service_port == 80  # noqa: PLR2004 - the port of HTTP


def _is_http(exposure: Exposure) -> bool:
    return exposure.http


def _is_any(exposure: Exposure) -> bool:
    return exposure.is_global
