"""Networks that are not the public internet, and those of one cluster.

`app.net` judges by the same list where a URL may lead; so a tenant's pods reach no more than we do.
"""

from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

Network = IPv4Network | IPv6Network

# https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry, also what
# they call globally reachable (AS112, AMT): no Space has any business there.
RESERVED = (
    "0.0.0.0/8",  # RFC 791: this network.
    "10.0.0.0/8",  # RFC 1918: private.
    "100.64.0.0/10",  # RFC 6598: carrier-grade NAT; Alibaba's metadata.
    "127.0.0.0/8",  # RFC 1122: loopback.
    "168.63.129.16/32",  # Azure's host agent and DNS, the one metadata service on a public address.
    "169.254.0.0/16",  # RFC 3927: link-local; metadata of most clouds.
    "172.16.0.0/12",  # RFC 1918: private.
    "192.0.0.0/24",  # RFC 6890: protocol assignments; Oracle's metadata.
    "192.31.196.0/24",  # RFC 7535: AS112.
    "192.52.193.0/24",  # RFC 7450: AMT.
    "192.88.99.0/24",  # RFC 7526: 6to4 relays, deprecated.
    "192.168.0.0/16",  # RFC 1918: private.
    "192.175.48.0/24",  # RFC 7534: AS112.
    "198.18.0.0/15",  # RFC 2544: benchmarks.
    "224.0.0.0/4",  # RFC 5771: multicast.
    "240.0.0.0/4",  # RFC 1112: the former class E; broadcast.
    # RFC 4291 and https://www.iana.org/assignments/ipv6-address-space: only 2000::/3 is global
    # unicast. The rest has loopback, IPv4-mapped addresses, NAT64 (RFC 6052, RFC 8215), private,
    # link-local and multicast addresses, and metadata services.
    "::/3",
    "4000::/2",
    "8000::/1",
    "2001::/23",  # RFC 2928: protocol assignments, Teredo (RFC 4380) and ORCHID (RFC 7343) among.
    "2002::/16",  # RFC 3056: 6to4, any IPv4 address.
    "2620:4f:8000::/48",  # RFC 7534: AS112.
)

# Networks of examples, routed nowhere (RFC 5737, RFC 3849, RFC 9637). No URL leads there. Pods are
# not kept from them: there is nothing to protect, and test clusters use them as an internet.
DOCUMENTATION = (
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "2001:db8::/32",
    "3fff::/20",
)

EVERYWHERE = ("0.0.0.0/0", "::/0")


@cache
def closed(blocked: tuple[str, ...] = ()) -> tuple[Network, ...]:
    """Return the reserved networks and `blocked` (CIDR), without overlaps, IPv4 first.

    Raises:
        ValueError: A network of `blocked` is malformed.
    """
    networks = [ip_network(cidr, strict=False) for cidr in (*RESERVED, *blocked)]
    v4 = collapse_addresses(network for network in networks if isinstance(network, IPv4Network))
    v6 = collapse_addresses(network for network in networks if isinstance(network, IPv6Network))
    return *v4, *v6


def is_cidr(text: str) -> bool:
    """Tell whether a text is a network, `198.51.100.0/24`, or one address."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def hosts(blocked: Iterable[str]) -> list[str]:
    """Return those of `blocked` that are one address each: the nodes."""
    networks = (ip_network(cidr, strict=False) for cidr in blocked)
    return [str(network) for network in networks if network.num_addresses == 1]


def around(cidr: str, networks: Iterable[Network]) -> list[str] | None:
    """Return those of `networks` to except from `cidr`, or None when nothing would be left."""
    whole = ip_network(cidr)
    inside = [network for network in networks if network.version == whole.version]
    return None if whole in inside else [str(network) for network in inside]
