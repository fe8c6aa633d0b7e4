"""The addresses that are not the internet, and those of one cluster."""

from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

Network = IPv4Network | IPv6Network

RESERVED = (
    "0.0.0.0/8",  # This host.
    "10.0.0.0/8",  # Private.
    "100.64.0.0/10",  # Carrier-grade NAT; some clouds' metadata too.
    "127.0.0.0/8",  # Loopback.
    "168.63.129.16/32",  # Azure's host agent.
    "169.254.0.0/16",  # Link-local, metadata.
    "172.16.0.0/12",  # Private.
    "192.0.0.0/24",  # Protocol assignments; Oracle's metadata.
    "192.168.0.0/16",  # Private.
    "198.18.0.0/15",  # Benchmarks.
    "224.0.0.0/4",  # Multicast.
    "240.0.0.0/4",  # Reserved, broadcast.
    "::/80",  # Unspecified, loopback, IPv4-compatible and IPv4-mapped.
    "64:ff9b::/96",  # NAT64: any IPv4 address.
    "64:ff9b:1::/48",  # Local NAT64.
    "100::/64",  # Discard.
    "2001::/32",  # Teredo: any IPv4 address.
    "2002::/16",  # 6to4: any IPv4 address.
    "fc00::/7",  # Private; metadata.
    "fe80::/10",  # Link-local.
    "fec0::/10",  # Site-local.
    "ff00::/8",  # Multicast.
)

EVERYWHERE = ("0.0.0.0/0", "::/0")


@cache
def closed(blocked: tuple[str, ...]) -> tuple[Network, ...]:
    """The reserved networks and `blocked` (CIDR), without overlaps, IPv4 first.

    Raises:
        ValueError: A network of `blocked` is none.
    """
    found = [ip_network(one, strict=False) for one in (*RESERVED, *blocked)]
    v4 = collapse_addresses(one for one in found if isinstance(one, IPv4Network))
    v6 = collapse_addresses(one for one in found if isinstance(one, IPv6Network))
    return *v4, *v6


def hosts(blocked: Iterable[str]) -> list[str]:
    """Those of `blocked` that are one address each: the nodes."""
    found = (ip_network(one, strict=False) for one in blocked)
    return [str(one) for one in found if one.num_addresses == 1]


def around(cidr: str, networks: Iterable[Network]) -> list[str] | None:
    """What of `networks` has to be left out of `cidr`, or None when nothing would be left."""
    whole = ip_network(cidr)
    inside = [one for one in networks if one.version == whole.version]
    return None if whole in inside else [str(one) for one in inside]
