"""A service's `expose` section: its ports, and the clients that may reach each."""

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Literal

from app.spaces.ldl.diagnostics import quote
from app.spaces.ldl.fields import (
    Node,
    boolean,
    integer,
    items,
    refuse_missing,
    text,
    warn_unknown,
)

MAX_PORTS = 100
MAX_HOSTS = 15

_KEYS = frozenset({"port", "as", "proto", "to", "accept", "http_options"})
_TARGET_KEYS = frozenset({"global", "service", "ip"})
_PROTOCOLS: dict[str, Literal["TCP", "UDP"]] = {
    "": "TCP",
    "tcp": "TCP",
    "http": "TCP",
    "https": "TCP",
    "udp": "UDP",
}
_WEB_PORTS = frozenset({80, 443})
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_HOST = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One port of a service, with everything that its `expose` entries say of it.

    Attributes:
        path: The first entry about it.
        number: The port in the container.
        service_port: The port that others connect to.
        protocol: `TCP` or `UDP`.
        http: The file declares its protocol to be HTTP.
        is_global: The internet may reach it.
        targeted: It has a `to`, even an empty one.
        clients: Services that may reach it.
        hosts: The tenant's own host names (`accept`).
        addresses: Endpoints of kind `ip` that lead to it.
    """

    path: str
    number: int
    service_port: int
    protocol: Literal["TCP", "UDP"]
    http: bool = False
    is_global: bool = False
    targeted: bool = False
    clients: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def is_web(self) -> bool:
        """True if host names can lead to it."""
        return self.protocol == "TCP" and (self.http or self.service_port in _WEB_PORTS)


def read(node: Node) -> tuple[Exposure, ...]:
    """The ports of `expose`, with entries about the same port merged."""
    exposures: dict[tuple[int, str], Exposure] = {}
    entries = items(node)
    if len(entries) > MAX_PORTS:
        node.refuse(f"must have at most {MAX_PORTS} entries")
        return ()
    for entry in entries:
        exposure = _entry(entry)
        if exposure is None:
            continue
        key = (exposure.service_port, exposure.protocol)
        earlier = exposures.get(key)
        if earlier is None:
            exposures[key] = exposure
        elif earlier.number == exposure.number:
            entry.warn(f"is about the same port as {earlier.path}; the two are merged")
            exposures[key] = _merge(earlier, exposure)
        else:
            entry.get("as").refuse(
                f"{exposure.service_port} already leads to port {earlier.number} ({earlier.path})"
            )
    return tuple(exposures.values())


def _entry(node: Node) -> Exposure | None:
    if isinstance(node.value, str):
        node.warn("should be a mapping; the value is read as `port`")
        node = replace(node, value={"port": node.value})
    if not isinstance(node.value, dict):
        node.refuse("must be a mapping with `port`")
        return None
    warn_unknown(node, _KEYS)
    if not node.has("port"):
        refuse_missing(node, "port")
        return None
    if node.has("http_options"):
        node.get("http_options").warn("is not supported and is ignored")
    number = integer(node.get("port"), 1, 65535)
    service_port = integer(node.get("as"), 0, 65535)
    protocol = (text(node.get("proto")) or "").strip().lower()
    if protocol not in _PROTOCOLS:
        node.get("proto").refuse(f"must be tcp, udp or http, not {quote(protocol)}")
        return None
    if number is None:
        return None
    is_global, clients, addresses = _targets(node.get("to"))
    return Exposure(
        path=node.path,
        number=number,
        service_port=service_port or number,
        protocol=_PROTOCOLS[protocol],
        http=protocol in {"http", "https"},
        is_global=is_global,
        targeted=node.has("to"),
        clients=clients,
        hosts=_hosts(node.get("accept")),
        addresses=addresses,
    )


def _targets(node: Node) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    is_global = False
    clients: dict[str, None] = {}
    addresses: dict[str, None] = {}
    for item in items(node):
        if not isinstance(item.value, dict):
            item.refuse("must be a mapping: `global: true` or `service: name`")
            continue
        warn_unknown(item, _TARGET_KEYS)
        has_global = boolean(item.get("global"))
        is_global = is_global or has_global
        if client := (text(item.get("service")) or "").strip():
            clients[client] = None
        if address := (text(item.get("ip")) or "").strip():
            if has_global:
                addresses[address] = None
            else:
                item.get("ip").warn("has no effect without `global: true` next to it")
    return is_global, tuple(clients), tuple(addresses)


def _hosts(node: Node) -> tuple[str, ...]:
    hosts: dict[str, None] = {}
    for item in items(node):
        name = (text(item) or "").strip().lower().rstrip(".")
        if not name:
            continue
        if is_host(name):
            hosts[name] = None
        else:
            item.warn(f"{quote(name)} is not a host name and is ignored")
    if len(hosts) > MAX_HOSTS:
        node.refuse(f"must have at most {MAX_HOSTS} host names")
    return tuple(hosts)[:MAX_HOSTS]


def is_host(name: str) -> bool:
    """True if `name` (lower case) is a host name, and neither a pattern nor an IP address."""
    if len(name) > _MAX_HOST or not _HOST.fullmatch(name):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False


def _merge(first: Exposure, second: Exposure) -> Exposure:
    return Exposure(
        path=first.path,
        number=first.number,
        service_port=first.service_port,
        protocol=first.protocol,
        http=first.http or second.http,
        is_global=first.is_global or second.is_global,
        targeted=first.targeted or second.targeted,
        clients=tuple(dict.fromkeys(first.clients + second.clients)),
        hosts=tuple(dict.fromkeys(first.hosts + second.hosts))[:MAX_HOSTS],
        addresses=tuple(dict.fromkeys(first.addresses + second.addresses)),
    )
