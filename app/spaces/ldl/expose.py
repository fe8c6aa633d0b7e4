"""A service's `expose`: who may reach which of its ports."""

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Literal

from app.spaces.ldl.diagnostics import shown
from app.spaces.ldl.fields import (
    Node,
    flag,
    items,
    know,
    missing,
    text,
    whole,
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
    """One port of a service, with everything that its entries say of it.

    Attributes:
        path: Where the file names it first.
        number: The port in the container.
        service_port: The port that others connect to.
        protocol: `TCP` or `UDP`.
        http: The file says that it speaks HTTP.
        is_global: The internet may reach it.
        targeted: The file names somebody who may reach it, or says that nobody may.
        clients: Services that may.
        hosts: Host names of the tenant's own (`accept`).
        addresses: Endpoints of kind `ip` that it is reached by.
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
        """Whether host names can lead to it."""
        return self.protocol == "TCP" and (self.http or self.service_port in _WEB_PORTS)


def read(node: Node) -> tuple[Exposure, ...]:
    """The ports of `expose`, entries about the same port as one."""
    found: dict[tuple[int, str], Exposure] = {}
    listed = items(node)
    if len(listed) > MAX_PORTS:
        node.refuse(f"must have at most {MAX_PORTS} entries")
        return ()
    for item in listed:
        exposure = _entry(item)
        if exposure is None:
            continue
        key = (exposure.service_port, exposure.protocol)
        earlier = found.get(key)
        if earlier is None:
            found[key] = exposure
        elif earlier.number == exposure.number:
            item.warn(f"is about the same port as {earlier.path}; both count as one")
            found[key] = _merged(earlier, exposure)
        else:
            item.get("as").refuse(
                f"{exposure.service_port} leads to port {earlier.number} already ({earlier.path})"
            )
    return tuple(found.values())


def _entry(node: Node) -> Exposure | None:
    if isinstance(node.value, str):
        node.warn("should be a mapping; the port is exposed to nobody in particular")
        node = replace(node, value={"port": node.value})
    if not isinstance(node.value, dict):
        node.refuse("must be a mapping with `port`")
        return None
    know(node, _KEYS)
    if not node.has("port"):
        missing(node, "port")
        return None
    if node.has("http_options"):
        node.get("http_options").warn("is not offered and ignored")
    number = whole(node.get("port"), 1, 65535)
    served = whole(node.get("as"), 0, 65535)
    proto = (text(node.get("proto")) or "").strip().lower()
    if proto not in _PROTOCOLS:
        node.get("proto").refuse(f"must be tcp, udp or http, not {shown(proto)}")
        return None
    if number is None:
        return None
    is_global, clients, addresses = _targets(node.get("to"))
    return Exposure(
        path=node.path,
        number=number,
        service_port=served or number,
        protocol=_PROTOCOLS[proto],
        http=proto in {"http", "https"},
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
        know(item, _TARGET_KEYS)
        world = flag(item.get("global"))
        is_global = is_global or world
        if client := (text(item.get("service")) or "").strip():
            clients[client] = None
        if address := (text(item.get("ip")) or "").strip():
            if world:
                addresses[address] = None
            else:
                item.get("ip").warn("means nothing without `global: true` beside it")
    return is_global, tuple(clients), tuple(addresses)


def _hosts(node: Node) -> tuple[str, ...]:
    hosts: dict[str, None] = {}
    for item in items(node):
        written = (text(item) or "").strip().lower().rstrip(".")
        if not written:
            continue
        if is_host(written):
            hosts[written] = None
        else:
            item.warn(f"{shown(written)} is no host name and is ignored")
    if len(hosts) > MAX_HOSTS:
        node.refuse(f"must have at most {MAX_HOSTS} host names")
    return tuple(hosts)[:MAX_HOSTS]


def is_host(name: str) -> bool:
    """Whether `name` (lower case) is a host name, which neither a pattern nor an address is."""
    if len(name) > _MAX_HOST or not _HOST.fullmatch(name):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False


def _merged(one: Exposure, other: Exposure) -> Exposure:
    return Exposure(
        path=one.path,
        number=one.number,
        service_port=one.service_port,
        protocol=one.protocol,
        http=one.http or other.http,
        is_global=one.is_global or other.is_global,
        targeted=one.targeted or other.targeted,
        clients=tuple(dict.fromkeys(one.clients + other.clients)),
        hosts=tuple(dict.fromkeys(one.hosts + other.hosts))[:MAX_HOSTS],
        addresses=tuple(dict.fromkeys(one.addresses + other.addresses)),
    )
